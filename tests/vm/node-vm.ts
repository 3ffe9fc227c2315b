// A node in QEMU: booted, cut from its power, booted again; commands run in it by the guest agent, so no network is needed.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createConnection, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { tool } from '../real/world-cache.ts'
import { type LossyDisk, lossyDisk } from './lossy-disk.ts'
import { type NodeImage, nodeImage } from './node-image.ts'
import { monitorAt, pokeNowAndThen } from './poke.ts'

export interface Ran {
    code: number
    out: string
    err: string
}

export interface NodeVm {
    /** A line of the guest's shell, as root. */
    sh(line: string, deadlineMs?: number): Promise<Ran>
    /** The same, when it must end with 0; answers what it printed. */
    must(line: string, deadlineMs?: number): Promise<string>
    put(path: string, text: string): Promise<void>
    /** Until all that the boot starts is started. */
    boot(deadlineMs?: number): Promise<void>
    /** At once, whatever it is doing. Disks keep what was written; with `survives` what was flushed, and some of the rest. */
    cut(): Promise<void>
    /** By its own reboot. */
    reboot(deadlineMs?: number): Promise<void>
    stop(): Promise<void>
    /** Until it has turned itself off. */
    off(deadlineMs: number): Promise<void>
    console(): Promise<string>
    /** The file of the disk DATA1, DATA2, …; only while the node is cut from its power. */
    disk(number: number): string
}

/** Beside other work on the same machine. */
const BOOT_MS = 900_000

export interface NodeVmOptions {
    disks: number
    /** Of each; only what is written takes room. */
    diskSize?: string
    memoryMib?: number
    image?: NodeImage
    /** What each NIC is connected to, as `-netdev` takes it without an id; one without a way out unless told. */
    nics?: readonly string[]
    /**
     * Disks lose in a power cut what was not flushed. Of each such write it is asked whether it came through all the
     * same, as a disk with a cache may write in any order.
     */
    survives?: () => boolean
    /** More words for the kernel. */
    kernelWords?: string
    /** Files of this machine, on a medium that the image mounts. */
    files?: readonly string[]
    /** Its label. */
    label?: string
}

/** A booted node with blank disks named DATA1, DATA2, … */
export async function startNode(options: NodeVmOptions): Promise<NodeVm> {
    const {
        disks,
        diskSize = '2G',
        memoryMib = 2048,
        nics = ['user,restrict=on'],
        files = [],
        label = 'BESIDE',
        kernelWords = '',
    } = options
    const image = options.image ?? (await nodeImage())
    const folder = await mkdtemp(join(tmpdir(), 'debvisor-node-'))
    const path = (name: string) => join(folder, name)
    await mkdir(path('beside'))
    for (const file of files) await tool(['cp', '--', file, path('beside')], { deadlineMs: 300_000 })
    const medium = ['-volid', label, '-r', '-J', '-quiet', '-o', path('beside.iso'), path('beside')]
    await tool(['xorriso', '-as', 'mkisofs', ...medium], { deadlineMs: 300_000 })
    await tool(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', image.disk, '-F', 'qcow2', path('os.qcow2')])
    for (let i = 1; i <= disks; i++)
        await tool(['qemu-img', 'create', '-q', '-f', 'qcow2', path(`d${i}.qcow2`), diskSize])

    let qemu: ChildProcess | undefined
    let over: Promise<void> = Promise.resolve()
    let trouble = ''
    const device = (serial: string) => ['-device', `virtio-blk-pci,drive=${serial},serial=${serial}`]
    const drive = (file: string, serial: string, more = '') => [
        ...['-drive', `if=none,id=${serial},file=${file},cache=writeback${more}`],
        ...device(serial),
    ]
    const names = ['os', ...Array.from({ length: disks }, (_, i) => `d${i + 1}`)]
    const lossy = new Map<string, LossyDisk>()
    if (options.survives) {
        for (const name of names) {
            const raw = path(`${name}.raw`)
            await tool(['qemu-img', 'convert', '-O', 'raw', path(`${name}.qcow2`), raw], { deadlineMs: 300_000 })
            lossy.set(name, lossyDisk(raw))
        }
    }
    const disk = (name: string, serial: string) => {
        const losing = lossy.get(name)
        return losing ? [...losing.argv(serial), ...device(serial)] : drive(path(`${name}.qcow2`), serial)
    }
    const begin = async () => {
        for (const one of lossy.values()) await one.begin()
        const argv = [
            ...['-name', 'debvisor-node', '-machine', 'q35', '-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'max'],
            ...['-smp', '2', '-m', String(memoryMib), '-nodefaults', '-display', 'none', '-no-reboot'],
            ...['-kernel', image.kernel, '-initrd', image.initrd],
            ...['-append', `root=/dev/vda rw console=ttyS0 quiet mitigations=off audit=0 ${kernelWords}`],
            ...disk('os', 'OS'),
            ...drive(path('beside.iso'), label, ',format=raw,readonly=on'),
            ...Array.from({ length: disks }, (_, i) => disk(`d${i + 1}`, `DATA${i + 1}`)).flat(),
            ...nics.flatMap((to, i) => [
                ...['-netdev', to.replace(/^[^,]+/, kind => `${kind},id=n${i}`)],
                ...['-device', `virtio-net-pci,netdev=n${i},mac=52:54:00:12:34:${56 + i}`],
            ]),
            ...['-device', 'virtio-rng-pci'],
            ...['-device', 'virtio-serial-pci', '-chardev', `socket,path=${path('agent')},server=on,wait=off,id=agent`],
            ...['-device', 'virtserialport,chardev=agent,name=org.qemu.guest_agent.0'],
            ...['-chardev', `file,id=console,path=${path('console')},append=on`, '-serial', 'chardev:console'],
            ...monitorAt(path('monitor')),
        ]
        const child = spawn('qemu-system-x86_64', argv, { stdio: ['ignore', 'ignore', 'pipe'] })
        trouble = ''
        child.stderr!.on('data', chunk => {
            trouble += chunk
        })
        qemu = child
        const poke = pokeNowAndThen(path('monitor'))
        over = new Promise(resolve =>
            child.once('close', () => {
                poke.end()
                resolve()
            }),
        )
    }
    const console = () => readFile(path('console'), 'utf8').catch(() => '')
    const alive = () => qemu?.exitCode === null && qemu.signalCode === null

    async function boot(deadlineMs = BOOT_MS) {
        await begin()
        const end = Date.now() + deadlineMs
        for (;;) {
            if (!alive()) throw new Error(`QEMU ended: ${trouble}\n${(await console()).slice(-2000)}`)
            const ran = await ask(path('agent'), 'systemctl is-system-running --wait', 60_000).catch(() => undefined)
            if (ran && /^(running|degraded)/.test(ran.out)) return
            if (Date.now() > end) throw new Error(`the node did not boot:\n${(await console()).slice(-3000)}`)
            await pause(1000)
        }
    }
    const sh = (line: string, deadlineMs = 120_000) => ask(path('agent'), line, deadlineMs)
    const end = async () => {
        qemu?.kill('SIGKILL')
        await over
    }
    const cut = async () => {
        await end()
        for (const one of lossy.values()) await one.lose(options.survives!)
    }
    const vm: NodeVm = {
        ...{ sh, boot, cut, console, disk: number => path(`d${number}.qcow2`) },
        async must(line, deadlineMs) {
            const { code, out, err } = await sh(line, deadlineMs)
            if (code !== 0) throw new Error(`'${line}' ended with ${code}:\n${out}\n${err}`)
            return out
        },
        async put(at, text) {
            await vm.must(`mkdir -p "$(dirname '${at}')" && printf %s '${text.replaceAll("'", "'\\''")}' > '${at}'`)
        },
        async reboot(deadlineMs) {
            await sh('systemctl reboot', 5000).catch(() => undefined)
            await over
            await boot(deadlineMs)
        },
        async off(deadlineMs) {
            const late = pause(deadlineMs, undefined, { ref: false }).then(async () => {
                throw new Error(`the node did not turn itself off:\n${(await console()).slice(-3000)}`)
            })
            await Promise.race([over, late])
        },
        async stop() {
            await end()
            await rm(folder, { recursive: true, force: true })
        },
    }
    try {
        await boot()
        return vm
    } catch (thrown) {
        await vm.stop()
        throw thrown
    }
}

interface Answer {
    return?: { pid?: number; exited?: boolean; exitcode?: number; 'out-data'?: string; 'err-data'?: string }
    error?: { desc: string }
}

/** Runs a line by the guest agent; rejects when the agent does not answer within the deadline. */
export async function ask(socketPath: string, line: string, deadlineMs: number): Promise<Ran> {
    const socket = createConnection(socketPath)
    const end = Date.now() + deadlineMs
    try {
        const call = caller(socket, end)
        // What an earlier connection left half said, or was answered too late, comes before the answer to this.
        const id = Date.now() % 1_000_000_000
        await call({ execute: 'guest-sync', arguments: { id } }, answer => Number(answer.return) === id)
        const run = { path: '/bin/sh', arg: ['-c', line], 'capture-output': true }
        const { pid } = (await call({ execute: 'guest-exec', arguments: run })).return!
        for (;;) {
            const { return: told } = await call({ execute: 'guest-exec-status', arguments: { pid } })
            const text = (data?: string) => Buffer.from(data ?? '', 'base64').toString()
            if (told?.exited) {
                return { code: told.exitcode ?? -1, out: text(told['out-data']), err: text(told['err-data']) }
            }
            if (Date.now() > end) throw new Error(`'${line}' did not end within ${deadlineMs} ms`)
            await pause(200)
        }
    } finally {
        socket.destroy()
    }
}

function caller(socket: Socket, endMs: number) {
    let buffer = ''
    let heard: (answer: Answer) => void = () => {}
    let failed: (trouble: Error) => void = () => {}
    socket.on('error', trouble => failed(trouble))
    socket.on('close', () => failed(new Error('the agent went away')))
    socket.on('data', chunk => {
        buffer += chunk
        for (let at = buffer.indexOf('\n'); at >= 0; at = buffer.indexOf('\n')) {
            const line = buffer.slice(0, at).replaceAll('\u00ff', '').trim()
            buffer = buffer.slice(at + 1)
            if (line) heard(JSON.parse(line) as Answer)
        }
    })
    return (request: object, isMine: (answer: Answer) => boolean = () => true): Promise<Answer> =>
        new Promise((resolve, reject) => {
            const late = setTimeout(
                () => reject(new Error('the agent does not answer')),
                Math.max(100, Math.min(30_000, endMs - Date.now())),
            )
            heard = answer => {
                if (!isMine(answer)) return
                clearTimeout(late)
                if (answer.error) reject(new Error(answer.error.desc))
                else resolve(answer)
            }
            failed = trouble => {
                clearTimeout(late)
                reject(trouble)
            }
            socket.write(`${JSON.stringify(request)}\n`)
        })
}
