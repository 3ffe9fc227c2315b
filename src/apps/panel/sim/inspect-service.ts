// The simulated disks, services and journal of the node.
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { ConnectRouter } from '@connectrpc/connect'
import { InspectService } from '../../../gen/proto/capabilities/node/inspect_pb.js'
import { GIB, type World } from './world.ts'

const lines = [
    { source: 'kernel', unit: '', priority: 6, text: 'vnet12: entered promiscuous mode' },
    {
        source: 'libvirtd',
        unit: 'libvirtd.service',
        priority: 4,
        text: "Domain id=12 name='web1' is tainted: host-cpu",
    },
    {
        source: 'sshd',
        unit: 'ssh.service',
        priority: 6,
        text: 'Accepted publickey for ann from 192.0.2.7 port 50122 ssh2',
    },
    {
        source: 'smartd',
        unit: 'smartd.service',
        priority: 2,
        text: 'Device: /dev/sdb, 8 Currently unreadable (pending) sectors',
    },
    { source: 'debvisor-rpcd', unit: 'debvisor-rpcd.service', priority: 6, text: 'a task has ended' },
    { source: 'nfs-mount', unit: 'srv-nas.mount', priority: 3, text: 'mount.nfs: Connection timed out' },
]

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise(resolve => {
        const timer = setTimeout(resolve, ms)
        signal.addEventListener('abort', () => {
            clearTimeout(timer)
            resolve()
        })
    })

export function inspectService(world: World, router: ConnectRouter): void {
    router.service(InspectService, {
        listDisks: () => ({
            disks: [
                {
                    ...{ id: '/dev/disk/by-id/nvme-ACME_SSD_960_A1', path: '/dev/nvme0n1', model: 'ACME SSD 960' },
                    ...{
                        serial: 'A1',
                        sizeBytes: 894n * GIB,
                        transport: 'nvme',
                        system: true,
                        mountpoints: ['/', '/boot/efi'],
                    },
                    ...{
                        signatures: ['gpt'],
                        health: 'ok',
                        temperatureCelsius: 38,
                        powerOnHours: 9120n,
                        wornPercent: 4,
                    },
                },
                {
                    ...{
                        id: '/dev/disk/by-id/ata-ACME_4000_B2',
                        path: '/dev/sdb',
                        model: world.hostile('ACME 4000'),
                        serial: 'B2',
                    },
                    ...{ sizeBytes: 3726n * GIB, transport: 'sata', rotational: true, signatures: ['zfs_member tank'] },
                    ...{
                        health: 'signs',
                        signs: ['8 sectors that cannot be read'],
                        temperatureCelsius: 44,
                        powerOnHours: 41022n,
                    },
                },
                {
                    id: '/dev/disk/by-id/usb-Stick_1',
                    path: '/dev/sdc',
                    model: 'Stick',
                    sizeBytes: 29n * GIB,
                    transport: 'usb',
                    removable: true,
                    health: 'unknown',
                },
            ],
        }),
        listUnits: () => ({
            units: [
                { name: 'ssh.service', description: 'OpenBSD Secure Shell server', active: 'active', sub: 'running' },
                {
                    name: 'libvirtd.service',
                    description: 'libvirt legacy monolithic daemon',
                    active: 'active',
                    sub: 'running',
                },
                {
                    name: 'debvisor-rpcd.service',
                    description: 'DebVisor control plane',
                    active: 'active',
                    sub: 'running',
                },
                {
                    name: 'smartd.service',
                    description: 'Self Monitoring and Reporting Technology daemon',
                    active: 'active',
                    sub: 'running',
                },
                {
                    name: 'rsync.service',
                    description: 'fast remote file copy program daemon',
                    active: 'inactive',
                    sub: 'dead',
                },
                { name: 'nfs-mountd.service', description: 'NFS Mount Daemon', active: 'failed', sub: 'failed' },
            ],
        }),
        async *readJournal(wish, { signal }) {
            const fits = (line: (typeof lines)[number]): boolean =>
                (wish.unit === '' || line.unit === wish.unit) &&
                (wish.priority === undefined || line.priority <= wish.priority) &&
                line.text.toLowerCase().includes(wish.text.toLowerCase())
            const entry = (n: number, ms: number) => {
                const line = lines[n % lines.length]!
                return { ...line, text: world.hostile(line.text), at: timestampFromMs(ms), pid: 400 + (n % 7) }
            }
            const all = Array.from({ length: wish.lines || 200 }, (_, n) => n).filter(n =>
                fits(lines[n % lines.length]!),
            )
            yield { entries: all.map(n => entry(n, Date.now() - (all.length - n) * 20_000)) }
            for (let n = 0; wish.follow && !signal.aborted; n++) {
                await pause(400, signal)
                if (!signal.aborted && fits(lines[n % lines.length]!)) yield { entries: [entry(n, Date.now())] }
            }
        },
    })
}
