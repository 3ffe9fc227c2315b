// Mail on simulated machines: the golden plans, applied twice; a password is in none of them.
import { join } from 'node:path'
import { describe } from 'vitest'
import { z } from 'zod'
import { runCases } from '../../../tests/cases.ts'
import { kitOf } from '../../engine/kit.ts'
import { notifyResources } from './resources.ts'
import { checkNotify, notifySpec } from './spec.ts'

const schema = z.strictObject({ notify: notifySpec.prefault({}) })
const folder = join(import.meta.dirname, 'testdata')

describe('mail of a node', () => {
    runCases({ folder, schema, checks: [checkNotify], resources: notifyResources, kit: kitOf([]) })
})
