// One node with both storages: two disks in a pool of ZFS, two in Ceph, as the document says which goes where.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { cephNodeImage } from './node-image.ts'
import { type NodeVm, startNode } from './node-vm.ts'

const MINUTE_MS = 60_000
const DOCUMENT = '/etc/debvisor/node.yaml'
const disk = (n: number) => `/dev/disk/by-id/virtio-DATA${n}`
let vm: NodeVm

beforeAll(async () => {
    vm = await startNode({ disks: 4, diskSize: '12G', memoryMib: 4096, image: await cephNodeImage() })
}, 60 * MINUTE_MS)
afterAll(() => vm?.stop())

const debvisor = (words: string, deadlineMs = 5 * MINUTE_MS) => vm.sh(`debvisor ${words}`, deadlineMs)
const verified = async () => {
    const ran = await debvisor('node verify')
    expect(ran.out + ran.err).toContain('The machine is what its document says.')
}

it(
    'wants to be told which disk goes where, and says so',
    async () => {
        await vm.must('debvisor node init --profile mixed --write')
        const { code, err } = await debvisor('node plan')
        expect(code).toBe(1)
        expect(err).toContain('With the profile mixed, the document says which disk goes where')
    },
    5 * MINUTE_MS,
)

it(
    'plans, applies, and is what it says; a second time changes nothing',
    async () => {
        const fsid = '6f1c1a52-6d25-4c5e-9a8a-3a9d5d0a7a11'
        await vm.put(
            DOCUMENT,
            `profile: mixed\nstorage:\n  zfs: { disks: [${disk(1)}, ${disk(2)}] }\n` +
                `  ceph: { fsid: ${fsid}, disks: [${disk(3)}, ${disk(4)}] }\n`,
        )
        const { out } = await debvisor('node plan')
        expect(out).toMatch(/Make the pool tank, mirror of \S+DATA1 .*DATA2/)
        for (const n of [3, 4]) expect(out).toMatch(new RegExp(`Make an OSD of \\S+DATA${n} `))
        const first = await debvisor('node apply --yes', 30 * MINUTE_MS)
        expect(first.out + first.err).toMatch(/Done: \d+ steps\. The machine is what its document says\./)
        await verified()
        expect((await debvisor('node apply --yes')).out).toContain('Nothing to do')
    },
    45 * MINUTE_MS,
)

/** A VM of nothing, whose disk is that one. */
const domain = (name: string, driver: string, type: string, source: string) =>
    `<domain type="qemu"><name>${name}</name><memory unit="MiB">64</memory><os><type arch="x86_64">hvm</type></os>` +
    `<devices><disk type="${type}" device="disk"><driver name="qemu" type="${driver}"/>${source}` +
    `<target dev="vda" bus="virtio"/></disk></devices></domain>`

const startsOnBoth = async () => {
    await vm.must('virsh start onzfs && virsh start onceph', 5 * MINUTE_MS)
    expect(await vm.must('virsh list --name --state-running | sort | xargs')).toBe('onceph onzfs\n')
    await vm.must('virsh destroy onzfs && virsh destroy onceph')
}

it(
    'holds VMs on both, and is so after a reboot as well',
    async () => {
        expect(await vm.must('zpool list -Ho name,health; ceph osd ls | wc -l')).toBe('tank\tONLINE\n2\n')
        await vm.must('virsh vol-create-as default disk0 64M --format qcow2 && virsh vol-create-as vm-pool disk0 64M')
        const pool = await vm.must('virsh pool-dumpxml vm-pool')
        const host = /<host name='([^']+)'/.exec(pool)?.[1]
        const secret = /<secret uuid='([^']+)'/.exec(pool)?.[1]
        const auth = `<auth username="libvirt"><secret type="ceph" uuid="${secret}"/></auth>`
        const rbd = `<source protocol="rbd" name="vm-pool/disk0"><host name="${host}"/>${auth}</source>`
        await vm.put('/root/zfs.xml', domain('onzfs', 'qcow2', 'file', '<source file="/srv/vm/disk0"/>'))
        await vm.put('/root/ceph.xml', domain('onceph', 'raw', 'network', rbd))
        await vm.must('virsh define /root/zfs.xml && virsh define /root/ceph.xml')
        await startsOnBoth()
        await vm.reboot()
        await vm.must('until findmnt -no FSTYPE /srv/cephfs; do sleep 1; done', 8 * MINUTE_MS)
        await verified()
        await startsOnBoth()
    },
    45 * MINUTE_MS,
)
