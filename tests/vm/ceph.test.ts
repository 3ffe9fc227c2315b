// A bare Debian 13 becomes a node with the profile ceph: planned, applied, proved; disks of VMs, CephFS, a reboot, a refusal.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cephNodeImage } from './node-image.ts'
import { type NodeVm, startNode } from './node-vm.ts'

const MINUTE_MS = 60_000
const DOCUMENT = '/etc/debvisor/node.yaml'
const HELD = '/dev/disk/by-id/virtio-DATA4'
const DISK0 = 'rbd:vm-pool/disk0:id=libvirt:keyring=/etc/ceph/ceph.client.libvirt.keyring'
/** What was written is there. */
const READ = `qemu-img convert -f raw -O raw ${DISK0} /tmp/out && cmp --bytes=1M /root/in /tmp/out`
let vm: NodeVm

beforeAll(async () => {
    vm = await startNode({ disks: 4, diskSize: '12G', memoryMib: 4096, image: await cephNodeImage() })
    // The fourth disk holds a file of somebody.
    await vm.must(`mkfs.ext4 -q ${HELD} && mount ${HELD} /mnt && echo precious > /mnt/file && umount /mnt`)
}, 60 * MINUTE_MS)
afterAll(() => vm?.stop())

const debvisor = (words: string, deadlineMs = 5 * MINUTE_MS) => vm.sh(`debvisor ${words}`, deadlineMs)
const verified = async () => {
    const ran = await debvisor('node verify')
    expect(ran.out + ran.err).toContain('The machine is what its document says.')
    expect(ran.code).toBe(0)
}
const held = () => vm.must(`mount -o ro,noload ${HELD} /mnt && cat /mnt/file; umount /mnt`)
const healthy = () =>
    vm.must(
        'for i in $(seq 120); do ceph health | grep -q HEALTH_OK && break; sleep 2; done; ceph health detail',
        6 * MINUTE_MS,
    )

describe('a node on Ceph by its document', () => {
    it(
        'plans: one knows of every disk what will happen to it, and what comes later',
        async () => {
            await vm.must('debvisor node init --profile ceph --write')
            await vm.must(`sed -i 's/^  hostname: .*/  hostname: node1/' ${DOCUMENT}`)
            expect(await vm.must(`cat ${DOCUMENT}`)).toMatch(/^ {4}fsid: [0-9a-f-]{36}$/m)
            const { out, code } = await debvisor('node plan')
            expect(code).toBe(0)
            for (const disk of ['DATA1', 'DATA2', 'DATA3']) {
                expect(out).toMatch(new RegExp(`Make an OSD of \\S+${disk} \\(12 GiB, blank\\)`))
            }
            expect(out).toMatch(/left alone, because something is on it: \S+DATA4 \(12 GiB, holds ext4\)/)
            expect(out).toContain('… later: Pools, CephFS and their keys are planned when the monitors agree (quorum)')
            expect(out).not.toContain('DATA WILL BE DESTROYED')
        },
        5 * MINUTE_MS,
    )

    it(
        'applies it, and is what it says; a second time changes nothing',
        async () => {
            const first = await debvisor('node apply --yes', 25 * MINUTE_MS)
            expect(first.out + first.err).toMatch(/Done: \d+ steps\. The machine is what its document says\./)
            await verified()
            expect((await debvisor('node apply --yes')).out).toContain('Nothing to do')
            expect(await healthy()).toMatch(/^HEALTH_OK/)
            expect(await held()).toBe('precious\n')
        },
        40 * MINUTE_MS,
    )

    it(
        'keeps keys with no more rights than they need, and out of everything that is written down',
        async () => {
            expect(await vm.must('ceph auth get client.libvirt')).toContain('profile rbd pool=vm-pool')
            expect(await vm.must('stat -c %a /etc/ceph/ceph.client.*.keyring | sort -u')).toBe('600\n640\n')
            // Not in the line of the shell itself: the guest's agent notes these in the journal.
            const found = await vm.sh(
                'key=$(ceph auth print-key client.libvirt); echo "$key" | grep -q "==$" || echo no key; ' +
                    'grep -rlF "$key" /var/lib/debvisor /etc/debvisor /var/log; journalctl | grep -cF "$key"',
            )
            expect(found.out).toBe('0\n')
        },
        5 * MINUTE_MS,
    )

    it(
        'holds disks of VMs, through the storage pool of libvirt and with its key alone',
        async () => {
            await vm.must('virsh vol-create-as vm-pool disk0 64M')
            expect(await vm.must('rbd ls vm-pool')).toBe('disk0\n')
            await vm.must(`head -c 1M /dev/urandom > /root/in && qemu-img convert -n -f raw -O raw /root/in ${DISK0}`)
            expect(await vm.must(`${READ} && echo same`)).toBe('same\n')
            expect(await vm.must('virsh pool-info vm-pool')).toMatch(/State: +running[\s\S]*Autostart: +yes/)
        },
        10 * MINUTE_MS,
    )

    it(
        'starts a VM from its storage',
        async () => {
            // As DebVisor writes it: libvirt refuses pools of RBD as type 'volume'.
            const pool = await vm.must('virsh pool-dumpxml vm-pool')
            const host = /<host name='([^']+)'/.exec(pool)?.[1]
            const secret = /<secret uuid='([^']+)'/.exec(pool)?.[1]
            const source = `<source protocol="rbd" name="vm-pool/disk0"><host name="${host}"/><auth username="libvirt"><secret type="ceph" uuid="${secret}"/></auth></source>`
            const xml = `<domain type="qemu"><name>tiny</name><memory unit="MiB">64</memory><os><type arch="x86_64">hvm</type></os><devices><disk type="network" device="disk"><driver name="qemu" type="raw"/>${source}<target dev="vda" bus="virtio"/></disk></devices></domain>`
            await vm.put('/tmp/tiny.xml', xml)
            await vm.must('virsh define /tmp/tiny.xml && virsh start tiny', 5 * MINUTE_MS)
            expect(await vm.must('virsh domstate tiny')).toContain('running')
            await vm.must('virsh destroy tiny && virsh undefine tiny')
        },
        8 * MINUTE_MS,
    )

    it(
        'says its health to the journal',
        async () => {
            await vm.must('systemctl start ceph-health.service')
            expect(await vm.must('journalctl -u ceph-health -o cat -p 6..6')).toContain('HEALTH_OK')
            expect(await vm.must('systemctl is-active ceph-health.timer')).toBe('active\n')
        },
        5 * MINUTE_MS,
    )

    it(
        'is so after a reboot as well, and CephFS is mounted',
        async () => {
            await vm.must('echo here > /srv/cephfs/file')
            await vm.reboot()
            await vm.must('until findmnt -no FSTYPE /srv/cephfs; do sleep 1; done', 8 * MINUTE_MS)
            expect(await vm.must('findmnt -no FSTYPE /srv/cephfs; cat /srv/cephfs/file')).toBe('ceph\nhere\n')
            expect(await vm.must(`${READ} && echo same`)).toBe('same\n')
            await verified()
            expect(await healthy()).toMatch(/^HEALTH_OK/)
        },
        25 * MINUTE_MS,
    )

    it(
        'says what was broken by hand, and mends it; what no step can mend is a finding',
        async () => {
            await vm.must(
                'systemctl stop ceph-mds@node1 ceph-osd@0; umount /srv/cephfs; rm /etc/ceph/ceph.client.cephfs.keyring',
            )
            const { code, out } = await debvisor('node verify')
            expect(code).toBe(2)
            expect(out).toMatch(/Start the OSD osd\.0/)
            expect(out).toMatch(/Start the metadata server/)
            expect(out).toMatch(/Write the key of client\.cephfs/)
            expect(out).toMatch(/Start the mount of CephFS/)
            const mended = await debvisor('node apply --yes', 15 * MINUTE_MS)
            expect(mended.out + mended.err).toContain('The machine is what its document says.')
            await vm.must('ceph osd out 2')
            await vm.must('until ceph osd dump | grep -q "osd.2 .* out"; do sleep 1; done')
            expect((await debvisor('node verify')).code).toBe(0)
            await vm.must('ceph osd in 2')
        },
        25 * MINUTE_MS,
    )

    it(
        'takes a disk that holds something only by a consent that names it',
        async () => {
            await vm.must(`cp ${DOCUMENT} /tmp/second.yaml`)
            await vm.must(`sed -i 's|^    fsid: \\(.*\\)|    fsid: \\1\\n    disks: [${HELD}]|' /tmp/second.yaml`)
            const refused = await debvisor('node apply /tmp/second.yaml --yes')
            expect(refused.code).toBe(3)
            expect(refused.err).toContain(`--destroy disk:${HELD}`)
            expect(await held()).toBe('precious\n')
            const done = await debvisor(`node apply /tmp/second.yaml --yes --destroy disk:${HELD}`, 15 * MINUTE_MS)
            expect(done.out + done.err).toContain('The machine is what its document says.')
            expect(await vm.must('ceph osd ls | wc -l')).toBe('4\n')
        },
        25 * MINUTE_MS,
    )
})
