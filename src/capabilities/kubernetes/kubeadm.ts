// kubeadm: its configuration (v1beta4), its words, and what they mean. (kubeadm-init(1), kubeadm-config.v1beta4)
import { stringify } from 'yaml'
import type { Tool } from '../../engine/kit.ts'
import type { Networks } from './plan-networks.ts'
import { CONTAINERD_SOCKET, KUBEADM_FILE, PORTS } from './versions.ts'
import type { KubernetesWant } from './want.ts'

export const kubeadmTool: Tool = { name: 'kubeadm', program: '/usr/bin/kubeadm', half: 'machine' }

export const askVersion: [string, ...string[]] = [kubeadmTool.program, 'version', '--output', 'short']
/** `v1.35.4`; undefined for anything else. */
export const parseVersion = (stdout: string): string | undefined => /^v\d+\.\d+\.\d+$/.exec(stdout.trim())?.[0]

/** One a line, with tags. */
export const askImages = (version: string): [string, ...string[]] => [
    ...([kubeadmTool.program, 'config', 'images', 'list', '--kubernetes-version', version] as const),
]

/** What kubeadm is told, as documents. */
export function kubeadmDocuments(want: KubernetesWant, { pods, services }: Networks, version: string): object[] {
    const { spec, hostname, fqdn } = want
    const api = 'kubeadm.k8s.io/v1beta4'
    return [
        {
            ...{ apiVersion: api, kind: 'InitConfiguration' },
            localAPIEndpoint: { ...(spec.address ? { advertiseAddress: spec.address } : {}), bindPort: PORTS.api },
            nodeRegistration: {
                ...{ name: hostname, criSocket: CONTAINERD_SOCKET, imagePullPolicy: 'IfNotPresent' },
                // Empty, not absent: pods run on this node as well.
                taints: [],
                ...(spec.address ? { kubeletExtraArgs: [{ name: 'node-ip', value: spec.address }] } : {}),
            },
        },
        {
            ...{ apiVersion: api, kind: 'ClusterConfiguration', clusterName: hostname, kubernetesVersion: version },
            networking: { podSubnet: pods, serviceSubnet: services, dnsDomain: 'cluster.local' },
            apiServer: { certSANs: [...new Set([hostname, fqdn, ...(spec.address ? [spec.address] : [])])] },
            // Of its own, on its usual ports: DebVisor's etcd has others.
            etcd: { local: { dataDir: '/var/lib/etcd' } },
        },
        {
            ...{ apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration' },
            ...{ cgroupDriver: 'systemd', failSwapOn: true, containerRuntimeEndpoint: CONTAINERD_SOCKET },
        },
        { apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration', mode: 'iptables' },
    ]
}

export const kubeadmText = (documents: readonly object[]): string =>
    `# Written by DebVisor from /etc/debvisor/node.yaml, and read once, by kubeadm init.\n${documents
        .map(one => `---\n${stringify(one)}`)
        .join('')}`

export const validateArgs = ['config', 'validate', '--config', KUBEADM_FILE]
/** Without the tokens and keys that it would print: what a tool says is kept in the journal of the apply. */
export const initArgs = ['init', '--config', KUBEADM_FILE, '--skip-token-print', '--skip-certificate-key-print']

/** The group that kubeadm itself binds to cluster-admin. */
export const kubeconfigArgs = (user: string): string[] => [
    ...['kubeconfig', 'user', '--config', KUBEADM_FILE, '--client-name', user, '--org', 'kubeadm:cluster-admins'],
]
