// Docker on simulated machines: the golden plans, applied twice, and networks that collide with nothing.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { runCases } from '../../../tests/cases.ts'
import { kitOf } from '../../engine/kit.ts'
import type { SimulatedNode } from '../../engine/testing/node.ts'
import type { FakeTool } from '../../ports/fake.ts'
import { type DockerSeen, planDocker } from './plan.ts'
import { dockerResources } from './resources.ts'
import { checkDocker, dockerSpec } from './spec.ts'

const bits = (text: string) => text.split('.').reduce((value, part) => value * 256 + Number(part), 0)
const addresses = {
    overlap(one: string, other: string) {
        const [[a = '', an = 0], [b = '', bn = 0]] = [one.split('/'), other.split('/')]
        const size = 2 ** (32 - Math.min(Number(an), Number(bn)))
        return Math.floor(bits(a) / size) === Math.floor(bits(b) / size)
    },
    first: (network: string) => `${network.replace(/\.0\/\d+$/, '')}.1/24`,
}
const schema = z.strictObject({ docker: dockerSpec.prefault({}) })
const resources = dockerResources<z.infer<typeof schema>>({ taken: () => ['10.244.0.0/16'], addresses })

// The routes of the simulated machine are a file of it.
const tools = (host: () => SimulatedNode): FakeTool[] => [
    {
        argv: argv => argv[0] === '/usr/sbin/ip',
        answer: async () => ({ stdout: (await host().system.readText('/run/simulated/routes')) ?? '[]' }),
    },
]

describe('Docker of a node', () => {
    const folder = join(import.meta.dirname, 'testdata')
    runCases({ folder, schema, checks: [checkDocker], resources, kit: kitOf([]), tools })
})

describe('networks of Docker', () => {
    const want = { enabled: true, dataRoot: '/var/lib/docker', addressPools: [], taken: [] as string[] }
    const choose = (seen: DockerSeen, more: object = {}) => {
        const { steps, findings } = planDocker({ ...want, ...more }, seen, addresses)
        const [step] = steps
        const content = step?.do === 'write' ? (step.content as string) : undefined
        return { content, pool: /"base": "(.*)"/.exec(content ?? '')?.[1], codes: findings?.map(({ code }) => code) }
    }
    const route = (network: string) => ({ network, device: 'eth0' })

    it('are the first that no route and no part of the document has', () => {
        expect(choose({ routes: [] }).pool).toBe('172.30.0.0/16')
        expect(choose({ routes: [route('172.16.0.0/12')] }).pool).toBe('10.201.0.0/16')
        expect(choose({ routes: [route('172.30.4.1/32')] }, { taken: ['172.29.0.0/24'] }).pool).toBe('172.28.0.0/16')
        expect(choose({ routes: ['172.16.0.0/12', '10.0.0.0/8'].map(route) })).toMatchObject({ codes: ['no-pool'] })
    })

    it('stay what they are while they collide with nothing, and move when they do', () => {
        const { content } = choose({ routes: [route('172.30.0.0/16')] })
        expect(content).toContain('172.29.0.0/16')
        expect(choose({ content, routes: [] })).toMatchObject({ content: undefined, codes: [] })
        expect(choose({ content, routes: [route('172.29.7.0/24')] }).pool).toBe('172.30.0.0/16')
    })

    it('are refused where the document names one that is in use', () => {
        const told = choose({ routes: [route('10.9.0.0/24')] }, { addressPools: ['10.9.0.0/16'] })
        expect(told).toMatchObject({ codes: ['pool-taken'] })
    })
})
