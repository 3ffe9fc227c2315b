// Mail on simulated machines: the golden plans, applied twice; a password is in none of them.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { runCases } from '../../../tests/cases.ts'
import { kitOf } from '../../engine/kit.ts'
import { failedUnitsBasics, planFailedUnits } from './plan.ts'
import { notifyResources, notifyTools } from './resources.ts'
import { checkNotify, notifySpec } from './spec.ts'

const schema = z.strictObject({ notify: notifySpec.prefault({}) })
const folder = join(import.meta.dirname, 'testdata')

describe('mail of a node', () => {
    runCases({ folder, schema, checks: [checkNotify], resources: notifyResources, kit: kitOf(notifyTools) })
})

describe('mail about failed services', () => {
    const said = { server: 's', from: 'a@b.c', to: ['d@e.f'] }
    const mail = (more: object) => schema.parse({ notify: { mail: { ...said, ...more } } }).notify.mail!
    const contents = (more: object) => (failedUnitsBasics(mail(more)).files ?? []).map(({ content }) => content)

    it('goes away with all its files', () => {
        expect(contents({}).every(content => typeof content === 'string')).toBe(true)
        expect(contents({ failedUnits: false })).toEqual([undefined, undefined, undefined])
    })

    it('is not told of itself: its own drop-in of the same name says nothing', () => {
        const own = failedUnitsBasics(mail({})).files!.filter(({ path }) => path.endsWith('/50-debvisor-notify.conf'))
        expect(own.map(({ path, content }) => [path, String(content).includes('OnFailure')])).toEqual([
            ['/etc/systemd/system/service.d/50-debvisor-notify.conf', true],
            ['/etc/systemd/system/debvisor-notify@.service.d/50-debvisor-notify.conf', false],
        ])
    })

    it('needs systemd to read its files, once', () => {
        expect(planFailedUnits(mail({}), { stale: true }).steps).toMatchObject([{ args: ['daemon-reload'] }])
        expect(planFailedUnits(mail({}), { stale: false }).steps).toEqual([])
    })
})
