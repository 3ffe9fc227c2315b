// A Debian 13 with the package becomes a node with the profile zfs: read, applied, proved, broken, mended, cut from the power.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type NodeVm, startNode } from './node-vm.ts'

const MINUTE_MS = 60_000
const DOCUMENT = '/etc/debvisor/node.yaml'
const HELD = '/dev/disk/by-id/virtio-DATA3'
let vm: NodeVm

beforeAll(async () => {
    vm = await startNode({ disks: 3 })
    // The third disk holds a file of somebody.
    await vm.must(`mkfs.ext4 -q ${HELD} && mount ${HELD} /mnt && echo precious > /mnt/file && umount /mnt`)
}, 40 * MINUTE_MS)
afterAll(() => vm?.stop())

const debvisor = (words: string, deadlineMs = 5 * MINUTE_MS) => vm.sh(`debvisor ${words}`, deadlineMs)
const verified = async () => {
    const ran = await debvisor('node verify')
    expect(ran.out + ran.err).toContain('The machine is what its document says.')
    expect(ran.code).toBe(0)
}
const held = () => vm.must(`mount -o ro,noload ${HELD} /mnt && cat /mnt/file; umount /mnt`)

describe('a node by its document', () => {
    it(
        'lists its disks by names that stay',
        async () => {
            const { out } = await debvisor('node disks')
            expect(out).toMatch(/\/dev\/vda +\/dev\/vda +system|virtio-OS +\/dev\/vda +system/)
            expect(out).toMatch(/virtio-DATA1 .*2\.0 GiB, blank/)
            expect(out).toMatch(/virtio-DATA3 .*2\.0 GiB, holds ext4/)
            const facts = JSON.parse(await vm.must('debvisor node facts --json'))
            expect(facts).toMatchObject({ osVersion: '13', cpus: 2, cards: [{ carrier: true }] })
            expect(facts.disks.map((disk: { id: string }) => disk.id)).toContain(HELD)
        },
        5 * MINUTE_MS,
    )

    it(
        'writes a document for itself, which is edited, and whose mistakes are told',
        async () => {
            await vm.must('debvisor node init --profile zfs --write')
            await vm.must(`sed -i 's/^  hostname: .*/  hostname: node1/' ${DOCUMENT}`)
            await vm.must(`sed 's/^  hostname:/  hostnam:/' ${DOCUMENT} > /tmp/wrong.yaml`)
            const wrong = await debvisor('node plan --file /tmp/wrong.yaml')
            expect(wrong.code).toBe(1)
            expect(wrong.err).toMatch(/node\.hostnam.*no such key[\s\S]*Did you mean hostname\?/)
        },
        5 * MINUTE_MS,
    )

    it(
        'plans: one knows of every disk what will happen to it',
        async () => {
            const { out, code } = await debvisor('node plan')
            expect(code).toBe(0)
            expect(out).toContain('Call this machine node1')
            expect(out).toMatch(
                /Make the pool tank, mirror of \S+DATA1 \(2\.0 GiB, blank\), \S+DATA2 \(2\.0 GiB, blank\)/,
            )
            expect(out).toMatch(/left alone, because something is on it: \S+DATA3 \(2\.0 GiB, holds ext4\)/)
            expect(out).not.toContain('DATA WILL BE DESTROYED')
            expect((await debvisor('node apply --check')).code).toBe(2)
        },
        5 * MINUTE_MS,
    )

    it(
        'applies it, and is what it says; a second time changes nothing',
        async () => {
            const first = await debvisor('node apply --yes', 10 * MINUTE_MS)
            expect(first.out + first.err).toMatch(/Done: \d+ steps\. The machine is what its document says\./)
            await verified()
            const second = await debvisor('node apply --yes')
            expect(second.out).toContain('Nothing to do')
            expect(await vm.must('hostname; zpool list -Ho health tank; findmnt -no FSTYPE /srv/vm')).toBe(
                'node1\nONLINE\nzfs\n',
            )
            expect(await vm.must('virsh pool-info default')).toMatch(/State: +running[\s\S]*Autostart: +yes/)
        },
        15 * MINUTE_MS,
    )

    it(
        'starts a VM from its storage',
        async () => {
            await vm.must('virsh vol-create-as default disk0 64M --format qcow2')
            const xml = `<domain type="qemu"><name>tiny</name><memory unit="MiB">64</memory><os><type arch="x86_64">hvm</type></os><devices><disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="/srv/vm/disk0"/><target dev="vda" bus="virtio"/></disk></devices></domain>`
            await vm.put('/tmp/tiny.xml', xml)
            await vm.must('virsh define /tmp/tiny.xml && virsh start tiny', 3 * MINUTE_MS)
            expect(await vm.must('virsh domstate tiny')).toContain('running')
            await vm.must('virsh destroy tiny && virsh undefine tiny && virsh vol-delete disk0 default')
        },
        6 * MINUTE_MS,
    )

    it(
        'is so after a reboot as well',
        async () => {
            await vm.reboot()
            await verified()
        },
        15 * MINUTE_MS,
    )

    it(
        'says what was broken by hand, and mends it',
        async () => {
            await vm.must('echo "# mine" >> /etc/systemd/journald.conf.d/debvisor.conf')
            await vm.must('systemctl stop chrony; zfs destroy tank/k8s; virsh pool-destroy default')
            const { code, out } = await debvisor('node verify')
            expect(code).toBe(2)
            expect(out).toMatch(/Change \/etc\/systemd\/journald\.conf\.d\/debvisor\.conf/)
            expect(out).toMatch(/Start chrony\.service/)
            expect(out).toMatch(/Make the dataset tank\/k8s at \/srv\/k8s/)
            expect(out).toMatch(/Start the storage pool default/)
            const mended = await debvisor('node apply --yes')
            expect(mended.out + mended.err).toContain('The machine is what its document says.')
            expect(await vm.must('cat /etc/systemd/journald.conf.d/debvisor.conf')).not.toContain('# mine')
            const { out: history } = await debvisor('node history')
            expect(history.trim().split('\n')).toHaveLength(3)
        },
        10 * MINUTE_MS,
    )

    it(
        'tells a webhook of a service that fails, at once, and when it is over',
        async () => {
            const listener = `require("http").createServer((q,a)=>{let b="";q.on("data",c=>b+=c);q.on("end",()=>{require("fs").appendFileSync("/run/told",b+"\\n");a.end()})}).listen(9999,"127.0.0.1")`
            await vm.must(`systemd-run -q --unit=listener node -e '${listener}'`)
            await vm.must(`printf 'notify:\n  webhook:\n    url: http://127.0.0.1:9999/\n' >> ${DOCUMENT}`)
            expect((await debvisor('node apply --yes')).code).toBe(0)
            await vm.must('debvisor notify test && grep -q "This is a test" /run/told')
            await vm.must('systemd-run -q --unit=broken false')
            await vm.must('until grep -q broken.service /run/told; do sleep 0.5; done', 3 * MINUTE_MS)
            const { code, out } = await debvisor('node health')
            expect(code).toBe(2)
            expect(out).toContain('A service has failed: broken.service')
            await vm.must('systemctl reset-failed broken && systemctl start debvisor-health')
            const told = await vm.must('grep -c "over: " /run/told; grep -c "A service has failed: broken" /run/told')
            expect(told).toBe('1\n2\n')
        },
        10 * MINUTE_MS,
    )

    it(
        'takes an apply back: files and document, no pool',
        async () => {
            await vm.must(`sed -i 's/# journalMaxSize: 1G/journalMaxSize: 2G/' ${DOCUMENT}`)
            expect((await debvisor('node apply --yes')).code).toBe(0)
            expect(await vm.must('cat /etc/systemd/journald.conf.d/debvisor.conf')).toContain('SystemMaxUse=2G')
            expect((await debvisor('node rollback --yes')).code).toBe(0)
            expect(await vm.must('cat /etc/systemd/journald.conf.d/debvisor.conf')).toContain('SystemMaxUse=1G')
            expect(await vm.must(`cat ${DOCUMENT}`)).toContain('# journalMaxSize: 1G')
            await verified()
        },
        10 * MINUTE_MS,
    )

    it(
        'takes a disk that holds something only by a consent that names it',
        async () => {
            await vm.must(`cp ${DOCUMENT} /tmp/second.yaml`)
            const zfs = `storage:\\n  zfs:\\n    pool: second\\n    mountAt: /second\\n    disks: [${HELD}]\\n    datasets: [vm]`
            await vm.must(`sed -i '/^# storage:/,$d' /tmp/second.yaml && printf '${zfs}\\n' >> /tmp/second.yaml`)
            const refused = await debvisor('node apply /tmp/second.yaml --yes')
            expect(refused).toMatchObject({ code: 3 })
            expect(refused.err).toContain(`DATA WILL BE DESTROYED on:\n  disk:${HELD}`)
            expect(refused.err).toContain(`--destroy disk:${HELD}`)
            expect(await held()).toBe('precious\n')
            const other = await debvisor('node apply /tmp/second.yaml --yes --destroy disk:/dev/disk/by-id/virtio-OS')
            expect(other.code).toBe(1)
            expect(await held()).toBe('precious\n')
            const done = await debvisor(`node apply /tmp/second.yaml --yes --destroy disk:${HELD}`)
            expect(done.out + done.err).toContain('The machine is what its document says.')
            expect(await vm.must('zpool list -Ho name')).toBe('second\ntank\n')
        },
        10 * MINUTE_MS,
    )

    it(
        'comes to the same end when the power is cut in the middle',
        async () => {
            await vm.must('zpool destroy second && rm /var/lib/debvisor/storage/zfs-second.json')
            await vm.must(`mkfs.ext4 -qF ${HELD}; sync`)
            // Left running: the power goes while the pool is made.
            await vm.must(`debvisor node apply /tmp/second.yaml --yes --destroy disk:${HELD} >/root/log 2>&1 & `)
            await vm.must('until grep -q "^\\[.*Make the pool" /root/log; do sleep 0.1; done', 3 * MINUTE_MS)
            await vm.cut()
            await vm.boot()
            const again = await debvisor('node apply --yes')
            expect(again.out + again.err).toContain('The machine is what its document says.')
            await verified()
            expect(await vm.must('zpool list -Ho name,health second')).toBe('second\tONLINE\n')
        },
        20 * MINUTE_MS,
    )
})
