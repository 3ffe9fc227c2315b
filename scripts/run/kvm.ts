// Finds out whether a guest really starts with KVM: /dev/kvm alone proves nothing.
import { spawn } from 'node:child_process'
import { access, constants, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Acceleration {
    accel: 'kvm' | 'tcg'
    /** For people: why it is emulation; empty with KVM. */
    why: string
}

const message = 'guest runs'
const exitPort = 0xf4
const wrote = 0x10

const rounds = 0x0800_0000
const origin = 0x7c00
const gdtAt = 0x46
const messageAt = 0x5e
const word = (value: number) => [value & 0xff, (value >> 8) & 0xff]
const long = (value: number) => [...word(value), ...word(value >>> 16)]

// Boot sector: enters protected mode, counts down (half a second of work under emulation, far less with KVM, far more
// with a /dev/kvm that interprets each instruction), writes the message to the first serial port and ends QEMU.
const code = [
    ...[0xfa, 0x31, 0xc0, 0x8e, 0xd8], //                           cli; xor ax,ax; mov ds,ax
    ...[0x0f, 0x01, 0x16, ...word(origin + 0x40)], //               lgdt [descriptor]
    ...[0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0], //         cr0 |= 1
    ...[0xea, ...word(origin + 0x17), ...word(8)], //               jmp 8:the next line
    ...[0x66, 0xb8, ...word(0x10), 0x8e, 0xd8], //                  mov ax,0x10; mov ds,ax
    ...[0xb9, ...long(rounds), 0x49, 0x75, 0xfd], //                mov ecx,rounds; again: dec ecx; jnz again
    ...[0xbe, ...long(origin + messageAt)], //                      mov esi,message
    ...[0x66, 0xba, ...word(0x3f8)], //                             mov dx,0x3f8
    ...[0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8], //         next: lodsb; test al,al; jz done; out dx,al; jmp next
    ...[0x66, 0xba, ...word(exitPort), 0xb0, wrote, 0xee], //       done: mov dx,exitPort; mov al,wrote; out dx,al
    ...[0xf4, 0xeb, 0xfd], //                                       hlt; jmp to it
    ...[...word(23), ...long(origin + gdtAt)], //                   descriptor: three entries at gdtAt
    ...[0, 0, 0, 0, 0, 0, 0, 0],
    ...[0xff, 0xff, 0, 0, 0, 0x9a, 0xcf, 0], //                     code, 4 GiB flat
    ...[0xff, 0xff, 0, 0, 0, 0x92, 0xcf, 0], //                     data, 4 GiB flat
]

function bootSector(): Buffer {
    const sector = Buffer.alloc(512)
    sector.set(code)
    sector.write(`${message}\0`, messageAt, 'latin1')
    sector.set([0x55, 0xaa], 510)
    return sector
}

/** Starts a guest of 512 bytes and answers whether its own words arrived, and what QEMU said when they did not. */
export async function guestStarts(accel: 'kvm' | 'tcg', deadlineMs: number): Promise<{ runs: boolean; said: string }> {
    const folder = await mkdtemp(join(tmpdir(), 'dv-probe-'))
    try {
        const disk = join(folder, 'boot.img')
        await writeFile(disk, bootSector())
        const argv = [
            ...[
                '-accel',
                accel,
                '-cpu',
                'max',
                '-machine',
                'pc',
                '-m',
                '32',
                '-nodefaults',
                '-no-user-config',
                '-display',
                'none',
            ],
            ...['-drive', `file=${disk},format=raw,if=floppy`, '-serial', 'stdio', '-no-reboot'],
            ...['-device', `isa-debug-exit,iobase=${exitPort},iosize=4`],
        ]
        return await new Promise(resolve => {
            const qemu = spawn('qemu-system-x86_64', argv, { stdio: ['ignore', 'pipe', 'pipe'] })
            const late = setTimeout(() => qemu.kill('SIGKILL'), deadlineMs)
            let [output, errors] = ['', '']
            qemu.stdout.on('data', chunk => {
                output += chunk
            })
            qemu.stderr.on('data', chunk => {
                errors += chunk
            })
            qemu.once('error', trouble => resolve({ runs: false, said: trouble.message }))
            qemu.once('close', (status, signal) => {
                clearTimeout(late)
                const spoken = errors.split('\n').find(line => line && !line.includes('warning:')) ?? ''
                const said = signal ? `it did not do half a second's work in ${deadlineMs} ms` : spoken
                resolve({ runs: output.includes(message) && status === wrote * 2 + 1, said })
            })
        })
    } finally {
        await rm(folder, { recursive: true, force: true })
    }
}

/** KVM where a guest really starts with it, emulation otherwise; takes at most a few seconds. */
export async function probeAcceleration(): Promise<Acceleration> {
    if (process.arch !== 'x64') return { accel: 'tcg', why: `guests are x86, this machine is ${process.arch}` }
    try {
        await access('/dev/kvm', constants.R_OK | constants.W_OK)
    } catch (trouble) {
        const missing = (trouble as NodeJS.ErrnoException).code === 'ENOENT'
        return { accel: 'tcg', why: missing ? 'there is no /dev/kvm' : '/dev/kvm may not be opened by this user' }
    }
    const { runs, said } = await guestStarts('kvm', 3_000)
    return runs ? { accel: 'kvm', why: '' } : { accel: 'tcg', why: `a guest does not start with /dev/kvm: ${said}` }
}
