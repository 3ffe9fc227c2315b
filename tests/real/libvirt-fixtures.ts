// What the real tests of the libvirt driver share: how to connect, a domain with nothing in it, the tiny guest.
import { readFile } from 'node:fs/promises'
import { silentLog, testClock } from '../../src/drivers/libvirt/testing.ts'
import { tinyGuest } from './world.ts'

/** Options for a connection to the daemon behind a socket. */
export const to = (socketPath: string) => ({ socketPath, clock: testClock, log: silentLog })

/** A domain that starts under emulation, and has nothing to boot unless told. */
export const domainXml = (name: string, more: { os?: string; devices?: string } = {}): string =>
    `<domain type='qemu'><name>${name}</name><memory unit='MiB'>128</memory>
    <os><type arch='x86_64' machine='q35'>hvm</type>${more.os ?? ''}</os><features><acpi/></features>
    <devices>${more.devices ?? ''}</devices></domain>`

/** The tiny guest with a serial console, and a screen unless told otherwise. */
export async function guestXml(name: string, screen = true): Promise<string> {
    const guest = await tinyGuest()
    const display = `<video><model type='vga'/></video><graphics type='vnc' port='-1' autoport='yes'/>`
    return domainXml(name, {
        os: `<kernel>${guest.kernelPath}</kernel><initrd>${guest.initrdPath}</initrd><cmdline>${guest.commandLine}</cmdline>`,
        devices: `<serial type='pty'/><console type='pty'/>${screen ? display : ''}`,
    })
}

/** The name of a process, as the kernel has it. */
export const commandOf = async (pid: number): Promise<string> => (await readFile(`/proc/${pid}/comm`, 'utf8')).trim()

/** Writes a measured figure where the run's output shows it. */
export const report = (text: string): void => {
    process.stdout.write(`measured: ${text}\n`)
}
