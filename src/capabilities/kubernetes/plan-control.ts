// The control plane of one node: begun once, never blindly again; what is half made is told, and what is lost, too.
import type { Finding } from '../../base/finding.ts'
import type { OwnPlan } from '../../engine/resource.ts'
import type { Step } from '../../engine/step.ts'
import { importArgs } from './containerd.ts'
import { pullArgs } from './crictl.ts'
import { initArgs, kubeadmDocuments, kubeadmText, validateArgs } from './kubeadm.ts'
import { CONTROL_TAINT, isReady, kubectlArgs } from './kubectl.ts'
import { type Home, kubeconfigSteps } from './plan-kubeconfig.ts'
import { chooseNetworks, type Networks, networksThatStand } from './plan-networks.ts'
import { IMPORTED, KUBEADM_FILE, KUBELET, MINOR, RECORD, REGISTRY, RESET } from './versions.ts'
import type { KubernetesWant, Overlap, Sight } from './want.ts'

export interface Noted extends Networks {
    state: 'begun' | 'done'
}

export interface ControlSeen {
    /** Of kubeadm; undefined while it is not installed. */
    version?: string
    /** Paths that only a control plane leaves. */
    traces: readonly string[]
    note?: Noted
    /** Of KUBEADM_FILE. */
    config?: string
    /** The API says that it is ready. */
    ready: boolean
    /** The add-ons that kubeadm makes last are there. */
    whole: boolean
    taints: readonly string[]
    kubelet: { enabled: boolean; active: boolean }
    sights: readonly Sight[]
    /** Images that are needed and are not there; asked only before an init. */
    imagesMissing: readonly string[]
    /** Files of images that the ISO brought. */
    archives: readonly string[]
    /** Names of those that were taken. */
    imported?: string
    reached: boolean
    homes: readonly Home[]
}

const run = (tool: string, say: string, args: readonly string[], deadlineMs: number): Step & { do: 'run' } => ({
    ...{ do: 'run', say, tool, args, deadlineMs },
})

export function planControl(want: KubernetesWant, seen: ControlSeen, overlap: Overlap): OwnPlan {
    const { note, traces, version } = seen
    if (note?.state === 'done') return standing(want, seen, note, overlap)
    // Somebody else's: the machine below it says so.
    if (!note && traces.length > 0) return { steps: [] }
    if (note && traces.length > 0) {
        // The power went between the end of the init and its note.
        if (seen.ready && seen.whole) return { steps: [noted({ ...note, state: 'done' })], deferred: [later] }
        return { steps: [], findings: [halfMade(traces)] }
    }
    if (!version)
        return { steps: [], deferred: [{ reason: 'The cluster is planned when kubeadm is there', kinds: KINDS }] }
    if (!version.startsWith(`v${MINOR}.`)) return { steps: [], findings: [otherVersion(version)] }
    return begin(want, seen, overlap)
}

const KINDS = ['run', 'write', 'unit', 'link', 'folder'] as const
const later = { reason: 'Who may use the cluster is planned when it runs', kinds: KINDS }

function begin(want: KubernetesWant, seen: ControlSeen, overlap: Overlap): OwnPlan {
    const { networks, findings } = chooseNetworks(want, seen.sights, overlap)
    if (!networks) return { steps: [], findings }
    const content = kubeadmText(kubeadmDocuments(want, networks, seen.version!))
    const write: Step[] =
        seen.config === content
            ? []
            : [
                  {
                      ...{ do: 'write', say: `Write ${KUBEADM_FILE} (what kubeadm is told)` },
                      ...{ path: KUBEADM_FILE, content, mode: 0o600, ...(seen.config ? { was: seen.config } : {}) },
                  },
              ]
    if (seen.imagesMissing.length > 0) {
        const { steps, reason, finding } = images(seen)
        const told = finding ? [...findings, finding] : findings
        return { steps: [...write, ...steps], findings: told, deferred: [{ reason, kinds: KINDS }] }
    }
    return {
        steps: [
            ...write,
            run('kubeadm', 'Let kubeadm check its configuration', validateArgs, 60_000),
            noted({ ...networks, state: 'begun' }),
            ...(seen.kubelet.enabled ? [] : [kubelet('enable', `Start ${KUBELET} at every boot`)]),
            {
                ...run(
                    'kubeadm',
                    `Begin a cluster of this node: pods in ${networks.pods}, services in ${networks.services}`,
                    initArgs,
                    900_000,
                ),
                after: isReady,
            },
            noted({ ...networks, state: 'done' }),
        ],
        findings,
        deferred: [later],
    }
}

/** First those that the ISO brought, then what is still missing. */
function images({ imagesMissing, archives, imported, reached }: ControlSeen) {
    const names = archives.map(file => `${file}\n`).join('')
    const reason = 'The cluster is begun when its images are there'
    if (names !== '' && names !== imported) {
        const say = 'Note which images were taken'
        const note: Step = { do: 'write', say, path: IMPORTED, content: names, mode: 0o600 }
        const steps = archives.map(file => run('ctr', `Take the images of ${file}`, importArgs(file), 600_000))
        return { steps: [...steps, note], reason }
    }
    if (!reached) return { steps: [], reason: `${reason}; a timer tries again`, finding: imagesAway(imagesMissing) }
    return {
        steps: imagesMissing.map(one => run('crictl', `Fetch the image ${one}`, pullArgs(one), 1_800_000)),
        reason,
    }
}

const kubelet = (action: 'enable' | 'start', say: string): Step => ({ do: 'unit', say, unit: KUBELET, action })

function noted(note: Noted): Step {
    const say = note.state === 'begun' ? 'Note that the cluster was begun' : 'Note that the cluster stands'
    return { do: 'write', say, path: RECORD, content: `${JSON.stringify(note)}\n`, mode: 0o600 }
}

function standing(want: KubernetesWant, seen: ControlSeen, note: Noted, overlap: Overlap): OwnPlan {
    if (seen.traces.length === 0) return { steps: [], findings: [lost] }
    const findings = networksThatStand(want, note, seen.sights, overlap)
    const steps: Step[] = []
    if (!seen.kubelet.enabled) steps.push(kubelet('enable', `Start ${KUBELET} at every boot`))
    if (!seen.kubelet.active) {
        steps.push(kubelet('start', `Start ${KUBELET}`))
        steps.push({ do: 'wait', say: 'Wait until the API of Kubernetes answers', for: isReady, deadlineMs: 300_000 })
    }
    if (!seen.ready) {
        if (steps.length > 0) return { steps, findings, deferred: [later] }
        return { steps, findings: [...findings, silent] }
    }
    if (seen.taints.includes(CONTROL_TAINT)) {
        const args = kubectlArgs('taint', 'node', want.hostname, `${CONTROL_TAINT}-`)
        steps.push(run('kubectl', 'Let pods run on this node', args, 60_000))
    }
    return { steps: [...steps, ...kubeconfigSteps(seen.homes)], findings }
}

const halfMade = (traces: readonly string[]): Finding => ({
    ...{ severity: 'error', code: 'cluster-half-made', at: 'kubernetes.enabled', detail: traces.join(', ') },
    summary: 'The cluster was begun, and did not become whole',
    fix: `Look: journalctl -u kubelet. To begin anew: ${RESET}; rm ${RECORD}; debvisor node apply`,
})

const lost: Finding = {
    ...{ severity: 'error', code: 'cluster-lost', at: 'kubernetes.enabled' },
    summary: 'The cluster of this node stood once, and its files are gone',
    detail: '/etc/kubernetes and /var/lib/etcd',
    fix: `It is not made anew by itself. Bring the files back; or, to begin anew: rm ${RECORD}; debvisor node apply`,
}

const silent: Finding = {
    ...{ severity: 'error', code: 'api-silent', at: 'kubernetes.enabled' },
    summary: 'Kubernetes does not answer',
    fix: 'After a boot it takes a minute. Then look: journalctl -u kubelet; crictl ps --all',
}

const otherVersion = (version: string): Finding => ({
    ...{ severity: 'error', code: 'kubeadm-version', at: 'kubernetes.enabled', detail: `${version}, not v${MINOR}` },
    summary: 'Another kubeadm is installed than this version of DebVisor works with',
    fix: 'Remove the packages kubeadm, kubelet and kubectl, and apply.',
})

const imagesAway = (missing: readonly string[]): Finding => ({
    ...{ severity: 'warning', code: 'images-away', at: 'kubernetes.enabled', detail: missing.join(', ') },
    summary: 'The images of Kubernetes cannot be reached',
    fix: `The rest of the node works. Let the node reach ${REGISTRY}, or bring the images as files.`,
})
