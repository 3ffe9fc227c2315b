// A machine that boots what stands on its disks, by BIOS or by UEFI as a real one does; looked into by the guest agent.
import { type ChildProcess, spawn } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { root } from '../../scripts/stages.ts'
import { tool } from '../real/world-cache.ts'
import { ask, type Ran } from './node-vm.ts'
import { monitorAt, picture, pokeNowAndThen } from './poke.ts'

export interface OwnBoot {
    /** A line of the guest's shell, as root, that must end with 0; answers what it printed. */
    must(line: string, deadlineMs?: number): Promise<string>
    sh(line: string, deadlineMs?: number): Promise<Ran>
    /** What was said on the serial port. */
    console(): Promise<string>
    /** Keeps what is on its screen now in test-output, to be looked at. */
    keep(name: string): Promise<void>
    /** By its own reboot, until all that the boot starts is started. */
    reboot(): Promise<void>
    /** At once. What it wrote is thrown away unless it was to be kept. */
    stop(): Promise<void>
}

export interface OwnBootOptions {
    firmware: 'bios' | 'uefi'
    /** Of images in qcow2, each with its serial number. */
    disks: readonly { file: string; serial: string }[]
    /** What it writes stays on the disks. */
    keep?: boolean
    memoryMib?: number
    bootMs?: number
}

/** Until all that the boot starts is started. */
export async function bootFromDisks(options: OwnBootOptions): Promise<OwnBoot> {
    const { firmware, disks, keep = false, memoryMib = 2048, bootMs = 900_000 } = options
    const folder = await mkdtemp(join(tmpdir(), 'debvisor-own-'))
    const path = (name: string) => join(folder, name)
    for (const { file, serial } of keep ? [] : disks)
        await tool(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', file, '-F', 'qcow2', path(serial)])
    const argv = [
        ...['-name', 'debvisor-own', '-machine', 'q35', '-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'max'],
        ...['-smp', '2', '-m', String(memoryMib), '-nodefaults', '-display', 'none', '-vga', 'std'],
        ...disks.flatMap(({ file, serial }, i) => [
            ...['-drive', `if=none,id=disk${i},file=${keep ? file : path(serial)},cache=unsafe`],
            ...['-device', `virtio-blk-pci,drive=disk${i},serial=${serial},bootindex=${i + 1}`],
        ]),
        ...['-netdev', 'user,restrict=on,id=n0', '-device', 'virtio-net-pci,netdev=n0', '-device', 'virtio-rng-pci'],
        ...['-device', 'virtio-serial-pci', '-chardev', `socket,path=${path('agent')},server=on,wait=off,id=agent`],
        ...['-device', 'virtserialport,chardev=agent,name=org.qemu.guest_agent.0'],
        ...['-chardev', `file,id=console,path=${path('console')},append=on`, '-serial', 'chardev:console'],
    ]
    argv.push(...monitorAt(path('monitor')))
    if (firmware === 'uefi') {
        await copyFile('/usr/share/OVMF/OVMF_VARS_4M.fd', path('vars.fd'))
        argv.push('-drive', 'if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd')
        argv.push('-drive', `if=pflash,format=raw,file=${path('vars.fd')}`)
    }
    const qemu: ChildProcess = spawn('qemu-system-x86_64', argv, { stdio: ['ignore', 'ignore', 'pipe'] })
    const poke = pokeNowAndThen(path('monitor'))
    let trouble = ''
    qemu.stderr!.on('data', chunk => {
        trouble += chunk
    })
    const over = new Promise<void>(resolve => qemu.once('close', () => resolve()))
    const console = () => readFile(path('console'), 'utf8').catch(() => '')
    const sh = (line: string, deadlineMs = 120_000) => ask(path('agent'), line, deadlineMs)
    const machine: OwnBoot = {
        ...{ sh, console },
        async must(line, deadlineMs) {
            const { code, out, err } = await sh(line, deadlineMs)
            if (code !== 0) throw new Error(`'${line}' ended with ${code}:\n${out}\n${err}`)
            return out
        },
        async keep(name) {
            const to = join(root, 'test-output/screens')
            await mkdir(to, { recursive: true })
            await picture(poke, join(to, `${name}.png`))
        },
        async reboot() {
            const bootId = 'cat /proc/sys/kernel/random/boot_id'
            const before = await machine.must(bootId)
            await sh('systemctl reboot', 5000).catch(() => undefined)
            await booted(async () => (await sh(bootId, 30_000)).out !== before)
        },
        async stop() {
            poke.end()
            qemu.kill('SIGKILL')
            await over
            await rm(folder, { recursive: true, force: true })
        },
    }
    async function booted(isNew: () => Promise<boolean>) {
        const end = Date.now() + bootMs
        for (;;) {
            const ran = await isNew()
                .then(known => (known ? sh('systemctl is-system-running --wait', 60_000) : undefined))
                .catch(() => undefined)
            if (ran && /^(running|degraded)/.test(ran.out)) return
            if (qemu.exitCode !== null || Date.now() > end) {
                const said = (await console()).slice(-3000)
                throw new Error(`it did not boot by ${firmware}: ${trouble}\n${said}`)
            }
            await pause(1000)
        }
    }
    try {
        await booted(async () => true)
        return machine
    } catch (thrown) {
        await machine.stop()
        throw thrown
    }
}
