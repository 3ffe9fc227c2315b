// Calico's own manifest: whether it is what was asked for, and the same with this node's network and way to its address.
import { type Document, isMap, isScalar, isSeq, parseAllDocuments, stringify, type YAMLMap, type YAMLSeq } from 'yaml'
import { CALICO } from './versions.ts'

/** What it consists of; anything else is not what was read when the version was chosen. */
const KINDS = new Set([
    ...['PodDisruptionBudget', 'ServiceAccount', 'ConfigMap', 'CustomResourceDefinition'],
    ...['ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding', 'DaemonSet', 'Deployment'],
])
const IMAGE = new RegExp(`^(quay|docker)\\.io/calico/[a-z0-9-]+:${CALICO.version.replaceAll('.', '\\.')}$`)

/**
 * What DebVisor sets in it: the network of pods; always in a tunnel, also between neighbours, since the firewall takes
 * pods of other nodes from the tunnel alone; and the address that kubelet gave the node, whatever other links there are.
 */
export const calicoSettings = (podNetwork: string): Readonly<Record<string, string>> => ({
    CALICO_IPV4POOL_CIDR: podNetwork,
    CALICO_IPV4POOL_VXLAN: 'Always',
    IP_AUTODETECTION_METHOD: 'kubernetes-internal-ip',
})

export interface CalicoManifest {
    /** What speaks against it, in words; nothing where it may be used. */
    troubles: string[]
    /** With the settings, and a mark that says in the cluster what was applied; only where nothing speaks against it. */
    render(settings: Readonly<Record<string, string>>, mark: string): string
}

/** Reads Calico's own text; rendering may be done once. */
export function readCalico(text: string): CalicoManifest {
    const documents = documentsOf(text)
    const env = envOf(documents)
    return {
        troubles: troublesOf(text, documents, env !== undefined),
        render(settings, mark) {
            if (!env) throw new Error('the manifest has no calico-node')
            for (const [name, value] of Object.entries(settings)) setEnv(env, name, value)
            const parts = documents.map(document => document.toString({ lineWidth: 0 }).replace(/^---\n/, ''))
            return [...parts, stringify(markObject('calico', mark))].map(part => `---\n${part}`).join('')
        },
    }
}

function troublesOf(text: string, documents: readonly Document.Parsed[], hasNode: boolean): string[] {
    const broken = documents.flatMap(document => document.errors.map(error => error.message.split('\n')[0]!))
    if (broken.length > 0) return broken
    const troubles = documents.flatMap(document => {
        const kind = String(document.get('kind'))
        const namespace = document.getIn(['metadata', 'namespace'])
        return [
            ...(KINDS.has(kind) ? [] : [`a ${kind}`]),
            ...(namespace === undefined || namespace === 'kube-system' ? [] : [`the namespace ${String(namespace)}`]),
        ]
    })
    const images = [...text.matchAll(/^\s*(?:- )?image: *["']?([^\s"']+)/gm)].map(([, image]) => image!)
    troubles.push(...images.filter(image => !IMAGE.test(image)).map(image => `the image ${image}`))
    if (!hasNode) troubles.push('no calico-node')
    return [...new Set(troubles)]
}

/** Lies in the cluster beside what was applied. */
export const markObject = (set: string, mark: string) => ({
    ...{ apiVersion: 'v1', kind: 'ConfigMap', data: { mark } },
    metadata: { name: `debvisor-${set}`, namespace: 'kube-system' },
})

const documentsOf = (text: string): Document.Parsed[] =>
    (parseAllDocuments(text) as Document.Parsed[]).filter(one => one.errors.length > 0 || isMap(one.contents))

/** The environment of the container that runs on each node. */
function envOf(documents: readonly Document.Parsed[]): YAMLSeq | undefined {
    for (const document of documents) {
        if (document.get('kind') !== 'DaemonSet' || document.getIn(['metadata', 'name']) !== 'calico-node') continue
        const containers = document.getIn(['spec', 'template', 'spec', 'containers'])
        if (!isSeq(containers)) continue
        for (const container of containers.items) {
            if (!isMap(container) || container.get('name') !== 'calico-node') continue
            const env = container.get('env')
            if (isSeq(env)) return env
        }
    }
    return undefined
}

function setEnv(env: YAMLSeq, name: string, value: string): void {
    const nameOf = (item: unknown) => (isMap(item) ? plain((item as YAMLMap).get('name')) : undefined)
    env.items = env.items.filter(item => nameOf(item) !== name)
    env.add({ name, value })
}

const plain = (value: unknown) => (isScalar(value) ? value.value : value)
