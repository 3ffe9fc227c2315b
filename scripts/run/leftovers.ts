// Processes that work on a state folder: guests, and the children of a `make run` that was killed and are still ending.
import { readdirSync, readFileSync } from 'node:fs'
import { waitFor } from './wait.ts'

export interface Found {
    pid: number
    name: 'etcd' | 'rpcd' | 'libvirtd' | 'qemu'
}

/** What the words of a command line say: which of our daemons on this state folder, or a guest that uses it. */
export function whatIs(words: readonly string[], state: string): Found['name'] | undefined {
    const program = words[0]?.split('/').at(-1) ?? ''
    const after = (option: string) => words[words.indexOf(option) + 1 || words.length]
    if (program.startsWith('qemu-system-')) return words.some(word => word.includes(`${state}/`)) ? 'qemu' : undefined
    if (program === 'etcd') return after('--data-dir') === `${state}/etcd/data` ? 'etcd' : undefined
    if (program === 'libvirtd') return after('--config') === `${state}/libvirt/libvirtd.conf` ? 'libvirtd' : undefined
    const isRpcd = words.some(word => word.endsWith('/rpcd.mjs'))
    return isRpcd && after('--state') === state ? 'rpcd' : undefined
}

/** All of them that run now. */
export function processesOn(state: string): Found[] {
    return readdirSync('/proc')
        .filter(name => /^\d+$/.test(name))
        .flatMap(pid => {
            try {
                const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
                const name = whatIs(words, state)
                return name ? [{ pid: Number(pid), name }] : []
            } catch {
                // It ended while it was looked at.
                return []
            }
        })
}

const patienceMs = 15_000

/**
 * Resolves when no daemon of an earlier `make run` is left on the state folder, which only its holder may ask. The kernel
 * has told them to end when that run died; one that does not is killed.
 */
export async function waitForLeftovers(state: string, signal?: AbortSignal): Promise<void> {
    const left = () => processesOn(state).filter(({ name }) => name !== 'qemu')
    const gone = async () => left().length === 0
    const names = () => [...new Set(left().map(({ name }) => name))].join(', ')
    const within = { deadlineMs: patienceMs, signal }
    try {
        await waitFor('the daemons of the last run to end', within, gone)
    } catch (trouble) {
        if (signal?.aborted) throw trouble
        for (const { pid } of left()) kill(pid)
        await waitFor(`${names()} of the last run to end`, within, gone)
    }
}

function kill(pid: number): void {
    try {
        process.kill(pid, 'SIGKILL')
    } catch (trouble) {
        if ((trouble as NodeJS.ErrnoException).code !== 'ESRCH') throw trouble
    }
}
