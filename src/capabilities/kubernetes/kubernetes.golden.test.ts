// Kubernetes on simulated machines: the golden plans, applied twice; what cannot be reached waits and is said.
import { join } from 'node:path'
import { describe } from 'vitest'
import { z } from 'zod'
import { runCases } from '../../../tests/cases.ts'
import { kitOf } from '../../engine/kit.ts'
import { overlaps, parseCidr } from '../network/cidr.ts'
import { kubernetesResources, kubernetesTools } from './resources.ts'
import { checkKubernetes, kubernetesSpec } from './spec.ts'
import { clusterTools } from './testing/cluster.ts'

const schema = z.strictObject({ kubernetes: kubernetesSpec.prefault({}) })

const resources = kubernetesResources<z.infer<typeof schema>>({
    want: ({ kubernetes }) => ({
        ...{
            spec: kubernetes,
            hostname: 'node1',
            fqdn: 'node1.example.org',
            taken: [],
            administrators: ['ann', 'bob'],
        },
        volumes: { path: '/srv/k8s', on: 'on ZFS' },
    }),
    defined: async root => {
        const text = await root.readText('/run/simulated/defined')
        return text ? [{ network: text.trim(), by: 'network lab of libvirt' }] : []
    },
    overlap: (one, other) => overlaps(parseCidr(one)!, parseCidr(other)!),
})

describe('Kubernetes of a node', () => {
    const folder = join(import.meta.dirname, 'testdata')
    runCases({ folder, schema, checks: [checkKubernetes], resources, kit: kitOf(kubernetesTools), tools: clusterTools })
})
