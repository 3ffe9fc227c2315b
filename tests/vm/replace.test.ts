// A disk of a pool fails on a real node: another takes its place by a plan, the data stays, and more disks come later.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type NodeVm, startNode } from './node-vm.ts'

const MINUTE_MS = 60_000
const DOCUMENT = '/etc/debvisor/node.yaml'
const DISK = '/dev/disk/by-id/virtio-DATA'
let vm: NodeVm

beforeAll(async () => {
    vm = await startNode({ disks: 3 })
    const zfs = `storage:\n  zfs:\n    disks: # both\n      - ${DISK}1 # the first\n      - ${DISK}2\n    datasets: [vm]`
    // What has nothing to do with disks is left out: an emulated machine is slow.
    const off = ['cockpit', 'fail2ban', 'docker'].map(name => `${name}: { enabled: false }\n`)
    const none = `${off.join('')}monitoring: { nodeExporter: false }\n`
    await vm.put(DOCUMENT, `profile: zfs\nnode: { hostname: node1 }\n${none}${zfs}\n`)
    const applied = await debvisor('node apply --yes', 10 * MINUTE_MS)
    expect(applied.out + applied.err).toContain('The machine is what its document says.')
    await vm.must('head -c 48M /dev/urandom > /srv/vm/file && sha256sum /srv/vm/file > /root/sum && sync')
}, 40 * MINUTE_MS)
afterAll(() => vm?.stop())

const debvisor = (words: string, deadlineMs = 5 * MINUTE_MS) => vm.sh(`debvisor ${words}`, deadlineMs)
const intact = () => vm.must('sha256sum --check /root/sum')
const verified = async () => {
    const ran = await debvisor('node verify')
    expect(ran.out + ran.err).toContain('The machine is what its document says.')
    expect(ran.code).toBe(0)
}

describe('a disk of a pool', () => {
    it(
        'that failed is named, and what cannot take its place is refused',
        async () => {
            // Wiped as by somebody who wants to use it elsewhere: nothing at its beginning.
            await vm.must(`zpool offline tank ${DISK}2 && wipefs -qa ${DISK}2 && blockdev --rereadpt ${DISK}2`)
            await vm.must(`dd if=/dev/zero of=${DISK}2 bs=1M count=1 conv=fsync && mkfs.ext4 -q ${DISK}3`)
            const status = await debvisor('storage status')
            expect(status.out).toMatch(/^tank: DEGRADED\n {2}ONLINE +\S+DATA1 \(mirror-0\)\n {2}OFFLINE +\S+DATA2/)
            expect(status.code).toBe(2)
            const wrong = await debvisor('storage replace virtio-DATA4 virtio-DATA3')
            expect(wrong.err).toMatch(/No pool has such a disk[\s\S]*Did you mean virtio-DATA[12]\?/)
            expect(wrong.code).toBe(1)
            expect((await debvisor('storage replace virtio-DATA2 /dev/vda --yes')).err).toContain('running system')
            expect((await debvisor('storage replace virtio-DATA2 virtio-DATA1 --yes')).err).toContain('part of a pool')
            const asked = await debvisor('storage replace virtio-DATA2 virtio-DATA3 --yes')
            expect(asked.err).toContain(`--destroy disk:${DISK}3`)
            expect(asked.code).toBe(3)
            expect(await vm.must(`blkid -o value -s TYPE ${DISK}3`)).toBe('ext4\n')
        },
        5 * MINUTE_MS,
    )

    it(
        'is replaced by another by a plan, and all is there',
        async () => {
            const words = `storage replace virtio-DATA2 virtio-DATA3 --destroy disk:${DISK}3`
            const shown = await debvisor(`${words} --dry-run`)
            expect(shown.out).toContain(`DATA WILL BE DESTROYED on:\n  disk:${DISK}3\n`)
            expect(shown.out).toMatch(/-\s+- \S+DATA2\n\s*\+\s+- \S+DATA3/)
            const done = await debvisor(`${words} --yes --wait`, 10 * MINUTE_MS)
            expect(done.out + done.err).toContain('Done: 2 steps.')
            expect(done.code).toBe(0)
            expect(await vm.must('zpool list -Ho health tank')).toBe('ONLINE\n')
            expect(await vm.must(`zpool status -P tank`)).not.toContain('DATA2')
            expect(await vm.must(`cat ${DOCUMENT}`)).toMatch(/# both\n +- \S+DATA1 # the first\n +- \S+DATA3\n/)
            await intact()
            await verified()
            const again = await debvisor(words)
            expect(again.err + again.out).not.toContain('Done')
            expect((await debvisor('node history')).out.trim().split('\n')).toHaveLength(3)
        },
        15 * MINUTE_MS,
    )

    it(
        'more is added only by hand, and stays after a reboot',
        async () => {
            expect((await debvisor('storage add virtio-DATA2')).err).toContain('--attach')
            const added = await debvisor('storage add virtio-DATA2 --attach virtio-DATA1 --yes --wait', 10 * MINUTE_MS)
            expect(added.out).toContain('Done: 2 steps.')
            await vm.reboot()
            expect(await vm.must('zpool status -P tank')).toMatch(
                /mirror-0 +ONLINE[\s\S]*DATA1[\s\S]*DATA3[\s\S]*DATA2/,
            )
            await intact()
            await verified()
        },
        25 * MINUTE_MS,
    )
})
