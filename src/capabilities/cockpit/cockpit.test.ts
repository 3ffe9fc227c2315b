// Cockpit on simulated machines: the golden plans, applied twice, and its port.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { runCases } from '../../../tests/cases.ts'
import { kitOf } from '../../engine/kit.ts'
import { cockpitOpenings } from './plan.ts'
import { cockpitResources } from './resources.ts'
import { cockpitSpec } from './spec.ts'

const schema = z.strictObject({ cockpit: cockpitSpec.prefault({}) })
const folder = join(import.meta.dirname, 'testdata')

describe('Cockpit of a node', () => {
    runCases({ folder, schema, checks: [], resources: cockpitResources, kit: kitOf([]) })
})

it('opens its port while it runs, and to whom the document says', () => {
    const opened = (text: object) => cockpitOpenings(cockpitSpec.parse(text)).map(({ port, from }) => [port, from])
    expect(opened({})).toEqual([[9090, 'any']])
    expect(opened({ from: ['10.1.0.0/16'] })).toEqual([[9090, ['10.1.0.0/16']]])
    expect(opened({ enabled: false })).toEqual([])
})
