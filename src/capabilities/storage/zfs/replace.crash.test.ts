// A replacement that is cut off at every touch: the same command again comes to the same end, and nothing else is lost.
import { describe, expect, it } from 'vitest'
import { type Machine, machineWith } from '../../../../tests/machine.ts'
import { isEmpty } from '../../../engine/plan.ts'
import { createProvision, DOCUMENT } from '../../../engine/provision.ts'
import { fakeClock } from '../../../ports/fake.ts'
import { checks, documentSchema, kit, resources, storageDrivers } from '../../table.provision.ts'

const ALL = process.env.DEBVISOR_ALL === '1'
const BY_ID = '/dev/disk/by-id/'
const TEXT = `profile: zfs\nstorage:\n  zfs:\n    disks:\n      - ${BY_ID}A\n      - ${BY_ID}B # the second\n`
const AFTER = TEXT.replace(`${BY_ID}B`, `${BY_ID}C`)

// Applies are listed by the time at which they began.
let nowMs = Date.UTC(2026, 10, 1)
const later = () => (nowMs += 60_000)

const provisionOf = ({ system }: Machine) =>
    createProvision({
        ...{ schema: documentSchema, checks, kit, clock: fakeClock(later()), pid: 1 },
        resources: resources.filter(({ name }) => name.startsWith('storage.zfs.')),
        touch: { phase: 'boot', root: system, machine: system },
    })
const one = storageDrivers.find(({ name }) => name === 'zfs')!.replace({ old: 'B', new: 'C' })
const by = { by: 'test', signal: new AbortController().signal }

/** A node whose pool has lost a disk, with another one put in. */
async function degraded(holds: string): Promise<Machine> {
    const disks = ['A', 'B', 'C'].map(name => ({ name, holds: name === 'C' ? holds : 'blank' }))
    const machine = machineWith(disks)
    expect((await provisionOf(machine).apply(TEXT, by)).failed).toEqual([])
    machine.held.set(`${BY_ID}B`, 'blank')
    await machine.boot()
    return machine
}

/** As an administrator does it, who agrees to lose what was on the disk at first, and to nothing else. */
async function replace(machine: Machine) {
    const provision = provisionOf(machine)
    const text = await provision.load()
    const { fingerprints } = await provision.planOne(one, text)
    const consents = Object.entries(fingerprints)
        .filter(([, fingerprint]) => fingerprint.includes('ext4'))
        .map(([target, fingerprint]) => ({ target, fingerprint }))
    return provision.applyOne(one, text, { ...by, consents })
}

describe.each(['blank', 'ext4'])('by a disk that is %s', holds => {
    it('is done in two steps; the document and its history follow', async () => {
        const machine = await degraded(holds)
        const provision = provisionOf(machine)
        const before = await provision.plan(TEXT)
        expect(before.findings.map(({ code }) => code)).toContain('pool-health')
        const applied = await replace(machine)
        expect(applied).toMatchObject({ steps: 2, failed: [] })
        expect(isEmpty(applied.left)).toBe(true)
        expect(await machine.system.readText(DOCUMENT)).toBe(AFTER)
        const plan = await provision.plan(AFTER)
        expect([isEmpty(plan), plan.findings]).toEqual([true, []])
        // The next apply, taken back, comes to the document with the new disk.
        const changed = AFTER.replace('zfs:\n', 'zfs:\n    scrub: Mon 03:00\n')
        const { id } = await provisionOf(machine).apply(changed, by)
        expect((await provision.planRollback(id)).document).toBe(AFTER)
    })

    it(
        'is made up for when the power goes at any touch',
        async () => {
            const whole = await degraded(holds)
            await replace(whole)
            const of = whole.moments
            expect(of).toBeGreaterThan(20)
            const all = Array.from({ length: of }, (_, moment) => moment)
            for (const moment of ALL ? all : [...all.filter(at => at % 9 === 0), ...whole.halves]) {
                const machine = await degraded(holds)
                machine.cutAt = moment
                await expect(replace(machine)).rejects.toThrow()
                await machine.boot()
                const again = await replace(machine)
                expect([again.failed, isEmpty(again.left)]).toEqual([[], true])
                expect(await machine.system.readText(DOCUMENT)).toBe(AFTER)
                expect(machine.held.get(`${BY_ID}C`)).toBe('zfs_member')
                expect(machine.overwritten.map(({ disk }) => disk)).toEqual(holds === 'blank' ? [] : [`${BY_ID}C`])
            }
        },
        ALL ? 600_000 : 60_000,
    )
})

it('without a consent what is on the new disk stays', async () => {
    const machine = await degraded('ext4')
    const refused = provisionOf(machine).applyOne(one, TEXT, by)
    await expect(refused).rejects.toMatchObject({ code: 'denied', at: 'consent' })
    expect(machine.held.get(`${BY_ID}C`)).toBe('ext4')
})
