// What Kubernetes is told: documents by published schemas, networks that collide with nothing, keys and manifests refused.
import { Deployment } from 'kubernetes-models/apps/v1'
import { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1'
import { StorageClass } from 'kubernetes-models/storage.k8s.io/v1'
import { ConfigMap, Namespace, Pod, ServiceAccount } from 'kubernetes-models/v1'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { apply } from '../../engine/apply.ts'
import { kitOf } from '../../engine/kit.ts'
import type { Resource } from '../../engine/resource.ts'
import { type SimulatedNode, simulatedNode } from '../../engine/testing/node.ts'
import { fakeClock } from '../../ports/fake.ts'
import { overlaps, parseCidr } from '../network/cidr.ts'
import { isOurKey } from './apt.ts'
import { calicoSettings, readCalico } from './calico.ts'
import { parseImages } from './crictl.ts'
import { kubeadmDocuments, kubeadmText, parseVersion } from './kubeadm.ts'
import { parseWorkload } from './kubectl.ts'
import { storageObjects, storageText } from './local-path.ts'
import { planCalico } from './plan-cluster.ts'
import { hostOpenings, kubernetesKernel } from './plan-host.ts'
import { chooseNetworks } from './plan-networks.ts'
import { kubernetesResources, kubernetesTools } from './resources.ts'
import { kubernetesSpec } from './spec.ts'
import { clusterTools, MANIFEST, NET } from './testing/cluster.ts'
import { ARCHIVE } from './versions.ts'
import type { KubernetesWant } from './want.ts'

const overlap = (one: string, other: string) => overlaps(parseCidr(one)!, parseCidr(other)!)
const wantOf = (spec: object = {}): KubernetesWant => ({
    ...{ spec: kubernetesSpec.parse({ enabled: true, ...spec }), hostname: 'node1', fqdn: 'node1.example.org' },
    ...{ taken: [], administrators: ['ann'], volumes: { path: '/srv/k8s', on: 'on ZFS' } },
})
const NETWORKS = { pods: '10.244.0.0/16', services: '10.96.0.0/16' }

describe('what kubeadm is told', () => {
    // Fields of kubeadm.k8s.io/v1beta4 and the component configurations that are used here: no other key is known.
    const argument = z.strictObject({ name: z.string(), value: z.string() })
    const documents = z.tuple([
        z.strictObject({
            apiVersion: z.literal('kubeadm.k8s.io/v1beta4'),
            kind: z.literal('InitConfiguration'),
            localAPIEndpoint: z.strictObject({ advertiseAddress: z.ipv4().optional(), bindPort: z.int() }),
            nodeRegistration: z.strictObject({
                name: z.string(),
                criSocket: z.string().startsWith('unix://'),
                imagePullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']),
                taints: z.tuple([]),
                kubeletExtraArgs: z.array(argument).optional(),
            }),
        }),
        z.strictObject({
            apiVersion: z.literal('kubeadm.k8s.io/v1beta4'),
            kind: z.literal('ClusterConfiguration'),
            clusterName: z.string(),
            kubernetesVersion: z.string().regex(/^v1\.35\.\d+$/),
            networking: z.strictObject({ podSubnet: z.cidrv4(), serviceSubnet: z.cidrv4(), dnsDomain: z.string() }),
            apiServer: z.strictObject({ certSANs: z.array(z.string()) }),
            etcd: z.strictObject({ local: z.strictObject({ dataDir: z.string() }) }),
        }),
        z.strictObject({
            apiVersion: z.literal('kubelet.config.k8s.io/v1beta1'),
            kind: z.literal('KubeletConfiguration'),
            cgroupDriver: z.enum(['systemd', 'cgroupfs']),
            failSwapOn: z.boolean(),
            containerRuntimeEndpoint: z.string(),
        }),
        z.strictObject({
            apiVersion: z.literal('kubeproxy.config.k8s.io/v1alpha1'),
            kind: z.literal('KubeProxyConfiguration'),
            mode: z.enum(['iptables', 'nftables', 'ipvs']),
        }),
    ])

    it.each([{}, { address: '10.0.0.5' }])('has the fields of its version and no others: %j', spec => {
        const text = kubeadmText(kubeadmDocuments(wantOf(spec), NETWORKS, 'v1.35.4'))
        const told = parseAllDocuments(text).map(one => one.toJS())
        expect(documents.parse(told)).toEqual(told)
    })

    it('names the address everywhere, where the document has one', () => {
        const text = kubeadmText(kubeadmDocuments(wantOf({ address: '10.0.0.5' }), NETWORKS, 'v1.35.4'))
        expect(text.match(/10\.0\.0\.5/g)).toHaveLength(3)
    })
})

describe('what the cluster is handed for volumes', () => {
    const kinds = {
        ...{ Namespace, ServiceAccount, Role, ClusterRole, RoleBinding, ClusterRoleBinding, ConfigMap },
        ...{ Deployment, StorageClass },
    }
    const objects = parseAllDocuments(storageText(storageObjects('/srv/k8s', 'mark'))).map(one => one.toJS())

    it.each(objects.map(one => [one.kind, one.metadata.name, one] as const))('is a valid %s %s', (kind, _, object) => {
        const Kind = kinds[kind as keyof typeof kinds]
        expect(() => new Kind(object).validate()).not.toThrow()
        // A schema that takes everything would be none.
        expect(() => new Kind({ ...object, metadata: 'none' } as never).validate()).toThrow()
    })

    it('holds a valid pod for its helper, and the folder', () => {
        const { data } = objects.find(one => one.metadata.name === 'local-path-config')
        expect(() => new Pod(parse(data['helperPod.yaml'])).validate()).not.toThrow()
        expect(JSON.parse(data['config.json']).nodePathMap[0].paths).toEqual(['/srv/k8s'])
    })
})

describe('networks of Kubernetes', () => {
    const choose = (sights: string[], spec: object = {}, taken: string[] = []) => {
        const seen = sights.map(network => ({ network, by: 'eth0' }))
        const { networks, findings } = chooseNetworks({ spec: wantOf(spec).spec, taken }, seen, overlap)
        return { ...networks, codes: findings.map(({ code }) => code) }
    }

    it('are the usual ones, unless those collide with anything in sight or in the document', () => {
        expect(choose([])).toEqual({ ...NETWORKS, codes: [] })
        expect(choose(['192.168.122.0/24', '172.17.0.0/16'])).toEqual({ ...NETWORKS, codes: [] })
        expect(choose(['10.244.9.1/32'])).toMatchObject({ pods: '10.245.0.0/16', codes: ['network-moved'] })
        expect(choose([], {}, ['10.96.0.0/24'])).toMatchObject({ services: '10.97.0.0/16', codes: ['network-moved'] })
        expect(choose(['10.0.0.0/8'])).toMatchObject({ pods: '172.27.0.0/16', services: '172.26.0.0/16' })
        expect(choose(['0.0.0.0/1', '128.0.0.0/1']).codes).toEqual(['no-network', 'no-network'])
    })

    it('are the named ones, which collide neither with others nor with one another', () => {
        expect(choose([], { podNetwork: '10.9.0.0/16' })).toMatchObject({ pods: '10.9.0.0/16', codes: [] })
        expect(choose(['10.9.3.0/24'], { podNetwork: '10.9.0.0/16' }).codes).toEqual(['network-taken'])
        expect(choose([], { podNetwork: '10.9.0.0/16', serviceNetwork: '10.9.8.0/24' }).codes).toContain(
            'network-taken',
        )
        expect(choose([], { serviceNetwork: '10.244.0.0/20' })).toMatchObject({ pods: '10.245.0.0/16' })
    })
})

describe('the manifest of Calico', () => {
    it('gets the network of pods and the address of the node, and keeps the rest', () => {
        const text = readCalico(MANIFEST).render(calicoSettings('10.245.0.0/16'), 'abc')
        const [account, set, mark] = parseAllDocuments(text).map(one => one.toJS())
        const before = parseAllDocuments(MANIFEST).map(one => one.toJS())
        expect(account).toEqual(before[0])
        expect(set.spec.template.spec.containers[0].env).toEqual([
            { name: 'CALICO_IPV4POOL_IPIP', value: 'Never' },
            { name: 'CALICO_IPV4POOL_CIDR', value: '10.245.0.0/16' },
            { name: 'CALICO_IPV4POOL_VXLAN', value: 'Always' },
            { name: 'IP_AUTODETECTION_METHOD', value: 'kubernetes-internal-ip' },
        ])
        expect(mark).toMatchObject({ kind: 'ConfigMap', data: { mark: 'abc' } })
    })

    it('is refused when it is another version, holds something else, or is no manifest', () => {
        const troubles = (text: string) => readCalico(text).troubles
        expect(troubles(MANIFEST)).toEqual([])
        expect(troubles(MANIFEST.replace('node:v3.31.5', 'node:v3.30.0'))).toEqual([
            'the image quay.io/calico/node:v3.30.0',
        ])
        expect(troubles(MANIFEST.replace('quay.io/calico', 'evil.example/calico'))).toHaveLength(1)
        expect(troubles(`${MANIFEST}---\nkind: Pod\nmetadata: { namespace: default }\n`)).toEqual([
            'a Pod',
            'the namespace default',
        ])
        expect(troubles('<html>not found</html>')).toEqual(['no calico-node'])
        expect(troubles('a: [')).not.toEqual([])
        const seen = { ready: true, mark: '', podNetwork: '10.244.0.0/16', manifest: 'a: [', reached: true }
        expect(planCalico(seen, String)).toMatchObject({ steps: [], findings: [{ code: 'calico-unfit' }] })
    })
})

describe('answers of tools', () => {
    it('are believed for what they are', () => {
        const key = (print: string) =>
            `tru::1:1:0:3:1:5\npub:-:2048:1:2346:1:::-:::scSC::::::23::0:\nfpr:::::::::${print}:\nuid:-::::1::A::isv\n`
        expect(isOurKey(key(ARCHIVE.fingerprint))).toBe(true)
        expect(isOurKey(key('0'.repeat(40)))).toBe(false)
        expect(isOurKey(key(ARCHIVE.fingerprint) + key('0'.repeat(40)))).toBe(false)
        expect(isOurKey('')).toBe(false)
        expect(parseVersion('v1.35.4\n')).toBe('v1.35.4')
        expect(parseVersion('I1127 something')).toBeUndefined()
        expect(parseImages('{"images":[{"repoTags":["a:1","b:2"]},{"repoTags":[]}]}')).toEqual(['a:1', 'b:2'])
        expect(parseImages('level=fatal')).toEqual([])
        expect(parseWorkload('quay.io/calico/node:v1 ')).toEqual({ image: 'quay.io/calico/node:v1', ready: 0 })
        expect(parseWorkload('\n')).toBeUndefined()
    })
})

describe('Kubernetes beside the rest of the node', () => {
    it('opens its API to whom the document says, the rest to the cluster, and nothing while it is off', () => {
        const open = (spec: object) => hostOpenings(wantOf(spec)).map(({ port, from }) => [port, from])
        expect(open({})).toEqual([
            [6443, 'any'],
            [10250, 'cluster'],
            [4789, 'cluster'],
        ])
        expect(open({ api: ['10.0.0.0/8'] })[0]).toEqual([6443, ['10.0.0.0/8']])
        expect(open({ enabled: false })).toEqual([])
        expect(kubernetesKernel({ enabled: false })).toEqual({})
    })

    it('leaves no record of an apply that could do nothing but wait', async () => {
        const files = { '/proc/1/stat': `1 (x) ${'0 '.repeat(30)}`, '/usr/bin/curl': '', '/usr/bin/gpg': '' }
        const brings = { containerd: ['containerd.service'] }
        const node: SimulatedNode = simulatedNode({ files, brings, tools: clusterTools(() => node) })
        const made = kubernetesResources({ want: () => wantOf(), defined: async () => [], overlap })
        const resources = made as readonly unknown[] as Resource[]
        const again = () =>
            apply(
                { resources, kit: kitOf(kubernetesTools), touch: node.touch, clock: fakeClock(), pid: 1 },
                { document: {}, text: '', by: 'timer', signal: new AbortController().signal },
            )
        expect((await again()).id).not.toBe('')
        const { id, left } = await again()
        expect([id, left.findings.map(({ code }) => code)]).toEqual(['', ['packages-away']])
    })

    it('writes keys to their owner alone, and to no journal', async () => {
        const files = { '/proc/1/stat': `1 (x) ${'0 '.repeat(30)}`, [NET]: 'archive registry calico' }
        for (const name of ['curl', 'gpg', 'crictl', 'kubeadm']) Object.assign(files, { [`/usr/bin/${name}`]: '' })
        const passwd = 'root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n'
        const node: SimulatedNode = simulatedNode({
            files: { ...files, '/etc/passwd': passwd, '/etc/group': 'root:x:0:\nann:x:1000:\n' },
            brings: { kubelet: ['kubelet.service'], containerd: ['containerd.service'] },
            tools: clusterTools(() => node),
        })
        const resources = kubernetesResources({ want: () => wantOf(), defined: async () => [], overlap })
        const deps = { resources: resources as readonly unknown[] as Resource[], kit: kitOf(kubernetesTools) }
        const applied = await apply(
            { ...deps, touch: node.touch, clock: fakeClock(), pid: 1 },
            { document: {}, text: '', by: 'test', signal: new AbortController().signal },
        )
        expect(applied).toMatchObject({ failed: [], left: { groups: [] } })
        const mine = '/home/ann/.kube/config'
        expect(await node.system.readText(mine)).toBe('a kubeconfig with a key')
        expect(node.system.modes.get(mine)).toBe(0o600)
        expect(node.system.owners.get(mine)).toEqual({ uid: 1000, gid: 1000 })
        const told = [...node.system.files].filter(([, data]) => data?.toString().includes('kubeconfig with a key'))
        expect(told.map(([path]) => path)).toEqual([mine])
        expect(node.system.ran.find(argv => argv[1] === 'init')).toContain('--skip-token-print')
        expect(node.system.ran.filter(argv => argv[1] === 'init')).toHaveLength(1)
    })
})
