// What the cluster gets once its API answers: Calico for the network of pods, and a class for volumes.
import type { Finding } from '../../base/finding.ts'
import type { OwnPlan } from '../../engine/resource.ts'
import type { Step } from '../../engine/step.ts'
import { fetchArgs } from './apt.ts'
import { calicoSettings, readCalico } from './calico.ts'
import { applyArgs, rolledOut, type Workload } from './kubectl.ts'
import { NAMESPACE, storageObjects, storageText, WORKLOAD } from './local-path.ts'
import { CALICO, PROVISIONER, READY } from './versions.ts'
import type { KubernetesWant, Mark } from './want.ts'

const KINDS = ['run', 'write', 'wait'] as const
const WAIT_MS = 600_000

/** What is seen of each set of objects. */
export interface SetSeen {
    /** The cluster stands, and its API answers. */
    ready: boolean
    /** Of the file that is applied. */
    rendered?: string
    /** Of what was applied last. */
    mark: string
    workload?: Workload
}

export interface CalicoSeen extends SetSeen {
    podNetwork?: string
    /** Its own text, from the pool or fetched. */
    manifest?: string
    reached: boolean
}

export interface StorageSeen extends SetSeen {
    hasClass: boolean
    /** Calico runs: pods can start. */
    network: boolean
    /** The mark that nothing is left to try again. */
    noted: boolean
}

const later = (what: string, when: string) => ({ reason: `${what} is planned when ${when}`, kinds: KINDS })

export function planCalico(seen: CalicoSeen, markOf: Mark): OwnPlan {
    const { manifest, podNetwork } = seen
    if (!seen.ready || !podNetwork) return { steps: [], deferred: [later('Calico', 'the API of Kubernetes answers')] }
    if (manifest === undefined) {
        if (!seen.reached)
            return {
                steps: [],
                deferred: [later('Calico', 'its manifest can be reached; a timer tries again')],
                findings: [calicoAway],
            }
        const say = `Fetch the manifest of Calico ${CALICO.version}`
        return {
            steps: [
                {
                    ...{ do: 'run', say, tool: 'curl', args: fetchArgs(CALICO.uri), deadlineMs: 150_000 },
                    stdoutTo: { path: CALICO.fetched, mode: 0o600 },
                },
            ],
            deferred: [later('Calico', 'its manifest was read')],
        }
    }
    const calico = readCalico(manifest)
    if (calico.troubles.length > 0) return { steps: [], findings: [unfit(calico.troubles)] }
    const settings = calicoSettings(podNetwork)
    const mark = markOf([manifest, settings])
    return planSet(seen, {
        ...{ text: calico.render(settings, mark), mark, path: CALICO.rendered, what: `Calico ${CALICO.version}` },
        ...{ whole: seen.workload?.image.endsWith(`/calico/node:${CALICO.version}`) === true },
        ...{ namespace: 'kube-system', name: 'daemonset/calico-node' },
    })
}

export function planStorage({ volumes }: KubernetesWant, seen: StorageSeen, markOf: Mark): OwnPlan {
    if (!seen.ready || !seen.network)
        return { steps: [], deferred: [later('The class for volumes', 'pods have a network')] }
    const mark = markOf(storageObjects(volumes.path, ''))
    const plan = planSet(seen, {
        ...{ text: storageText(storageObjects(volumes.path, mark)), mark, path: PROVISIONER.rendered },
        what: `the class for volumes, in ${volumes.path} (${volumes.on})`,
        ...{ whole: seen.hasClass && seen.workload?.image === PROVISIONER.image },
        ...{ namespace: NAMESPACE, name: `deployment/${WORKLOAD}` },
    })
    if (seen.noted) return plan
    const say = 'Note that all of Kubernetes runs: nothing is tried again by itself'
    return { ...plan, steps: [...plan.steps, { do: 'write', say, path: READY, content: 'yes\n', mode: 0o644 }] }
}

interface ObjectSet {
    text: string
    mark: string
    path: string
    what: string
    /** What the cluster has is what was applied. */
    whole: boolean
    namespace: string
    name: string
}

function planSet({ rendered, mark, workload }: SetSeen, set: ObjectSet): OwnPlan {
    const steps: Step[] = []
    if (rendered !== set.text) {
        steps.push({
            ...{ do: 'write', say: `${rendered === undefined ? 'Write' : 'Change'} ${set.path} (${set.what})` },
            ...{ path: set.path, content: set.text, mode: 0o600, ...(rendered === undefined ? {} : { was: rendered }) },
        })
    }
    const applied = mark === set.mark && set.whole
    if (!applied) {
        const say = `Hand ${set.what} to the cluster`
        steps.push({ do: 'run', say, tool: 'kubectl', args: applyArgs(set.path), deadlineMs: 180_000 })
    }
    if (!applied || !workload?.ready) {
        const say = `Wait until ${set.name} runs: its images are fetched`
        steps.push({ do: 'wait', say, for: rolledOut(set.namespace, set.name), deadlineMs: WAIT_MS })
    }
    return { steps }
}

const calicoAway: Finding = {
    ...{ severity: 'warning', code: 'calico-away', at: 'kubernetes.enabled' },
    summary: 'The manifest of Calico cannot be reached: pods have no network yet',
    detail: CALICO.uri,
    fix: `Let the node reach that address, or put the file to ${CALICO.pool}.`,
}

const unfit = (troubles: readonly string[]): Finding => ({
    ...{ severity: 'error', code: 'calico-unfit', at: 'kubernetes.enabled', detail: troubles.slice(0, 5).join(', ') },
    summary: 'The manifest of Calico is not what this version of DebVisor knows',
    fix: `Look at it, remove ${CALICO.fetched}, and apply: it is fetched again from ${CALICO.uri}`,
})
