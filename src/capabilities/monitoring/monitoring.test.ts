// The node exporter on simulated machines: the golden plans, applied twice.
import { join } from 'node:path'
import { describe } from 'vitest'
import { z } from 'zod'
import { runCases } from '../../../tests/cases.ts'
import { kitOf } from '../../engine/kit.ts'
import { monitoringResources } from './resources.ts'
import { monitoringSpec } from './spec.ts'

const schema = z.strictObject({ monitoring: monitoringSpec.prefault({}) })
const folder = join(import.meta.dirname, 'testdata')

describe('the node exporter', () => {
    runCases({ folder, schema, checks: [], resources: monitoringResources, kit: kitOf([]) })
})
