// Accounts on simulated machines: each case's plan is the golden one, is carried out, and applied twice does nothing.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { nodeOf, runCases } from '../../../tests/cases.ts'
import { apply } from '../../engine/apply.ts'
import { readDocument } from '../../engine/document.ts'
import { kitOf } from '../../engine/kit.ts'
import type { Resource } from '../../engine/resource.ts'
import { accountTools } from '../../engine/testing/accounts.ts'
import { fakeClock } from '../../ports/fake.ts'
import { usersResources, usersTools } from './resources.ts'
import { checkUsers, usersSpec } from './spec.ts'

const schema = z.strictObject({ users: usersSpec.prefault({}) })
const kit = kitOf(usersTools)
const folder = join(import.meta.dirname, 'testdata')

describe('users of a node', () => {
    runCases({ folder, schema, checks: [checkUsers], resources: usersResources, kit, tools: accountTools })
})

const HASH = '$y$j9T$sesame$open'
const node = () =>
    nodeOf(
        {
            packages: ['sudo', 'openssh-server'],
            files: {
                '/etc/shadow': 'root:*:1::::::\n',
                '/secret': `${HASH}\n`,
                '/etc/group': 'root:x:0:\nsudo:x:27:\n',
            },
        },
        accountTools,
    )
const text = 'users: { administrators: [{ name: ann, passwordHash: { file: /secret } }] }'

async function applied(machine: ReturnType<typeof node>) {
    const { document } = readDocument(text, schema, [checkUsers])
    const resources = usersResources as readonly unknown[] as Resource[]
    const deps = { resources, kit, touch: machine.touch, clock: fakeClock(), pid: 1 }
    return apply(deps, { document, text, by: 'test', signal: new AbortController().signal })
}

it('a hash stands in no plan, no argument and no journal', async () => {
    const machine = node()
    const { left, failed } = await applied(machine)
    expect(failed).toEqual([])
    expect(await machine.system.readText('/etc/shadow')).toContain(`ann:${HASH}:`)
    expect(JSON.stringify(left)).not.toContain('sesame')
    expect(machine.system.ran.flat().join(' ')).not.toContain('sesame')
    const holding = [...machine.system.files].filter(([, data]) => data && Buffer.from(data).includes('sesame'))
    expect(holding.map(([path]) => path).sort()).toEqual(['/etc/shadow', '/secret'])
})

it('rules that visudo refuses are never installed', async () => {
    const machine = nodeOf(
        { packages: ['sudo', 'openssh-server'], files: { '/etc/shadow': '', '/secret': HASH } },
        host => [{ argv: argv => argv[0] === '/usr/sbin/visudo', answer: { exitCode: 1 } }, ...accountTools(host)],
    )
    const { failed } = await applied(machine)
    expect(failed.map(({ resource }) => resource)).toEqual(['users.sudo'])
    expect(await machine.system.readText('/etc/sudoers.d/debvisor')).toBeUndefined()
})
