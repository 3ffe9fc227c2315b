// Where the answers of an installation that asks nobody come from: an address on the kernel's command line, the medium, a stick.
import { createHash } from 'node:crypto'
import { Fault } from '../../base/fault.ts'
import type { System } from '../../ports/ports.ts'
import { MOST_BYTES } from './answers.ts'
import { readFromStick } from './stick.ts'

/** Said by the entry of the boot menu: a stick or an address alone installs nothing. */
export const AUTOMATIC = 'debvisor.install=automatic'
const MEDIUM = '/run/live/medium/debvisor'
export const ANSWERS_NAME = 'answers.yaml'
export const STICK_LABEL = 'DEBVISOR'
const FETCH_MS = 90_000

export interface FindDeps {
    machine: System
    pause(ms: number): Promise<void>
}

export interface FoundAnswers {
    text: string
    /** For people. */
    from: string
}

/**
 * The first that there is. `words` are those of the kernel's command line.
 * @throws Fault `denied` when the boot entry was another, `not-found` where there are none, `invalid` for an address that
 * would be trusted without a reason, `conflict` when they are not those that were meant, `unavailable`
 */
export async function findAnswers(deps: FindDeps, words: readonly string[]): Promise<FoundAnswers> {
    const { machine } = deps
    if (!words.includes(AUTOMATIC)) {
        throw new Fault('denied', {
            summary: 'Nobody chose to install without questions',
            detail: `the kernel was not given ${AUTOMATIC}`,
            fix: 'Choose "Automatic install" in the boot menu, or install with: debvisor-installer',
        })
    }
    const word = (key: string) => words.findLast(one => one.startsWith(`${key}=`))?.slice(key.length + 1)
    const address = word('debvisor.answers')
    const sha256 = word('debvisor.sha256')
    if (address) return { text: await fetched(deps, address, sha256), from: address }
    const onMedium = await machine.readText(`${MEDIUM}/${ANSWERS_NAME}`)
    if (onMedium !== undefined) return { text: pinned(onMedium, sha256), from: 'the medium' }
    const onStick = await readFromStick(machine, STICK_LABEL, ANSWERS_NAME)
    if (onStick !== undefined) return { text: pinned(onStick, sha256), from: `the stick ${STICK_LABEL}` }
    throw new Fault('not-found', {
        summary: 'There are no answers to install by',
        detail: `no debvisor.answers= on the command line of the kernel, no file on the medium, no ${ANSWERS_NAME} on a stick labelled ${STICK_LABEL}`,
        fix: 'Put them into the ISO (debvisor iso prepare), or on a stick with that label. Nothing was touched.',
    })
}

/** curl(1): a name that is not known, nobody who answers, and too late. The network may be about to come. */
const NOT_YET: ReadonlySet<number> = new Set([6, 7, 28])
const TRIES = 24
const PAUSE_MS = 5_000

async function fetched(deps: FindDeps, address: string, sha256: string | undefined): Promise<string> {
    checkAddress(address, sha256)
    // One that the medium brings is trusted alone, in the place of all that the system knows.
    const ca = `${MEDIUM}/ca.pem`
    const own = (await deps.machine.look(ca)) ? ['--cacert', ca] : []
    const limits = ['--connect-timeout', '10', '--max-time', '60', '--max-filesize', String(MOST_BYTES)]
    // From https to http would be a way around the certificate.
    const protocols = address.startsWith('https:') ? '=https' : '=http,https'
    const follow = ['--location', '--max-redirs', '3', '--proto', protocols, '--proto-redir', protocols]
    for (let tries = 1; ; tries++) {
        const { exitCode, stdout, stderr } = await deps.machine.run({
            argv: ['curl', '--fail', '--silent', '--show-error', ...follow, ...limits, ...own, '--', address],
            deadlineMs: FETCH_MS,
        })
        if (exitCode === 0) return pinned(stdout, sha256)
        if (!NOT_YET.has(exitCode) || tries === TRIES) {
            throw new Fault('unavailable', {
                summary: 'The answers could not be fetched',
                detail: `${address}: ${stderr.trim().split('\n')[0]} (curl ended with ${exitCode})`,
                fix: 'See whether the machine has a network, and the address is right. Nothing was touched.',
            })
        }
        await deps.pause(PAUSE_MS)
    }
}

function checkAddress(address: string, sha256: string | undefined): void {
    const refuse = (detail: string, fix: string): never => {
        throw new Fault('invalid', { summary: 'The address of the answers cannot be used', detail, fix })
    }
    const url = URL.canParse(address)
        ? new URL(address)
        : refuse(address, 'Write it like https://example.org/node1.yaml.')
    if (url.username || url.password)
        refuse(`${url.host} with a name or password`, 'Leave them out: the kernel shows its command line to everybody.')
    if (url.protocol === 'https:') return
    if (url.protocol !== 'http:') refuse(address, 'It begins with https:// or http://. Nothing was touched.')
    if (sha256) return
    refuse(
        `${address}, over HTTP without a checksum`,
        'Anybody on the way could change them: give debvisor.sha256= as well, or use https. Nothing was touched.',
    )
}

/** The same text, when it is the one that was meant. */
function pinned(text: string, sha256: string | undefined): string {
    if (sha256 === undefined) return text
    const is = createHash('sha256').update(text).digest('hex')
    if (is === sha256.toLowerCase()) return text
    throw new Fault('conflict', {
        summary: 'The answers are not those that were meant',
        detail: `their SHA-256 is ${is}, and ${sha256} was expected`,
        fix: 'Compare the file with the one that the checksum was made of. Nothing was touched.',
    })
}
