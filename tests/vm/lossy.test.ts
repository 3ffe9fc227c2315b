// The disk that loses writes does what it is for: what was flushed stays, what was not is gone.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type NodeVm, startNode } from './node-vm.ts'

const MINUTE_MS = 60_000
let vm: NodeVm

beforeAll(async () => {
    vm = await startNode({ disks: 1, survives: () => false })
}, 40 * MINUTE_MS)
afterAll(() => vm?.stop())

it(
    'keeps what was flushed, and loses the rest',
    async () => {
        const disk = '/dev/disk/by-id/virtio-DATA1'
        await vm.must(`printf kept | dd of=${disk} conv=notrunc,fsync status=none; echo kept >/root/kept; sync`)
        // Past the page cache, and never flushed.
        await vm.must(
            `head -c 4096 /dev/zero | tr '\\0' x | dd of=${disk} bs=4096 seek=1 oflag=direct conv=notrunc status=none`,
        )
        expect(await vm.must(`dd if=${disk} bs=4096 skip=1 count=1 iflag=direct status=none | head -c4`)).toBe('xxxx')
        await vm.cut()
        await vm.boot()
        expect(await vm.must(`head -c4 ${disk}`)).toBe('kept')
        expect(await vm.must('cat /root/kept')).toBe('kept\n')
        expect(
            await vm.must(`dd if=${disk} bs=4096 skip=1 count=1 iflag=direct status=none | tr -d '\\0' | wc -c`),
        ).toBe('0\n')
    },
    20 * MINUTE_MS,
)
