// A machine that boots what stands on its disks, by BIOS or by UEFI as a real one does; looked into by the guest agent.
import { type ChildProcess, spawn } from 'node:child_process'
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { tool } from '../real/world-cache.ts'
import { ask, type Ran } from './node-vm.ts'

export interface OwnBoot {
    /** A line of the guest's shell, as root, that must end with 0; answers what it printed. */
    must(line: string, deadlineMs?: number): Promise<string>
    sh(line: string, deadlineMs?: number): Promise<Ran>
    /** What was said on the serial port. */
    console(): Promise<string>
    /** At once. What it wrote is thrown away: the disks are as they were before. */
    stop(): Promise<void>
}

export interface OwnBootOptions {
    firmware: 'bios' | 'uefi'
    /** Of images in qcow2, each with its serial number. */
    disks: readonly { file: string; serial: string }[]
    bootMs?: number
}

/** Until all that the boot starts is started. */
export async function bootFromDisks({ firmware, disks, bootMs = 900_000 }: OwnBootOptions): Promise<OwnBoot> {
    const folder = await mkdtemp(join(tmpdir(), 'debvisor-own-'))
    const path = (name: string) => join(folder, name)
    for (const { file, serial } of disks)
        await tool(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', file, '-F', 'qcow2', path(serial)])
    const argv = [
        ...['-name', 'debvisor-own', '-machine', 'q35', '-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'max'],
        ...['-smp', '2', '-m', '2048', '-nodefaults', '-display', 'none', '-vga', 'std', '-no-reboot'],
        ...disks.flatMap(({ serial }, i) => [
            ...['-drive', `if=none,id=disk${i},file=${path(serial)},cache=unsafe`],
            ...['-device', `virtio-blk-pci,drive=disk${i},serial=${serial},bootindex=${i + 1}`],
        ]),
        ...['-netdev', 'user,restrict=on,id=n0', '-device', 'virtio-net-pci,netdev=n0', '-device', 'virtio-rng-pci'],
        ...['-device', 'virtio-serial-pci', '-chardev', `socket,path=${path('agent')},server=on,wait=off,id=agent`],
        ...['-device', 'virtserialport,chardev=agent,name=org.qemu.guest_agent.0'],
        ...['-chardev', `file,id=console,path=${path('console')},append=on`, '-serial', 'chardev:console'],
    ]
    if (firmware === 'uefi') {
        await copyFile('/usr/share/OVMF/OVMF_VARS_4M.fd', path('vars.fd'))
        argv.push('-drive', 'if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd')
        argv.push('-drive', `if=pflash,format=raw,file=${path('vars.fd')}`)
    }
    const qemu: ChildProcess = spawn('qemu-system-x86_64', argv, { stdio: ['ignore', 'ignore', 'pipe'] })
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
        async stop() {
            qemu.kill('SIGKILL')
            await over
            await rm(folder, { recursive: true, force: true })
        },
    }
    const end = Date.now() + bootMs
    for (;;) {
        const ran = await sh('systemctl is-system-running --wait', 60_000).catch(() => undefined)
        if (ran && /^(running|degraded)/.test(ran.out)) return machine
        if (qemu.exitCode !== null || Date.now() > end) {
            const said = (await console()).slice(-3000)
            await machine.stop()
            throw new Error(`it did not boot by ${firmware}: ${trouble}\n${said}`)
        }
        await pause(1000)
    }
}
