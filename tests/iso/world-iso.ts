// The ISO as it was built, looked into without booting it, and booted in an emulated machine with its serial console at hand.
import { type ChildProcess, spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { root } from '../../scripts/stages.ts'
import { VERSION } from '../../src/base/version.ts'
import { tool } from '../real/world-cache.ts'
import { monitorAt, pokeNowAndThen } from '../vm/poke.ts'

export const isoPath = join(root, `dist/debvisor-${VERSION}-amd64.hybrid.iso`)

/** Why no ISO can be built on this machine; empty when it can. */
export const whyNoIso = (): string => (process.getuid?.() === 0 ? '' : 'building an ISO needs root')

/** Builds it, or takes the one that DEBVISOR_ISO_BUILT=1 says is of this very state of the sources. */
export async function builtIso(): Promise<string> {
    if (process.env.DEBVISOR_ISO_BUILT === '1' && existsSync(isoPath)) return isoPath
    await tool([join(root, 'build-debvisor.sh')], { cwd: root, deadlineMs: 5_400_000 })
    return isoPath
}

export interface Booted {
    /** Until the console has said it; answers all that it said since the last time. */
    hear(text: string | RegExp, deadlineMs: number): Promise<string>
    type(keys: string): void
    /** Commands of QEMU's monitor. */
    monitor(...commands: string[]): void
    ended(deadlineMs: number): Promise<void>
    stop(): Promise<void>
}

export interface BootOptions {
    /** Left out: the one that was built. */
    iso?: string
    /** Images in qcow2, each with its serial number. */
    disks?: readonly { file: string; serial: string }[]
    /** Where the variables of UEFI are kept from one boot to the next. */
    vars?: string
}

/** Without a medium: what DHCP names as the file to boot is fetched by the iPXE in QEMU's network card. */
export interface NetOptions extends Pick<BootOptions, 'disks'> {
    bootfile: string
}

export interface IsoMachine {
    /** QEMU's, with the serial port at standard input and output. */
    argv: string[]
    /** The socket of its monitor. */
    monitor: string
    remove(): void
}

/** A machine that boots from the ISO by its own loader; a reboot ends it. */
export function isoMachine(firmware: Firmware, { iso = isoPath, ...more }: BootOptions = {}): IsoMachine {
    return machineOf(firmware, more, [
        ...['-device', 'virtio-scsi-pci', '-drive', `if=none,id=iso,file=${iso},format=raw,readonly=on`],
        ...['-device', 'scsi-cd,drive=iso', '-netdev', 'user,restrict=on,id=n0', '-device', 'virtio-net-pci,netdev=n0'],
    ])
}

/** `secure`: UEFI with the keys of Microsoft, as machines are sold, and Secure Boot on. */
export type Firmware = 'bios' | 'uefi' | 'secure'

function machineOf(
    firmware: Firmware,
    { disks = [], vars }: Pick<BootOptions, 'disks' | 'vars'>,
    boots: readonly string[],
): IsoMachine {
    const folder = mkdtempSync(join(tmpdir(), 'dv-iso-'))
    const monitor = join(folder, 'monitor')
    const argv = [
        'qemu-system-x86_64',
        ...[
            '-machine',
            `q35,smm=${firmware === 'secure' ? 'on' : 'off'}`,
            '-accel',
            'tcg,thread=multi,tb-size=512',
            '-cpu',
            'max',
            '-smp',
            '2',
            '-m',
            '3072',
        ],
        ...['-nodefaults', '-display', 'none', '-vga', 'std', '-no-reboot', '-device', 'virtio-rng-pci'],
        ...[...boots, ...monitorAt(monitor)],
        // Ctrl-C is for the guest.
        ...['-chardev', 'stdio,id=serial,signal=off', '-serial', 'chardev:serial'],
    ]
    disks.forEach(({ file, serial }, i) => {
        argv.push('-drive', `if=none,id=disk${i},file=${file},cache=unsafe`)
        argv.push('-device', `virtio-blk-pci,drive=disk${i},serial=${serial}`)
    })
    if (firmware !== 'bios') {
        const [code, keys] = firmware === 'secure' ? ['.secboot', '.ms'] : ['', '']
        const kept = vars ?? join(folder, 'vars.fd')
        if (!existsSync(kept)) copyFileSync(`/usr/share/OVMF/OVMF_VARS_4M${keys}.fd`, kept)
        argv.push('-drive', `if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M${code}.fd`)
        argv.push('-drive', `if=pflash,format=raw,file=${kept}`)
        if (firmware === 'secure') argv.push('-global', 'driver=cfi.pflash01,property=secure,value=on')
    }
    return { argv, monitor, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** What stands on its disks. */
export const diskMachine = (firmware: Firmware, options: Pick<BootOptions, 'disks' | 'vars'>): IsoMachine =>
    machineOf(firmware, options, ['-netdev', 'user,restrict=on,id=n0', '-device', 'virtio-net-pci,netdev=n0'])

export const bootIso = (firmware: Firmware, options: BootOptions = {}): Booted => begin(isoMachine(firmware, options))

export const bootNet = (firmware: Firmware, { bootfile, ...more }: NetOptions): Booted =>
    begin(
        machineOf(firmware, more, [
            ...['-netdev', `user,id=n0,bootfile=${bootfile}`, '-device', 'virtio-net-pci,netdev=n0,bootindex=1'],
        ]),
    )

function begin({ argv, monitor, remove }: IsoMachine): Booted {
    const child: ChildProcess = spawn(argv[0]!, argv.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout!, child.stderr!])
        stream.on('data', chunk => {
            said += chunk
        })
    const over = new Promise<void>(resolve => child.once('close', () => resolve()))
    const poke = pokeNowAndThen(monitor)
    const isOver = () => child.exitCode !== null || child.signalCode !== null
    return {
        async hear(text, deadlineMs) {
            const end = Date.now() + deadlineMs
            for (;;) {
                const found = typeof text === 'string' ? said.includes(text) : text.test(said)
                if (found) {
                    const heard = said
                    said = ''
                    return heard
                }
                if (isOver() || Date.now() > end)
                    throw new Error(
                        `${isOver() ? 'the machine ended' : 'too late'}; wanted ${text}:\n${said.slice(-3000)}`,
                    )
                await pause(200)
            }
        },
        type: keys => void child.stdin!.write(keys),
        monitor: (...commands) => poke.say(...commands),
        async ended(deadlineMs) {
            const late = pause(deadlineMs, undefined, { ref: false }).then(() => {
                throw new Error(`the machine did not end:\n${said.slice(-2000)}`)
            })
            await Promise.race([over, late])
        },
        async stop() {
            poke.end()
            child.kill('SIGKILL')
            await over
            remove()
        },
    }
}
