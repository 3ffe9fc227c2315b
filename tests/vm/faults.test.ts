// What goes wrong on a real node: disks that hold something, a full disk, a read-only /etc, a clock that jumps.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type NodeVm, startNode } from './node-vm.ts'

const MINUTE_MS = 60_000
const DOCUMENT = '/etc/debvisor/node.yaml'
const disk = (n: number) => `/dev/disk/by-id/virtio-DATA${n}`
let vm: NodeVm

/** How each disk was filled, and how what is on it is read again; it must still be there in the end. */
const HELD: Record<string, { fill: string; read: string }> = {
    ext4: {
        fill: `mkfs.ext4 -q ${disk(1)} && mount ${disk(1)} /mnt && echo precious >/mnt/file && umount /mnt`,
        read: `mount -o ro ${disk(1)} /mnt && cat /mnt/file; umount /mnt`,
    },
    LVM: {
        fill:
            `pvcreate -qq ${disk(2)} && vgcreate -qq old ${disk(2)} && lvcreate -qq -L 64M -n data old && ` +
            'mkfs.ext4 -q /dev/old/data && mount /dev/old/data /mnt && echo precious >/mnt/file && umount /mnt && ' +
            'vgchange -qq -an old',
        read: 'vgchange -qq -ay old && mount -o ro /dev/old/data /mnt && cat /mnt/file; umount /mnt; vgchange -qq -an old',
    },
    ZFS: {
        fill: `zpool create -f old ${disk(3)} && echo precious >/old/file && zpool export old`,
        read: 'zpool import -o readonly=on -N -R /mnt old && zfs mount old && cat /mnt/old/file; zpool export old',
    },
    // BlueStore's label, as `ceph-osd --mkfs` puts it on a disk: Ceph itself is not on this node.
    Ceph: {
        fill: `printf 'bluestore block device\\n7d7e1f44-2a0c-4a64-9a4c-2f1d6f6b0f0e\\nprecious\\n' | dd of=${disk(4)} conv=notrunc status=none`,
        read: `head -n3 ${disk(4)} | tail -n1`,
    },
    mdraid: {
        fill:
            `mdadm --create /dev/md9 --run --quiet --metadata=1.2 --level=1 --raid-devices=2 ${disk(5)} missing </dev/null && ` +
            'mkfs.ext4 -q /dev/md9 && mount /dev/md9 /mnt && echo precious >/mnt/file && umount /mnt && mdadm --stop --quiet /dev/md9',
        read: `mdadm --assemble --run --quiet /dev/md9 ${disk(5)} && mount -o ro /dev/md9 /mnt && cat /mnt/file; umount /mnt; mdadm --stop --quiet /dev/md9`,
    },
}

beforeAll(async () => {
    vm = await startNode({ disks: 6 })
    for (const [name, { fill }] of Object.entries(HELD)) {
        const { code, out, err } = await vm.sh(fill)
        if (code !== 0) throw new Error(`${name} could not be put on its disk: ${out}${err}`)
    }
    await vm.must('udevadm settle')
}, 50 * MINUTE_MS)
afterAll(() => vm?.stop())

const debvisor = (words: string, deadlineMs = 5 * MINUTE_MS) => vm.sh(`debvisor ${words}`, deadlineMs)
const allHeld = async () => {
    for (const [name, { read }] of Object.entries(HELD))
        expect([name, await vm.must(read)]).toEqual([name, 'precious\n'])
}
const naming = (n: number) => `profile: zfs\nstorage:\n  zfs:\n    disks: [${disk(n)}]\n    layout: stripe\n`

describe('disks that hold something', () => {
    it.each(Object.keys(HELD).map((name, at) => [name, at + 1] as const))(
        'with %s: is refused by name, and by itself never taken',
        async (_, n) => {
            await vm.put('/root/named.yaml', naming(n))
            const refused = await debvisor('node apply /root/named.yaml --yes')
            expect(refused.err).toContain(`--destroy disk:${disk(n)}`)
            expect(refused.code).toBe(3)
            expect((await vm.sh('zpool list -Ho name')).out).toBe('')
        },
        10 * MINUTE_MS,
    )

    it(
        'are left alone by a document that takes what is blank, and hold what they held',
        async () => {
            await vm.put(DOCUMENT, 'profile: zfs\n')
            const { out } = await debvisor('node plan')
            expect(out).toMatch(/Make the pool tank, one disk alone: \S+DATA6|Make the pool tank.*DATA6/)
            for (let n = 1; n <= 5; n++) expect(out).toMatch(new RegExp(`left alone.*DATA${n} `))
            const done = await debvisor('node apply --yes', 15 * MINUTE_MS)
            expect(done.out + done.err).toContain('The machine is what its document says.')
            expect(await vm.must('zpool list -Ho name')).toBe('tank\n')
            await allHeld()
        },
        25 * MINUTE_MS,
    )
})

describe('a machine in trouble', () => {
    const changed = 'profile: zfs\nnode:\n  timezone: Europe/Vienna\n'

    it(
        'without room: no step runs, it says so, and goes on when there is room',
        async () => {
            await vm.put('/root/changed.yaml', changed)
            await vm.must(
                'fallocate -l $(($(stat -f -c %f / ) * $(stat -f -c %S /) - 65536)) /var/full; cat /dev/zero >>/var/full; true',
            )
            const full = await debvisor('node apply /root/changed.yaml --yes')
            expect(full.code).toBe(1)
            expect(full.err).toMatch(/no room|no space|is full/i)
            expect(await vm.must('readlink /etc/localtime')).not.toContain('Vienna')
            expect(await vm.must(`cat ${DOCUMENT}`)).toBe('profile: zfs\n')
            await vm.must('rm /var/full')
            const again = await debvisor('node apply /root/changed.yaml --yes')
            expect(again.out + again.err).toContain('The machine is what its document says.')
            expect(await vm.must('readlink /etc/localtime')).toContain('Vienna')
        },
        15 * MINUTE_MS,
    )

    it(
        'with a read-only /etc: says which file, and mends all of it afterwards',
        async () => {
            await vm.put('/root/changed.yaml', changed.replace('Vienna', 'Lisbon'))
            await vm.must('mount --bind /etc /etc && mount -o remount,bind,ro /etc')
            const refused = await debvisor('node apply /root/changed.yaml --yes')
            expect(refused.code).toBe(1)
            expect(refused.out + refused.err).toMatch(/read-only/i)
            expect(refused.out + refused.err).toContain('/etc/')
            await vm.must('umount /etc')
            const again = await debvisor('node apply /root/changed.yaml --yes')
            expect(again.out + again.err).toContain('The machine is what its document says.')
            expect(await vm.must('readlink /etc/localtime')).toContain('Lisbon')
        },
        15 * MINUTE_MS,
    )

    it(
        'whose clock jumps: keeps its applies in order, and a rollback takes back the last one',
        async () => {
            await vm.must('systemctl stop chrony; date --set "+2 years"')
            const ahead = await debvisor('node apply /root/changed.yaml --yes')
            expect(ahead.out + ahead.err).toMatch(/Nothing to do|The machine is what its document says\./)
            await vm.put('/root/berlin.yaml', changed.replace('Vienna', 'Berlin'))
            expect((await debvisor('node apply /root/berlin.yaml --yes')).code).toBe(0)
            await vm.must('date --set "-2 years -1 day"')
            await vm.put('/root/rome.yaml', changed.replace('Vienna', 'Rome'))
            expect((await debvisor('node apply /root/rome.yaml --yes')).code).toBe(0)
            expect((await debvisor('node verify')).out).toContain('The machine is what its document says.')
            expect((await debvisor('node rollback --yes')).code).toBe(0)
            expect(await vm.must(`cat ${DOCUMENT}`)).toContain('Berlin')
            await vm.must('systemctl start chrony')
        },
        25 * MINUTE_MS,
    )
})
