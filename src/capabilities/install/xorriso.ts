// xorriso: a file put into a copy of an ISO that boots as before, and read from it. (xorriso(1))
import { Fault } from '../../base/fault.ts'
import type { System } from '../../ports/ports.ts'
import { ANSWERS_NAME } from './find-answers.ts'

const ON_ISO = `/debvisor/${ANSWERS_NAME}`
const LOOK_MS = 60_000
const COPY_MS = 1_800_000

async function xorriso(system: System, args: readonly string[], deadlineMs: number) {
    if ((await system.look('/usr/bin/xorriso')) === undefined) {
        throw new Fault('precondition', {
            summary: 'xorriso is not installed',
            detail: '/usr/bin/xorriso',
            fix: 'Install it: apt-get install xorriso',
        })
    }
    return system.run({ argv: ['/usr/bin/xorriso', ...args], deadlineMs })
}

/** Whether it has the image of a node on it. */
export async function hasImage(system: System, iso: string): Promise<boolean> {
    const find = ['-indev', iso, '-find', '/node/node.squashfs', '-exec', 'echo']
    const { exitCode, stdout } = await xorriso(system, find, LOOK_MS)
    return exitCode === 0 && stdout.includes('/node/node.squashfs')
}

/** Below /live, with its kernel and initial file system under the names that they have there. @throws Fault `invalid` */
export async function liveFiles(system: System, iso: string): Promise<{ kernel: string; initrd: string }> {
    const { stdout } = await xorriso(system, ['-indev', iso, '-find', '/live', '-type', 'f', '-exec', 'echo'], LOOK_MS)
    const paths = [...stdout.matchAll(/^'(\/live\/[^']+)'$/gm)].map(([, path]) => path!)
    const kernel = paths.find(path => path.startsWith('/live/vmlinuz'))
    const initrd = paths.find(path => path.startsWith('/live/initrd'))
    if (kernel && initrd) return { kernel, initrd }
    throw new Fault('invalid', {
        summary: 'That ISO has no live system that boots',
        detail: `${iso}: ${paths.join(', ') || 'nothing in /live'}`,
        fix: 'Name the file debvisor-….hybrid.iso, as it was built or downloaded.',
        at: 'iso',
    })
}

/** `files`: path on the ISO → file. @throws Fault `precondition` when xorriso could not */
export async function extractFromIso(system: System, iso: string, files: Readonly<Record<string, string>>) {
    const extract = Object.entries(files).flatMap(([from, to]) => ['-extract', from, to])
    const { exitCode, stderr } = await xorriso(system, ['-osirrox', 'on', '-indev', iso, ...extract], COPY_MS)
    if (exitCode === 0) return
    throw new Fault('precondition', {
        summary: 'The files could not be taken from the ISO',
        detail: `xorriso ended with ${exitCode}: ${lastWords(stderr)}`,
        fix: 'See whether there is room for them, and whether the ISO is whole (its .sha256).',
    })
}

/** Writes the copy. @throws Fault `precondition` when xorriso could not */
export async function addToIso(system: System, how: { iso: string; output: string; text: string }): Promise<void> {
    const folder = `/tmp/debvisor-iso-${process.pid}`
    await system.makeDirectory(folder, 0o700)
    try {
        const file = `${folder}/${ANSWERS_NAME}`
        await system.writeFile(file, how.text, 0o600)
        // All that makes it boot is taken over as it is; the file is root's, whoever made it.
        const args = ['-indev', how.iso, '-outdev', how.output, '-boot_image', 'any', 'replay']
        const add = ['-map', file, ON_ISO, '-chown_r', '0', '/debvisor', '--', '-chgrp_r', '0', '/debvisor', '--']
        const { exitCode, stderr } = await xorriso(system, [...args, ...add, '-commit'], COPY_MS)
        if (exitCode === 0) return
        throw new Fault('precondition', {
            summary: 'The ISO could not be written',
            detail: `xorriso ended with ${exitCode}: ${lastWords(stderr)}`,
            fix: 'See whether there is room for it, and whether the ISO is whole (its .sha256).',
        })
    } finally {
        await system.remove(folder)
    }
}

const lastWords = (stderr: string) =>
    stderr
        .split('\n')
        .filter(line => /FAILURE|FATAL|SORRY/.test(line))
        .at(-1)
        ?.trim() ?? 'it did not say why'

/** What stands there; undefined where it does not. */
export async function readFromIso(system: System, iso: string): Promise<string | undefined> {
    const folder = `/tmp/debvisor-iso-${process.pid}-read`
    await system.makeDirectory(folder, 0o700)
    try {
        const to = `${folder}/${ANSWERS_NAME}`
        await xorriso(system, ['-osirrox', 'on', '-indev', iso, '-extract', ON_ISO, to], LOOK_MS)
        return await system.readText(to)
    } finally {
        await system.remove(folder)
    }
}
