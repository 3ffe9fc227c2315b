// The power goes while Kubernetes is made: the next apply goes on, an init is never run over a half-made one.
import { expect, it } from 'vitest'
import { type Applied, apply } from '../../engine/apply.ts'
import { kitOf } from '../../engine/kit.ts'
import type { Resource } from '../../engine/resource.ts'
import { type SimulatedNode, simulatedNode } from '../../engine/testing/node.ts'
import { fakeClock } from '../../ports/fake.ts'
import { kubernetesResources, kubernetesTools } from './resources.ts'
import { kubernetesSpec } from './spec.ts'
import { clusterTools, NET } from './testing/cluster.ts'
import { CALICO, KEY_FILE, READY, RECORD, TRACES } from './versions.ts'

const resources = kubernetesResources({
    want: () => ({
        ...{ spec: kubernetesSpec.parse({ enabled: true }), hostname: 'node1', fqdn: 'node1.local', taken: [] },
        ...{ administrators: [], volumes: { path: '/srv/k8s', on: 'on ZFS' } },
    }),
    defined: async () => [],
    overlap: () => false,
}) as readonly unknown[] as Resource[]

function machine(): SimulatedNode {
    const files: Record<string, string> = {
        '/proc/1/stat': `1 (x) ${'0 '.repeat(30)}`,
        [NET]: 'archive registry calico',
    }
    for (const name of ['curl', 'gpg', 'crictl', 'kubeadm']) files[`/usr/bin/${name}`] = ''
    const brings = { kubelet: ['kubelet.service'], containerd: ['containerd.service'] }
    const node: SimulatedNode = simulatedNode({ files, brings, tools: clusterTools(() => node) })
    return node
}

const applyOn = (node: SimulatedNode): Promise<Applied> =>
    apply(
        { resources, kit: kitOf(kubernetesTools), touch: node.touch, clock: fakeClock(), pid: 1 },
        { document: {}, text: '', by: 'test', signal: new AbortController().signal },
    )

/** Cuts the power at the nth touch that fits, and all that comes after it. */
async function cutAt(node: SimulatedNode, fits: (argv: readonly string[]) => boolean, before?: () => void) {
    let gone = false
    node.onTouch = argv => {
        if (fits(argv) && !gone) {
            before?.()
            gone = true
        }
        if (gone) throw new Error('the power is gone')
    }
    await applyOn(node).catch(() => undefined)
    expect(gone).toBe(true)
    node.onTouch = () => {}
    // The lock was of a process that is gone.
    for (const path of [...node.system.files.keys()]) if (/\/lock/.test(path)) node.system.files.delete(path)
}

const initsOf = ({ system }: SimulatedNode) => system.ran.filter(argv => argv[1] === 'init').length
const writes = (path: string) => (argv: readonly string[]) => argv[0] === 'write' && argv[1] === path
const noteSays = (node: SimulatedNode) => node.system.readText(RECORD)

it.each([
    ['the key is fetched', writes(KEY_FILE)],
    ['packages are installed', (argv: readonly string[]) => argv[0] === 'apt-get' && argv.includes('kubeadm')],
    ['the beginning is noted', writes(RECORD)],
    ['kubeadm begins', (argv: readonly string[]) => argv[1] === 'init'],
    ['Calico is handed over', (argv: readonly string[]) => argv.at(-1) === CALICO.rendered],
    ['the end is noted', writes(READY)],
])('goes on after the power went when %s', async (_, fits) => {
    const node = machine()
    await cutAt(node, fits)
    expect(await applyOn(node)).toMatchObject({ failed: [], left: { groups: [] } })
    expect(await node.system.readText(READY)).toBe('yes\n')
})

it('takes an init that had ended, and was not noted, for what it is', async () => {
    const node = machine()
    let noted = 0
    await cutAt(node, argv => writes(RECORD)(argv) && ++noted === 2)
    expect(await noteSays(node)).toContain('begun')
    expect(await applyOn(node)).toMatchObject({ failed: [], left: { groups: [] } })
    expect(initsOf(node)).toBe(1)
})

it('tells of an init that was cut off, and does not run another one over it', async () => {
    const node = machine()
    const half = () => void node.system.files.set(TRACES[0]!, Buffer.from(''))
    await cutAt(node, argv => argv[1] === 'init', half)
    const { left, failed } = await applyOn(node)
    expect(failed).toEqual([])
    expect(left.findings.map(({ code }) => code)).toEqual(['cluster-half-made'])
    expect(initsOf(node)).toBe(1)
})
