// Power cuts at random moments of an apply, one after the other, until it comes through: every time to the same end. And,
// in `make test-all`, a power cut and a kill between every two steps.
// DEBVISOR_CUTS says how many (300 by itself in `make test-all`, a handful otherwise), DEBVISOR_SEED which moments;
// DEBVISOR_BOUNDARIES=1 has those between the steps as well.
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { cephNodeImage } from './node-image.ts'
import { type NodeVm, type NodeVmOptions, startNode } from './node-vm.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const ALL = process.env.DEBVISOR_ALL === '1'
const CUTS = Number(process.env.DEBVISOR_CUTS ?? (ALL ? 300 : 4))
const SEED = Number(process.env.DEBVISOR_SEED ?? 1)
const DOCUMENT = '/etc/debvisor/node.yaml'

interface Story {
    document: string
    node: () => Promise<NodeVmOptions>
    /** What has come of it, in a line; the same after every cut. */
    made: string
}

const zfs: Story = {
    document: 'profile: zfs\n',
    node: async () => ({ disks: 3 }),
    made:
        'zpool list -Ho name,health; zfs list -Ho name,mountpoint -r tank; virsh pool-list --name --autostart; ' +
        'systemctl is-active docker libvirtd.socket chrony; nft list table inet debvisor | sha256sum',
}
const ceph: Story = {
    document: 'profile: ceph\n',
    node: async () => ({ disks: 3, diskSize: '12G', memoryMib: 4096, image: await cephNodeImage() }),
    made:
        'ceph osd ls; ceph osd pool ls | sort; findmnt -no FSTYPE /srv/cephfs; virsh pool-list --name --autostart; ' +
        'systemctl is-active docker libvirtd.socket chrony',
}
// One apply of a cluster takes a quarter of an hour under emulation.
const stories: Record<string, Story> = ALL ? { zfs, ceph } : { zfs }
const losses = {
    'that keep what was written': () => ({}),
    'that lose what was not flushed, and some of it in another order': (random: () => number) => ({
        survives: () => random() < 0.5,
    }),
}
const both = Object.entries(stories).flatMap(([profile, story]) =>
    Object.entries(losses).map(([disks, way]) => ({ profile, disks, story, way })),
)

describe.each(both)('the profile $profile, on disks $disks', ({ story: { document, made, ...story }, way }) => {
    it(
        `comes to the same end after ${CUTS} power cuts`,
        async () => {
            const random = seeded(SEED)
            const node = async () => ({ ...(await story.node()), ...way(random) })
            const whole = await bare(await node(), document)
            const began = Date.now()
            expect((await apply(whole)).code).toBe(0)
            const spanMs = Date.now() - began
            const wanted = await end(whole, made)
            await whole.stop()
            let cuts = 0
            while (cuts < CUTS) {
                const vm = await bare(await node(), document)
                const moments: number[] = []
                try {
                    for (;;) {
                        const atMs = Math.round(random() * spanMs)
                        const over = new AbortController()
                        const ran = await Promise.race([
                            apply(vm).catch(() => undefined),
                            pause(atMs, undefined, { signal: over.signal }).catch(() => undefined),
                        ])
                        over.abort()
                        if (ran) {
                            expect(ran.out + ran.err, `cut at ${moments.join(', ')} ms`).toMatch(
                                // The power may have gone when all was done.
                                /Nothing to do|The machine is what its document says\./,
                            )
                            break
                        }
                        moments.push(atMs)
                        cuts++
                        await vm.cut()
                        await vm.boot()
                        if (cuts >= CUTS) {
                            expect((await apply(vm)).code, `cut at ${moments.join(', ')} ms`).toBe(0)
                            break
                        }
                    }
                    expect(await end(vm, made), `cut at ${moments.join(', ')} ms`).toBe(wanted)
                } finally {
                    await vm.stop()
                }
            }
        },
        // A boot and half an apply for each.
        ALL ? 48 * HOUR_MS : HOUR_MS,
    )
})

const ends = {
    'the power cut': async (vm: NodeVm) => {
        await vm.cut()
        await vm.boot()
    },
    'kill -9': async (vm: NodeVm) => {
        await vm.must(
            'pkill -KILL -f "[d]ebvisor.mjs node apply"; while pgrep -f "[d]ebvisor.mjs node apply"; do sleep 0.1; done',
        )
    },
}
const ways = Object.entries(stories).flatMap(([profile, story]) =>
    Object.entries(ends).map(([name, end]) => ({ profile, name, story, end })),
)

// In a row: each apply is ended as soon as its first step is done, so that every boundary between two steps has its turn.
describe.runIf(ALL || process.env.DEBVISOR_BOUNDARIES === '1').each(ways)(
    'the profile $profile, by $name',
    ({ story: { document, made, node }, end: endIt }) => {
        it(
            'comes to the same end when it comes between every two steps',
            async () => {
                const whole = await bare(await node(), document)
                expect((await apply(whole)).code).toBe(0)
                const wanted = await end(whole, made)
                await whole.stop()
                const vm = await bare(await node(), document)
                try {
                    let ended = 0
                    for (;;) {
                        await vm.must(
                            'rm -f /root/log /root/over; (debvisor node apply --yes >/root/log 2>&1; touch /root/over) >/dev/null 2>&1 &',
                        )
                        const seen = await vm.must(
                            'until grep -qE "^\\[2/" /root/log || [ -e /root/over ]; do sleep 0.05; done; ls /root/over 2>/dev/null || :',
                            30 * MINUTE_MS,
                        )
                        if (seen) break
                        await endIt(vm)
                        ended++
                    }
                    expect(ended).toBeGreaterThan(10)
                    expect((await apply(vm)).code).toBe(0)
                    expect(await end(vm, made)).toBe(wanted)
                } finally {
                    await vm.stop()
                }
            },
            12 * HOUR_MS,
        )
    },
)

/** The last disk holds a file of somebody. */
async function bare(options: NodeVmOptions, document: string): Promise<NodeVm> {
    const vm = await startNode(options)
    const held = `/dev/disk/by-id/virtio-DATA${options.disks}`
    await vm.must(`mkfs.ext4 -q ${held} && mount ${held} /mnt && echo precious >/mnt/file && umount /mnt`)
    await vm.put(DOCUMENT, document)
    return vm
}

const apply = (vm: NodeVm) => vm.sh('debvisor node apply --yes', 30 * MINUTE_MS)

/** Verified, a second apply does nothing, what was there is there; answers what was made. */
async function end(vm: NodeVm, made: string): Promise<string> {
    const verified = await vm.sh('debvisor node verify', 5 * MINUTE_MS)
    expect(verified.out + verified.err).toContain('The machine is what its document says.')
    expect((await vm.sh('debvisor node apply --yes', 5 * MINUTE_MS)).out).toContain('Nothing to do')
    const disks = await vm.must('ls /dev/disk/by-id/ | grep -c "^virtio-DATA[0-9]*$"')
    const held = `/dev/disk/by-id/virtio-DATA${disks.trim()}`
    expect(await vm.must(`mount -o ro,noload ${held} /mnt && cat /mnt/file; umount /mnt`)).toBe('precious\n')
    return vm.must(made)
}

/** The same numbers from 0 to 1 for the same seed. */
function seeded(seed: number): () => number {
    let state = seed >>> 0
    return () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0
        return state / 2 ** 32
    }
}
