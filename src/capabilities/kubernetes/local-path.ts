// Volumes in a folder of the node: the objects of local-path-provisioner, and the class that asks for them.
import { stringify } from 'yaml'
import { markObject } from './calico.ts'
import { PROVISIONER } from './versions.ts'

export const CLASS = 'debvisor-local'
export const NAMESPACE = 'debvisor-storage'
export const WORKLOAD = 'local-path-provisioner'

/** In the order in which they can be made. */
export function storageObjects(path: string, mark: string): object[] {
    const labels = { app: WORKLOAD }
    const inside = (name: string) => ({ name, namespace: NAMESPACE })
    const subjects = [{ kind: 'ServiceAccount', ...inside(WORKLOAD) }]
    const rbac = 'rbac.authorization.k8s.io'
    const script = (line: string) => `#!/bin/sh\nset -eu\n${line}\n`
    // Its pod makes and removes the folder of a volume, on the node.
    const helper = {
        ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'helper-pod' } },
        spec: {
            priorityClassName: 'system-node-critical',
            containers: [{ name: 'helper-pod', image: PROVISIONER.helperImage, imagePullPolicy: 'IfNotPresent' }],
        },
    }
    return [
        {
            ...{ apiVersion: 'v1', kind: 'Namespace' },
            // The helper mounts a folder of the node.
            metadata: { name: NAMESPACE, labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } },
        },
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata: inside(WORKLOAD) },
        {
            ...{ apiVersion: `${rbac}/v1`, kind: 'Role', metadata: inside(WORKLOAD) },
            rules: [
                {
                    ...{ apiGroups: [''], resources: ['pods'] },
                    verbs: ['get', 'list', 'watch', 'create', 'patch', 'update', 'delete'],
                },
            ],
        },
        {
            ...{ apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: { name: `debvisor-${WORKLOAD}` } },
            rules: [
                {
                    ...{ apiGroups: [''], verbs: ['get', 'list', 'watch'] },
                    resources: ['nodes', 'persistentvolumeclaims', 'configmaps', 'pods', 'pods/log'],
                },
                {
                    ...{ apiGroups: [''], resources: ['persistentvolumes'] },
                    verbs: ['get', 'list', 'watch', 'create', 'patch', 'update', 'delete'],
                },
                { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] },
                { apiGroups: ['storage.k8s.io'], resources: ['storageclasses'], verbs: ['get', 'list', 'watch'] },
            ],
        },
        {
            ...{ apiVersion: `${rbac}/v1`, kind: 'RoleBinding', metadata: inside(WORKLOAD), subjects },
            roleRef: { apiGroup: rbac, kind: 'Role', name: WORKLOAD },
        },
        {
            ...{
                apiVersion: `${rbac}/v1`,
                kind: 'ClusterRoleBinding',
                metadata: { name: `debvisor-${WORKLOAD}` },
                subjects,
            },
            roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: `debvisor-${WORKLOAD}` },
        },
        {
            ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: inside('local-path-config') },
            data: {
                'config.json': JSON.stringify({
                    nodePathMap: [{ node: 'DEFAULT_PATH_FOR_NON_LISTED_NODES', paths: [path] }],
                }),
                setup: script('mkdir -m 0777 -p "$VOL_DIR"'),
                teardown: script('rm -rf "$VOL_DIR"'),
                'helperPod.yaml': stringify(helper),
            },
        },
        {
            ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: inside(WORKLOAD) },
            spec: {
                ...{ replicas: 1, selector: { matchLabels: labels } },
                template: { metadata: { labels }, spec: podSpec() },
            },
        },
        {
            ...{ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass' },
            metadata: { name: CLASS, annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
            ...{
                provisioner: 'rancher.io/local-path',
                volumeBindingMode: 'WaitForFirstConsumer',
                reclaimPolicy: 'Delete',
            },
        },
        markObject('storage', mark),
    ]
}

const podSpec = () => ({
    serviceAccountName: WORKLOAD,
    containers: [
        {
            ...{ name: WORKLOAD, image: PROVISIONER.image, imagePullPolicy: 'IfNotPresent' },
            command: [WORKLOAD, 'start', '--config', '/etc/config/config.json', '--service-account-name', WORKLOAD],
            env: [
                { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
                { name: 'CONFIG_MOUNT_PATH', value: '/etc/config/' },
            ],
            volumeMounts: [{ name: 'config', mountPath: '/etc/config/' }],
        },
    ],
    volumes: [{ name: 'config', configMap: { name: 'local-path-config' } }],
})

export const storageText = (objects: readonly object[]): string =>
    `# Written by DebVisor from /etc/debvisor/node.yaml: a change made here is overwritten.\n${objects
        .map(one => `---\n${stringify(one)}`)
        .join('')}`
