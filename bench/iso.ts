// The ISO: its size, how long it took to build, each phase from power-on to a panel that answers, and what a fresh node holds.
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../scripts/stages.ts'
import { VERSION } from '../src/base/version.ts'
import { bootIso, builtIso } from '../tests/iso/world-iso.ts'
import { tool } from '../tests/real/world-cache.ts'
import { bootFromDisks } from '../tests/vm/own-boot.ts'
import { mb, type Result, type Row, times } from './figures.ts'

const MINUTE_MS = 60_000
const DISK = '/dev/disk/by-id/virtio-OS'
const IMAGE = '/run/live/medium/node/node.squashfs'

export async function iso(): Promise<Result> {
    const built = await builtIso()
    const folder = await mkdtemp(join(tmpdir(), 'dv-bench-iso-'))
    const names = ['OS', 'DATA1', 'DATA2', 'DATA3', 'DATA4']
    const disks = names.map(serial => ({ file: join(folder, `${serial}.qcow2`), serial }))
    try {
        for (const { file, serial } of disks)
            await tool(['qemu-img', 'create', '-q', '-f', 'qcow2', file, serial === 'OS' ? '32G' : '12G'])
        const rows = [...(await ofFile(built)), ...(await ofInstallation(disks)), ...(await ofNode(disks))]
        return {
            title: 'iso: from the build to a panel that answers',
            notes: [
                'profile zfs, four disks of 12 GB; BIOS; two emulated CPUs, no KVM: seconds here are not those of a machine',
                'the raw unpacking is to a fresh ext4 on the same disk, just before; the installation is all of it: disks, unpacking, accounts, boot loaders',
            ],
            rows,
        }
    } finally {
        await rm(folder, { recursive: true, force: true })
    }
}

async function ofFile(path: string): Promise<Row[]> {
    const { size } = await stat(path)
    const log = await readFile(join(root, `dist/debvisor-${VERSION}-amd64.build.log`), 'utf8')
    const seconds = Number(/^total +(\d+) s$/m.exec(log)?.[1])
    return [
        { what: 'size', value: mb(size), target: '≤ 2200 MB', met: size <= 2.2e9 },
        {
            what: 'the build, as its log says',
            value: `${seconds} s`,
            target: '≤ 1500 s, warm cache',
            met: seconds <= 1500,
        },
    ]
}

type Disks = readonly { file: string; serial: string }[]

async function ofInstallation(disks: Disks): Promise<Row[]> {
    const rows: Row[] = []
    const began = Date.now()
    const since = () => (Date.now() - began) / 1000
    const machine = bootIso('bios', { disks })
    const run = async (line: string, deadlineMs: number) => {
        machine.type(`${line}; echo "ov""er"\r`)
        return machine.hear(/\nover/, deadlineMs)
    }
    /** What `date` says it took, in the guest. */
    const timed = async (line: string) => {
        const said = await run(
            `t=$(date +%s); { ${line}; } >/dev/null 2>&1; echo took $(($(date +%s) - t))`,
            60 * MINUTE_MS,
        )
        return Number(/took (\d+)/.exec(said)?.[1])
    }
    try {
        await machine.hear('Live system on the serial console', 5 * MINUTE_MS)
        rows.push({ what: 'power-on to the boot menu', value: `${since().toFixed(0)} s` })
        machine.type('s')
        const chosen = since()
        await machine.hear('root@debvisor-live:', 15 * MINUTE_MS)
        rows.push({ what: 'boot menu to a shell of the live system', value: `${(since() - chosen).toFixed(0)} s` })
        await run(`mkfs.ext4 -q -F ${DISK} && mount ${DISK} /mnt`, 5 * MINUTE_MS)
        const raw = await timed(`unsquashfs -force -quiet -no-progress -dest /mnt ${IMAGE}; sync`)
        await run(
            `umount /mnt; wipefs --all --quiet ${DISK}; cat >/root/answers.yaml <<'END'\r${await answers()}END`,
            MINUTE_MS,
        )
        const ours = await timed('debvisor install --answers /root/answers.yaml --yes; sync')
        rows.push({
            ...{ what: 'the installation', value: `${ours} s`, peer: `unsquashfs ${raw} s` },
            ...{ ratio: times(ours / raw), target: `≤ ${times(2)}`, met: ours / raw <= 2 },
        })
        machine.type('poweroff\r')
        await machine.ended(5 * MINUTE_MS)
    } finally {
        await machine.stop()
    }
    return rows
}

async function answers(): Promise<string> {
    const hash = (await tool(['openssl', 'passwd', '-6', 'glacier tulip marzipan'])).trim()
    return [
        'profile: zfs',
        'install:',
        '  machine: any',
        '  disks: [{ id: OS }]',
        `  passwords: { root: '${hash}' }`,
        '',
    ].join('\r')
}

async function ofNode(disks: Disks): Promise<Row[]> {
    const began = Date.now()
    const how = { disks, keep: true, memoryMib: 4096, bootMs: 60 * MINUTE_MS }
    // Until all that the boot starts is started: the first boot is part of it.
    const node = await bootFromDisks({ firmware: 'bios', ...how })
    try {
        const seconds = (Date.now() - began) / 1000
        const first = await node.must(
            'systemctl show --property=ExecMainStartTimestampMonotonic,ExecMainExitTimestampMonotonic --value debvisor-firstboot',
        )
        const [from = 0, to = 0] = first.trim().split('\n').map(Number)
        await node.must(
            'curl --silent --insecure --fail --retry 60 --retry-all-errors https://127.0.0.1:8443/ >/dev/null',
            10 * MINUTE_MS,
        )
        await node.must('sleep 120', 5 * MINUTE_MS)
        const own = await node.must(
            'for p in $(pgrep -f "/usr/lib/debvisor/|[e]tcd --"); do grep ^Pss: /proc/$p/smaps_rollup; done | awk \'{ n += $2 } END { print n * 1024 }\'',
        )
        const used = Number(await node.must("free --bytes | awk '/^Mem:/ { print $3 }'"))
        return [
            { what: 'power-on to the end of the first boot', value: `${seconds.toFixed(0)} s` },
            { what: 'of that, the first boot itself', value: `${((to - from) / 1e6).toFixed(0)} s` },
            { what: 'our processes and etcd', value: mb(Number(own)), target: '≤ 250 MB', met: Number(own) <= 250e6 },
            { what: 'the whole system', value: mb(used), target: '≤ 900 MB', met: used <= 900e6 },
        ]
    } finally {
        await node.stop()
    }
}
