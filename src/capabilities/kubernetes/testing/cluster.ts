// A Kubernetes in memory for tests: kubeadm, kubectl and the archives answer by files of the simulated machine.
import type { SimulatedNode } from '../../../engine/testing/node.ts'
import type { FakeTool } from '../../../ports/fake.ts'
import type { ToolRun } from '../../../ports/ports.ts'
import { ARCHIVE, CALICO, KEY_FILE, PROVISIONER, TRACES } from '../versions.ts'

/** Words of what can be reached: `archive`, `registry`, `calico`. */
export const NET = '/run/simulated/net'
const ROUTES = '/run/simulated/routes'
const IMAGES = '/run/simulated/images'
/** `ok` while the API answers. */
export const API = '/run/simulated/api'
const OBJECTS = '/run/simulated/objects'
const NEEDED = ['registry.k8s.io/kube-apiserver:v1.35.4', 'registry.k8s.io/pause:3.10.1']

/** Made up: of the shape of Calico's own, and nothing of its text. */
export const MANIFEST = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'calico-node', namespace: 'kube-system' } },
    {
        ...{ apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'calico-node', namespace: 'kube-system' } },
        spec: {
            selector: { matchLabels: { app: 'calico-node' } },
            template: {
                metadata: { labels: { app: 'calico-node' } },
                spec: {
                    containers: [
                        {
                            ...{ name: 'calico-node', image: `quay.io/calico/node:${CALICO.version}` },
                            env: [
                                { name: 'CALICO_IPV4POOL_IPIP', value: 'Never' },
                                { name: 'CALICO_IPV4POOL_VXLAN', value: 'CrossSubnet' },
                                { name: 'IP_AUTODETECTION_METHOD', value: 'first-found' },
                            ],
                        },
                    ],
                },
            },
        },
    },
]
    // JSON is YAML; images stand in lines of their own, as in Calico's.
    .map(one => `---\n${JSON.stringify(one, null, 2).replace(/^(\s*)"image": /gm, '$1image: ')}\n`)
    .join('')

type Answer = Partial<{ exitCode: number; stdout: string }>

export function clusterTools(host: () => SimulatedNode): FakeTool[] {
    const text = async (path: string) => (await host().system.readText(path)) ?? ''
    const set = (path: string, value: string) => void host().system.files.set(path, Buffer.from(value))
    const objects = async () => JSON.parse((await text(OBJECTS)) || '{}') as Record<string, string>
    const put = async (more: Record<string, string>) => set(OBJECTS, JSON.stringify({ ...(await objects()), ...more }))
    const touch = (argv: readonly string[]) => host().onTouch(argv)
    const tool = (program: string, answer: (argv: readonly string[], run: ToolRun) => Promise<Answer>): FakeTool => ({
        argv: argv => argv[0] === program,
        answer: run => answer(run.argv, run),
    })
    return [
        tool('/usr/sbin/ip', async () => ({ stdout: (await text(ROUTES)) || '[]' })),
        tool('/usr/sbin/swapoff', async argv => {
            touch(argv)
            set('/proc/swaps', 'Filename Type Size Used Priority\n')
            return {}
        }),
        tool('/usr/bin/curl', async argv => {
            const uri = argv.at(-1)!
            const word = uri.startsWith(ARCHIVE.uri) ? 'archive' : uri === CALICO.uri ? 'calico' : 'registry'
            if (!(await text(NET)).includes(word)) return { exitCode: 6 }
            if (argv.includes('--head')) return {}
            touch(argv)
            return { stdout: word === 'archive' ? 'the key' : MANIFEST }
        }),
        tool('/usr/bin/gpg', async () => {
            const print = (await text(KEY_FILE)) === 'the key' ? ARCHIVE.fingerprint : '0'.repeat(40)
            return {
                stdout: `pub:-:2048:1:234654DA9A296436:1661437853:::-:::scSC::::::23::0:\nfpr:::::::::${print}:\n`,
            }
        }),
        tool('/usr/bin/crictl', async argv => {
            const has = (await text(IMAGES)).split('\n').filter(Boolean)
            if (!argv.includes('pull')) return { stdout: JSON.stringify({ images: [{ repoTags: has }] }) }
            touch(argv)
            set(IMAGES, [...has, argv.at(-1)!].join('\n'))
            return {}
        }),
        tool('/usr/bin/ctr', async argv => {
            touch(argv)
            set(IMAGES, NEEDED.join('\n'))
            return {}
        }),
        tool('/usr/bin/kubeadm', async argv => {
            const words = argv.slice(1).join(' ')
            if (!host().packages.has('kubeadm')) return { exitCode: 127 }
            if (words === 'version --output short') return { stdout: 'v1.35.4\n' }
            if (words.startsWith('config images list')) return { stdout: NEEDED.map(one => `${one}\n`).join('') }
            touch(argv)
            if (words.startsWith('kubeconfig user')) return { stdout: 'a kubeconfig with a key' }
            if (argv[1] === 'init') {
                for (const path of TRACES) set(path, '')
                set(API, 'ok')
                return { stdout: 'Your Kubernetes control-plane has initialized successfully!' }
            }
            return {}
        }),
        tool('/usr/bin/kubectl', async argv => {
            if (!host().packages.has('kubectl') || (await text(API)) !== 'ok') return { exitCode: 1 }
            return kubectl(argv)
        }),
    ]

    async function kubectl(argv: readonly string[]): Promise<Answer> {
        const words = argv.join(' ')
        const has = await objects()
        if (argv.includes('/readyz')) return { stdout: 'ok' }
        if (argv.includes('rollout')) return { stdout: 'it is successfully rolled out' }
        if (words.includes('deployment/coredns')) return has.addons === 'no' ? { exitCode: 1 } : { stdout: 'both' }
        if (words.includes('get node ')) return { stdout: has.taints ?? '' }
        if (words.includes('configmap debvisor-calico')) return { stdout: has.calico ?? '' }
        if (words.includes('configmap debvisor-storage')) return { stdout: has.storage ?? '' }
        if (words.includes('daemonset calico-node'))
            return { stdout: has.calico ? `quay.io/calico/node:${CALICO.version} 1` : '' }
        if (words.includes('get deployment')) return { stdout: has.storage ? `${PROVISIONER.image} 1` : '' }
        if (words.includes('get storageclass')) return { stdout: has.storage ? 'storageclass/x' : '' }
        touch(argv)
        if (words.includes(' taint ')) await put({ taints: '' })
        if (words.includes(' apply ')) {
            const file = argv.at(-1)!
            const mark = /^ {2}mark: "?(\w+)"?$/m.exec(await text(file))?.[1] ?? ''
            await put(file === CALICO.rendered ? { calico: mark } : { storage: mark })
        }
        return {}
    }
}
