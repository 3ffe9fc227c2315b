// What the machine needs before Kubernetes: no swap, containerd as kubelet wants it, and a timer for what must wait.
import type { Finding } from '../../base/finding.ts'
import type { Basics } from '../../engine/basics.ts'
import type { Opening, OwnPlan } from '../../engine/resource.ts'
import type { Step } from '../../engine/step.ts'
import { containerdText } from './containerd.ts'
import { CONTAINERD_FILE, KUBELET, PORTS, READY, RESET, RETRY } from './versions.ts'
import type { KubernetesWant } from './want.ts'

const UNIT_FILE = `/etc/systemd/system/${RETRY}`
const TIMER = `${RETRY}.timer`
const SWAP = 'swap.target'

export interface HostSeen {
    offline: boolean
    /** Of /proc/swaps. */
    swaps: readonly string[]
    /** DebVisor has set Kubernetes up here before. */
    ours: boolean
    /** What a cluster leaves that DebVisor did not begin. */
    foreign: readonly string[]
    /** All of it runs: nothing is tried again. */
    ready: boolean
    units: Readonly<Record<string, { enabled: boolean; active: boolean; masked: boolean }>>
}

/** Those that no basics say enough of. */
export const HOST_UNITS = [KUBELET, TIMER, SWAP]

/** Bridged frames are shown to iptables, as services of Kubernetes need it; the firewall lets those of br0 pass. */
export const kubernetesKernel = ({ enabled }: { enabled: boolean }) =>
    enabled
        ? {
              modules: ['overlay', 'br_netfilter'],
              sysctl: {
                  'net.ipv4.ip_forward': 1,
                  'net.bridge.bridge-nf-call-iptables': 1,
                  'net.bridge.bridge-nf-call-ip6tables': 1,
              },
          }
        : {}

/** NodePorts are not among them: those that are wanted stand in `firewall.open`. */
export const hostOpenings = ({ spec }: KubernetesWant): Opening[] =>
    spec.enabled
        ? [
              { port: PORTS.api, protocol: 'tcp', from: spec.api, why: 'API of Kubernetes' },
              { port: PORTS.kubelet, protocol: 'tcp', from: 'cluster', why: 'kubelet' },
              { port: PORTS.vxlan, protocol: 'udp', from: 'cluster', why: 'VXLAN of pods' },
          ]
        : []

const MARK = '# Written by DebVisor from /etc/debvisor/node.yaml: a change made here is overwritten.'
const text = (...lines: string[]) => `${[MARK, ...lines].join('\n')}\n`

export function hostBasics({ spec }: KubernetesWant): Basics {
    if (!spec.enabled) return {}
    const what = 'tries again what could not be had'
    return {
        packages: ['containerd', 'conntrack', 'socat', 'ethtool', 'iptables', 'curl', 'gpg', 'ca-certificates'],
        folders: [{ path: '/var/lib/debvisor/kubernetes' }],
        files: [
            { path: CONTAINERD_FILE, content: containerdText(), for: 'how containerd works' },
            {
                ...{ path: `${UNIT_FILE}.service`, for: what },
                content: text(
                    ...['[Unit]', 'Description=Go on with Kubernetes where something could not be reached'],
                    ...['Wants=network-online.target', 'After=network-online.target containerd.service'],
                    ...[`ConditionPathExists=!${READY}`, '', '[Service]', 'Type=oneshot'],
                    'ExecStart=/usr/bin/debvisor node apply --only kubernetes --yes',
                    // It ends with 2 while something still cannot be reached: that is its answer, not a failure.
                    ...['SuccessExitStatus=2', 'TimeoutStartSec=2h'],
                ),
            },
            {
                ...{ path: `${UNIT_FILE}.timer`, for: what },
                content: text(
                    ...['[Unit]', 'Description=Go on with Kubernetes every 15 minutes, until all of it runs'],
                    ...[`ConditionPathExists=!${READY}`, '', '[Timer]', 'OnBootSec=5min', 'OnUnitInactiveSec=15min'],
                    // A timer that is started long after the boot begins to count then.
                    ...['OnActiveSec=15min', 'RandomizedDelaySec=60', '', '[Install]', 'WantedBy=timers.target'],
                ),
            },
        ],
        units: [
            {
                ...{ unit: 'containerd.service', enabled: true, active: true, reads: [CONTAINERD_FILE] },
                disrupts: 'containerd restarts; containers go on, and none can be started for a moment',
            },
            // Swap of fstab, of partitions and of zram is started through it: a mask outlives all of them.
            { unit: SWAP, masked: true },
            { unit: TIMER, enabled: true },
        ],
    }
}

export function planHost({ spec }: KubernetesWant, seen: HostSeen): OwnPlan {
    if (!spec.enabled) return { steps: seen.ours ? offSteps(seen) : [] }
    if (seen.foreign.length > 0) return { steps: [], findings: [foreign(seen.foreign)] }
    if (seen.offline) return { steps: [] }
    const steps: Step[] = []
    if (seen.swaps.length > 0) {
        steps.push({
            ...{ do: 'run', say: `Turn swap off (${seen.swaps.join(', ')}): kubelet does not start beside it` },
            ...{ tool: 'swapoff', args: ['--all'], deadlineMs: 600_000 },
            disrupts: 'What is in swap comes back into memory, which may take a while',
        })
    }
    if (!seen.ready && !seen.units[TIMER]?.active)
        steps.push({
            do: 'unit',
            say: `Start ${TIMER}, which tries again what cannot be reached`,
            unit: TIMER,
            action: 'start',
        })
    return { steps }
}

/** Nothing is deleted: turned on again, it goes on. */
function offSteps({ units }: HostSeen): Step[] {
    const steps: Step[] = []
    for (const unit of [TIMER, KUBELET]) {
        const now = units[unit]
        if (now?.enabled)
            steps.push({ do: 'unit', say: `Do not start ${unit} at boot any more`, unit, action: 'disable' })
        if (now?.active) steps.push({ do: 'unit', say: `Stop ${unit}`, unit, action: 'stop' })
    }
    if (units[SWAP]?.masked)
        steps.push({ do: 'unit', say: 'Let swap be used again, from the next boot on', unit: SWAP, action: 'unmask' })
    return steps
}

const foreign = (traces: readonly string[]): Finding => ({
    ...{ severity: 'error', code: 'cluster-foreign', at: 'kubernetes.enabled', detail: traces.join(', ') },
    summary: 'There is a Kubernetes here that DebVisor did not begin',
    fix: `Say kubernetes.enabled: false and look after it yourself; or, when nobody needs it: ${RESET}`,
})
