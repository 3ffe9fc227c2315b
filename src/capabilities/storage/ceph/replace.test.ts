// An OSD's disk replaced: what the plan says at each point, where it is refused, and a power cut at every touch.
import { describe, expect, it } from 'vitest'
import type { Consent } from '../../../engine/consent.ts'
import { isEmpty, type Plan } from '../../../engine/plan.ts'
import { DOCUMENT } from '../../../engine/provision.ts'
import { COPYING } from '../driver.ts'
import { cephNode, DISK } from './testing/world.ts'

const TEXT = `storage:\n  ceph:\n    disks: [${DISK}A, ${DISK}B]\n`
const NAMED = { ceph: { disks: [`${DISK}A`, `${DISK}B`] } }
const said = ({ groups, findings }: Plan) => [
    ...groups.flatMap(({ steps }) => steps).map(({ say }) => say),
    ...findings.map(({ code }) => code),
]

/** Two OSDs, of which B's is to go, with a blank disk put in. */
async function node(holds: Record<string, string> = {}) {
    const world = cephNode({ A: '', B: '', ...holds }, NAMED)
    await world.node.system.writeFile(DOCUMENT, TEXT)
    await world.apply()
    world.cluster.holds.set(`${DISK}C`, holds.C ?? '')
    return world
}
type World = Awaited<ReturnType<typeof node>>

/** B's disk has broken: its daemon ends, its volume is not seen any more, and the disk neither. */
function breakDisk({ cluster, node }: World) {
    const { id } = cluster.volumes.get(`${DISK}B`)!
    cluster.volumes.delete(`${DISK}B`)
    cluster.holds.delete(`${DISK}B`)
    node.units.set(`ceph-osd@${id}.service`, { enabled: true, active: false })
    return id
}

describe('a disk that is gone', () => {
    it('is replaced: the new OSD, then copying, then the old one leaves', async () => {
        const world = await node()
        const id = breakDisk(world)
        expect((await world.plan()).findings.map(({ code }) => code)).toContain('osd-missing')
        world.cluster.copied = false
        const wish = { old: `osd.${id}`, new: `${DISK}C` }
        expect(said(await world.planReplace(wish))).toEqual([
            `Make an OSD of ${DISK}C (blank)`,
            `Wait until the OSD of ${DISK}C is up`,
            `Note that the OSD of ${DISK}C is this node's`,
            'Name the disk in the document',
        ])
        const first = await world.replace(wish)
        expect(first.failed).toEqual([])
        // It goes on as far as it can at once.
        expect(world.cluster.osds.find(({ osd }) => osd === id)).toMatchObject({ in: 0 })
        expect(said(first.left)).toEqual([COPYING])
        expect(await world.node.system.readText(DOCUMENT)).toBe(TEXT.replace(`${DISK}B`, `${DISK}C`))
        world.cluster.copied = true
        expect(said(await world.planReplace(wish))).toEqual([
            `Start osd.${id} no more at boot`,
            `Stop osd.${id}`,
            `Ask once more whether osd.${id} may go`,
            `Take osd.${id} out of the cluster: all that it held is whole elsewhere`,
            `Forget that the OSD of ${DISK}B was this node's`,
        ])
        expect((await world.replace(wish)).failed).toEqual([])
        expect(world.cluster.osds.map(({ osd }) => osd)).toEqual([0, 2])
        expect(said(await world.planReplace(wish))).toEqual([])
        expect(await world.looked()).toMatchObject([
            {
                ...{ name: 'ceph', state: 'HEALTH_OK', whole: true },
                disks: [
                    { id: `${DISK}A`, part: 'osd.0', state: 'up', works: true },
                    { id: `${DISK}C`, part: 'osd.2', state: 'up', works: true },
                ],
            },
        ])
    })

    it('is replaced by one of the same name, as disks have that are named by their slot', async () => {
        const world = await node()
        const id = breakDisk(world)
        world.cluster.holds.set(`${DISK}B`, '')
        const wish = { old: `${DISK}B` }
        expect(said(await world.planReplace(wish))).toEqual([
            `Take osd.${id} out of the cluster: its disk is gone`,
            `Make an OSD of ${DISK}B (blank)`,
            `Wait until the OSD of ${DISK}B is up`,
            `Note that the OSD of ${DISK}B is this node's`,
        ])
        const done = await world.replace(wish)
        expect([done.failed, said(done.left)]).toEqual([[], ['disk-works']])
    })
})

it('a disk that works stays until all is copied, and what is on it stays where it is', async () => {
    const world = await node()
    const wish = { old: 'virtio-B', new: 'virtio-C' }
    expect(said(await world.planReplace(wish))).toContain('disk-works')
    const done = await world.replace(wish)
    expect([done.failed, isEmpty(done.left)]).toEqual([[], true])
    expect([...world.cluster.volumes.keys()]).toEqual([`${DISK}A`, `${DISK}B`, `${DISK}C`])
    expect(world.cluster.osds).toHaveLength(2)
    // The next apply names what lies there, and takes nothing.
    const { findings, groups } = await world.plan()
    expect(groups).toEqual([])
    expect(findings.map(({ code }) => code)).toContain('osd-stray')
})

describe('it is refused, with what to do', () => {
    it.each([
        [{ old: 'osd.7', new: 'virtio-C' }, 'no-such-member'],
        [{ old: 'virtio-B', new: 'virtio-X' }, 'no-such-disk'],
        [{ old: 'virtio-B', new: 'virtio-A' }, 'disk-in-pool'],
        [{ old: 'virtio-B', new: 'virtio-B' }, 'still-member'],
        [{ old: 'virtio-B' }, 'disk-works'],
    ])('%j', async (wish, code) => {
        const { planReplace } = await node()
        expect(said(await planReplace(wish))).toEqual([code])
    })

    it('a broken one without a word of the new one, and monitors that do not answer', async () => {
        const world = await node()
        breakDisk(world)
        expect(said(await world.planReplace({ old: 'osd.1' }))).toEqual(['which-disk'])
        world.node.units.set('ceph-mon@node1.service', { enabled: true, active: false })
        expect(said(await world.planReplace({ old: 'osd.1', new: 'virtio-C' }))).toEqual(['ceph-cannot-say'])
        expect(await world.looked()).toMatchObject([{ state: 'does not answer', whole: false }])
    })

    it('a disk that holds something, without a consent', async () => {
        const world = await node({ C: 'ext4' })
        const wish = { old: 'virtio-B', new: 'virtio-C' }
        await expect(world.replace(wish)).rejects.toMatchObject({ code: 'denied', at: 'consent' })
        expect(world.cluster.holds.get(`${DISK}C`)).toBe('ext4')
        const consents: Consent[] = [{ target: `disk:${DISK}C`, fingerprint: 'ext4' }]
        expect((await world.replace(wish, consents)).failed).toEqual([])
        expect(world.cluster.osds).toHaveLength(2)
    })
})

describe.each(['', 'ext4'])('a power cut at any touch, with a new disk that holds "%s"', holds => {
    it('is made up for by the same command', async () => {
        const wish = { old: 'virtio-B', new: 'virtio-C' }
        const consents: Consent[] = holds ? [{ target: `disk:${DISK}C`, fingerprint: holds }] : []
        const whole = await node({ C: holds })
        breakDisk(whole)
        let touches = 0
        whole.node.onTouch = () => touches++
        expect(isEmpty((await whole.replace(wish, consents)).left)).toBe(true)
        expect(touches).toBeGreaterThan(15)
        for (let cut = 1; cut <= touches; cut++) {
            const world = await node({ C: holds })
            breakDisk(world)
            let left = cut
            world.node.onTouch = argv => {
                if (left-- <= 1) throw new Error(`the power went at: ${argv.join(' ')}`)
            }
            await world.replace(wish, consents).catch(() => undefined)
            world.node.onTouch = () => {}
            await world.reboot()
            const again = await world.replace(wish, world.cluster.holds.get(`${DISK}C`) === 'ext4' ? consents : [])
            const words = `cut at ${cut}: ${JSON.stringify(again.failed)} ${said(again.left).join('; ')}`
            expect(again.failed, words).toEqual([])
            expect(isEmpty(again.left), words).toBe(true)
            expect(world.cluster.osds, words).toMatchObject([{ state: ['exists', 'up'] }, { state: ['exists', 'up'] }])
            expect(await world.node.system.readText(DOCUMENT), words).toContain(`${DISK}C`)
        }
    }, 60_000)
})
