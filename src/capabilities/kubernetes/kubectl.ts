// kubectl: what it is asked about the cluster of this node, and how manifests are handed to it.
import type { Tool } from '../../engine/kit.ts'
import type { Condition } from '../../engine/step.ts'
import { ADMIN_CONF } from './versions.ts'

export const kubectlTool: Tool = { name: 'kubectl', program: '/usr/bin/kubectl', half: 'machine' }

export const kubectlArgs = (...words: string[]): string[] => [
    ...['--kubeconfig', ADMIN_CONF, '--request-timeout=20s', ...words],
]
const ask = (...words: string[]): [string, ...string[]] => [kubectlTool.program, ...kubectlArgs(...words)]

/** Says `ok`. */
export const askReady = ask('get', '--raw', '/readyz')
export const isReady: Condition = {
    ...{ is: 'tool', tool: 'kubectl', args: kubectlArgs('get', '--raw', '/readyz'), says: 'ok' },
}

/** The add-ons that kubeadm makes last: with them, an init is whole. Ends with 1 while one is missing. */
export const askAddons = ask(
    '--namespace',
    'kube-system',
    'get',
    'daemonset/kube-proxy',
    'deployment/coredns',
    '-o',
    'name',
)

/** Keys of the taints, with spaces. */
export const askTaints = (node: string) => ask('get', 'node', node, '-o', 'jsonpath={.spec.taints[*].key}')
export const CONTROL_TAINT = 'node-role.kubernetes.io/control-plane'

/** The mark of what was applied last; nothing where nothing was. */
export const askMark = (set: string) =>
    ask(
        '--namespace',
        'kube-system',
        'get',
        'configmap',
        `debvisor-${set}`,
        '--ignore-not-found',
        '-o',
        'jsonpath={.data.mark}',
    )

/** `kind/name`, its image and how many of it are ready. */
export const askWorkload = (namespace: string, kind: string, name: string) => {
    const ready = kind === 'daemonset' ? '{.status.numberReady}' : '{.status.readyReplicas}'
    const fields = `{.spec.template.spec.containers[0].image} ${ready}`
    return ask('--namespace', namespace, 'get', kind, name, '--ignore-not-found', '-o', `jsonpath=${fields}`)
}

export interface Workload {
    image: string
    ready: number
}

export function parseWorkload(stdout: string): Workload | undefined {
    const [image, ready] = stdout.trim().split(' ')
    return image ? { image, ready: Number(ready ?? 0) } : undefined
}

export const askClass = (name: string) => ask('get', 'storageclass', name, '--ignore-not-found', '-o', 'name')

/** The server merges: large definitions do not fit into the note that kubectl would leave otherwise. */
export const applyArgs = (file: string): string[] =>
    kubectlArgs('apply', '--server-side', '--force-conflicts', '--field-manager=debvisor', '--filename', file)

export const rolledOut = (namespace: string, workload: string): Condition => ({
    ...{ is: 'tool', tool: 'kubectl', says: 'successfully rolled out' },
    args: kubectlArgs('--namespace', namespace, 'rollout', 'status', workload, '--watch=false'),
})
