// What is wrong on a node: every check is heard, and only what is new is a change.
import { expect, it } from 'vitest'
import { Fault } from '../base/fault.ts'
import type { Finding } from '../base/finding.ts'
import { fakeSystem } from '../ports/fake.ts'
import { changesSince, type HealthCheck, healthOf } from './health.ts'

const finding = (severity: Finding['severity'], code: string, at: string, detail = ''): Finding => ({
    ...{ severity, code, at, summary: code, detail },
})
const check = (name: string, ...findings: Finding[]): HealthCheck => ({ name, look: async () => findings })

it('has the worst first, and a check that cannot look hides no other', async () => {
    const broken: HealthCheck = {
        name: 'disks',
        look: async () => {
            throw new Fault('unavailable', { summary: 'The disks could not be listed', fix: 'Try: lsblk' })
        },
    }
    const checks = [
        check('a', finding('warning', 'full', 'filesystem:/')),
        broken,
        check('b', finding('error', 'disk-failing', 'disk:x')),
    ]
    expect((await healthOf(checks, fakeSystem())).map(({ code, at, fix }) => [code, at, fix])).toEqual([
        ['disk-failing', 'disk:x', undefined],
        ['full', 'filesystem:/', undefined],
        ['not-seen', 'check:disks', 'Try: lsblk'],
    ])
})

it('is the same trouble while its figures move', () => {
    const before = [
        finding('warning', 'full', 'filesystem:/', '90%'),
        finding('warning', 'unit-failed', 'unit:a.service'),
    ]
    const now = [
        finding('warning', 'full', 'filesystem:/', '93%'),
        finding('warning', 'full', 'filesystem:/srv', '91%'),
    ]
    expect(changesSince(before, now)).toEqual({ began: [now[1]], ended: [before[1]] })
    expect(changesSince(now, now)).toEqual({ began: [], ended: [] })
})
