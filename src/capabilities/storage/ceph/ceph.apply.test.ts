// Ceph applied on a node in memory: nothing is left to do afterwards, and no power cut on the way leads elsewhere.
import { describe, expect, it } from 'vitest'
import { isEmpty } from '../../../engine/plan.ts'
import { renderPlan } from '../../../engine/render.ts'
import { DISK, poolsOf, toldBy, cephNode as world } from './testing/world.ts'

describe('Ceph on one node', () => {
    it('is applied, is empty afterwards, and applied again touches nothing', async () => {
        const { node, cluster, apply, plan } = world({ A: '', B: '', C: '' })
        const applied = await apply()
        expect(applied.failed).toEqual([])
        expect(isEmpty(applied.left), renderPlan(applied.left)).toBe(true)
        expect(cluster.osds).toHaveLength(3)
        expect(poolsOf(cluster)).toEqual(['cephfs.data 3 2', 'cephfs.meta 3 2', 'vm-pool 3 2'])
        expect(node.units.get('srv-cephfs.mount')).toMatchObject({ enabled: true, active: true })
        node.onTouch = argv => {
            if (!String(argv[1]).startsWith('/run/')) throw new Error(`it touches: ${argv.join(' ')}`)
        }
        expect(await apply()).toMatchObject({ steps: 0, failed: [] })
        cluster.checks = { OSD_DOWN: { severity: 'HEALTH_WARN', summary: { message: '1 osds down' } } }
        const { findings, groups } = await plan()
        expect({ findings, groups }).toMatchObject({ findings: [{ code: 'ceph-osd-down' }], groups: [] })
    })

    it('leaves no key where people read: plan, journal, record of applies', async () => {
        const { node, apply } = world({ A: '', B: '' })
        await apply()
        expect(toldBy(node).length).toBeGreaterThan(3)
        for (const [path, data] of toldBy(node)) expect(data, path).not.toMatch(/key-of-/)
        expect(node.system.ran.flat().join('\n')).not.toMatch(/key-of-/)
    })

    it('comes to the same end after a power cut at any touch', async () => {
        const whole = world({ A: '', B: 'ext4' })
        const consents = [{ target: `disk:${DISK}B`, fingerprint: 'ext4' }]
        let touches = 0
        whole.node.onTouch = () => touches++
        expect(isEmpty((await whole.apply(consents)).left)).toBe(true)
        expect(touches).toBeGreaterThan(60)
        for (let cut = 1; cut <= touches; cut++) {
            const { node, cluster, apply, reboot } = world({ A: '', B: 'ext4' })
            let left = cut
            node.onTouch = argv => {
                if (left-- <= 1) throw new Error(`the power went at: ${argv.join(' ')}`)
            }
            await apply(consents).catch(() => undefined)
            node.onTouch = () => {}
            await reboot()
            // What was agreed to and not begun is asked for again.
            const again = await apply(cluster.holds.get(`${DISK}B`) === 'ext4' ? consents : [])
            const words = `cut at ${cut}: ${renderPlan(again.left, { verbose: true })} ${JSON.stringify(again.failed)}`
            expect(again.failed, words).toEqual([])
            expect(isEmpty(again.left), words).toBe(true)
            expect(
                cluster.osds.map(({ state }) => state.includes('new')),
                words,
            ).toEqual([false, false])
            expect(poolsOf(cluster), words).toEqual(poolsOf(whole.cluster))
            for (const [path, data] of toldBy(node)) expect(data, `${path}, ${words}`).not.toMatch(/key-of-/)
        }
    }, 120_000)

    it('makes more copies when disks come, and never fewer by itself', async () => {
        const { cluster, apply, plan } = world({ A: '' })
        await apply()
        expect(poolsOf(cluster)).toEqual(['cephfs.data 1 1', 'cephfs.meta 1 1', 'vm-pool 1 1'])
        expect((await plan()).findings.map(({ code }) => code)).toEqual(['no-redundancy'])
        cluster.holds.set(`${DISK}B`, '')
        cluster.holds.set(`${DISK}C`, '')
        expect(isEmpty((await apply()).left)).toBe(true)
        expect(poolsOf(cluster)).toEqual(['cephfs.data 3 2', 'cephfs.meta 3 2', 'vm-pool 3 2'])
        expect(cluster.settings.map(({ name }) => name)).not.toContain('mon_allow_pool_size_one')
        cluster.pools.push({ ...cluster.pools[0]!, pool_name: '.mgr' })
        cluster.osds.pop()
        const { groups } = await plan()
        expect(groups.flatMap(({ steps }) => steps).filter(({ say }) => /Keep|Write/.test(say))).toMatchObject([
            { say: 'Keep 2 of everything in new pools' },
            { say: 'Write while 1 can be written' },
            { say: 'Keep 2 of everything in .mgr' },
            { say: 'Write to .mgr while 1 can be written' },
        ])
    })

    it('makes no OSD anew that was there: it says so', async () => {
        const { cluster, apply, plan } = world({ A: '', B: '' })
        await apply()
        cluster.volumes.delete(`${DISK}A`)
        const { findings, groups } = await plan()
        expect(findings).toMatchObject([{ code: 'osd-missing' }])
        expect(groups).toEqual([])
    })
})
