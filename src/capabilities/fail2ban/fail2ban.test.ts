// fail2ban on simulated machines: the golden plans, applied twice; and the filter against lines of a real journal.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { runCases } from '../../../tests/cases.ts'
import { kitOf } from '../../engine/kit.ts'
import { fail2banBasics } from './plan.ts'
import { fail2banResources } from './resources.ts'
import { fail2banSpec } from './spec.ts'

const schema = z.strictObject({ fail2ban: fail2banSpec.prefault({}) })
const folder = join(import.meta.dirname, 'testdata')

describe('fail2ban of a node', () => {
    runCases({ folder, schema, checks: [], resources: fail2banResources(() => true), kit: kitOf([]) })
})

describe('the filter of Cockpit', () => {
    const { files = [] } = fail2banBasics({ ...schema.parse({}).fail2ban, cockpit: true })
    const text = String(files.find(({ path }) => path.endsWith('debvisor-cockpit.conf'))?.content)
    // fail2ban puts a group for the address in the place of <HOST>.
    const filter = new RegExp(/^failregex = (.*)$/m.exec(text)![1]!.replace('<HOST>', '(?:::f{4,6}:)?([0-9a-f.:]+)'))
    const line = (words: string) => `node1 cockpit-session[812]: pam_unix(cockpit:auth): ${words}`
    const guess = (rest: string) => line(`authentication failure; logname= uid=0 euid=0 tty= ruser= ${rest}`)

    it('finds the address of a wrong guess', () => {
        expect(filter.exec(guess('rhost=::ffff:192.0.2.7  user=ann'))?.[1]).toBe('192.0.2.7')
        expect(filter.exec(guess('rhost=2001:db8::7'))?.[1]).toBe('2001:db8::7')
    })

    it('cannot be led to shut out somebody else', () => {
        expect(filter.exec(guess('rhost=192.0.2.7  user=x rhost=10.1.0.1'))?.[1]).toBe('192.0.2.7')
        expect(filter.exec(line('session opened for user ann(uid=1000) rhost=10.1.0.1'))).toBeNull()
        expect(filter.exec(`node1 sshd[1]: ${guess('rhost=10.1.0.1')}`)).toBeNull()
    })
})
