// Who may use the cluster from this node: root by kubeadm's own file, each administrator by a certificate of their own.
import type { Step } from '../../engine/step.ts'
import { kubeconfigArgs } from './kubeadm.ts'
import { ADMIN_CONF } from './versions.ts'

export interface Home {
    name: string
    path: string
    /** `user:group`. */
    owner: string
    /** Something of theirs is there already, and stays. */
    has: boolean
    /** The folder .kube is there. */
    folder: boolean
}

export function kubeconfigSteps(homes: readonly Home[]): Step[] {
    return homes
        .filter(home => !home.has)
        .flatMap(({ name, path, owner, folder }): Step[] => {
            const kube = `${path}/.kube`
            const make: Step[] = folder
                ? []
                : [{ do: 'folder', say: `Make the folder ${kube}`, path: kube, mode: 0o700, owner }]
            if (name === 'root') {
                const say = 'Let root use the cluster'
                return [...make, { do: 'link', say, path: `${kube}/config`, target: ADMIN_CONF }]
            }
            return [
                ...make,
                {
                    ...{ do: 'run', say: `Let ${name} use the cluster, by a certificate of a year`, tool: 'kubeadm' },
                    ...{ args: kubeconfigArgs(name), deadlineMs: 60_000 },
                    // With the key in it: it is written there, and shown nowhere.
                    stdoutTo: { path: `${kube}/config`, mode: 0o600, owner },
                },
            ]
        })
}
