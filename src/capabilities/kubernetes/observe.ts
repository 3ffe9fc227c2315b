// Looks at what Kubernetes is on this machine: packages, traces of a cluster, what its API says, what can be reached.
import { LOOK_MS } from '../../base/look.ts'
import type { Look } from '../../engine/resource.ts'
import { namesOf, seeUnits } from '../../engine/see-basics.ts'
import type { Probe } from '../../ports/ports.ts'
import * as apt from './apt.ts'
import { askImages, crictlTool, parseImages } from './crictl.ts'
import * as kubeadm from './kubeadm.ts'
import * as kubectl from './kubectl.ts'
import { CLASS, NAMESPACE, WORKLOAD } from './local-path.ts'
import type { CalicoSeen, SetSeen, StorageSeen } from './plan-cluster.ts'
import type { ControlSeen, Noted } from './plan-control.ts'
import { HOST_UNITS, type HostSeen } from './plan-host.ts'
import type { Home } from './plan-kubeconfig.ts'
import type { PackagesSeen } from './plan-packages.ts'
import * as from from './versions.ts'
import type { KubernetesWant, Sight } from './want.ts'

type Argv = [string, ...string[]]

/** What a tool says; empty where it is not there, or ends with a failure. */
async function said(machine: Probe, argv: Argv): Promise<string> {
    const result = await machine.query({ argv, deadlineMs: LOOK_MS }).catch(() => undefined)
    return result?.exitCode === 0 ? result.stdout : ''
}

const reaches = async (machine: Probe, uri: string) => {
    if (!(await machine.look('/usr/bin/curl'))) return false
    const result = await machine.query({ argv: apt.askReach(uri), deadlineMs: 20_000 }).catch(() => undefined)
    return result?.exitCode === 0
}

async function tracesOf(root: Probe): Promise<string[]> {
    const present = await Promise.all(from.TRACES.map(path => root.look(path)))
    return from.TRACES.filter((_, at) => present[at] !== undefined)
}

const unitsOf = async (look: Look, units: readonly string[]): Promise<HostSeen['units']> =>
    Object.fromEntries(await seeUnits(look, units))

export async function seeHost(look: Look): Promise<HostSeen> {
    const { phase, root, machine } = look
    const offline = phase === 'image'
    const [swaps = '', timer, ready, units, record, traces] = await Promise.all([
        offline ? '' : machine.readText('/proc/swaps'),
        root.look(`/etc/systemd/system/${from.RETRY}.timer`),
        root.look(from.READY),
        offline ? {} : unitsOf(look, HOST_UNITS),
        root.look(from.RECORD),
        tracesOf(root),
    ])
    const lines = swaps.trim().split('\n').slice(1)
    return {
        ...{ offline, units, ours: timer !== undefined, ready: ready !== undefined },
        foreign: record ? [] : traces,
        swaps: lines.map(line => line.split(/\s/)[0]!),
    }
}

export async function seePackages({ root, machine }: Look): Promise<PackagesSeen> {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
    const argv: Argv = ['dpkg-query', '-W', '-f', '${Package}\\t${db:Status-Status}\\n', ...from.PACKAGES]
    const { stdout } = await root.query({ argv, deadlineMs: LOOK_MS })
    const missing = from.PACKAGES.filter(name => !stdout.split('\n').includes(`${name}\tinstalled`))
    const [plain, packed, curl, gpg, key, source, pin] = await Promise.all([
        ...[root.look(`${from.POOL}/Packages`), root.look(`${from.POOL}/Packages.gz`)],
        ...[root.look('/usr/bin/curl'), root.look('/usr/bin/gpg'), root.look(from.KEY_FILE)],
        ...[root.readText(from.SOURCE_FILE), root.readText(from.PIN_FILE)],
    ] as const)
    const pool = plain !== undefined || packed !== undefined
    const tools = curl !== undefined && gpg !== undefined
    const ours = key && gpg ? apt.isOurKey(await said(machine, apt.askKey)) : false
    return {
        ...{ missing, pool, tools, source, pin, key: ours ? 'ours' : key ? 'other' : 'none' },
        reached: missing.length > 0 && !pool && tools ? await reaches(machine, from.ARCHIVE.keyUri) : false,
    }
}

/** What is noted of the cluster; a note that cannot be read is as good as one that it was begun. */
async function noteOf(root: Probe): Promise<Noted | undefined> {
    const text = await root.readText(from.RECORD)
    if (text === undefined) return undefined
    try {
        const { state, pods, services } = JSON.parse(text) as Partial<Noted>
        return { state: state === 'done' ? 'done' : 'begun', pods: String(pods), services: String(services) }
    } catch {
        return { state: 'begun', pods: '', services: '' }
    }
}

const isReady = async (machine: Probe) => (await said(machine, kubectl.askReady)).trim() === 'ok'

export async function seeControl(look: Look, want: KubernetesWant, sights: readonly Sight[]): Promise<ControlSeen> {
    const { root, machine } = look
    const [note, config, installed, traces] = await Promise.all([
        noteOf(root),
        root.readText(from.KUBEADM_FILE),
        root.look(kubeadm.kubeadmTool.program),
        tracesOf(root),
    ])
    const version = installed ? kubeadm.parseVersion(await said(machine, kubeadm.askVersion)) : undefined
    const ready = note !== undefined && traces.length > 0 && (await isReady(machine))
    const units = installed ? await unitsOf(look, [from.KUBELET]) : {}
    const fresh = version !== undefined && traces.length === 0 && note?.state !== 'done'
    const imagesMissing = fresh ? await missingImages(machine, version) : []
    return {
        ...{ note, config, traces, version, ready, sights, imagesMissing },
        whole: ready && note?.state === 'begun' && (await said(machine, kubectl.askAddons)) !== '',
        taints: ready ? (await said(machine, kubectl.askTaints(want.hostname))).split(' ') : [],
        kubelet: units[from.KUBELET] ?? { enabled: false, active: false },
        archives: imagesMissing.length > 0 ? await archivesOf(root) : [],
        imported: await root.readText(from.IMPORTED),
        reached: imagesMissing.length > 0 && (await reaches(machine, from.REGISTRY)),
        homes: ready ? await homesOf(root, want.administrators) : [],
    }
}

async function missingImages(machine: Probe, version: string): Promise<string[]> {
    const needed = (await said(machine, kubeadm.askImages(version))).split('\n').filter(Boolean)
    const has = (await machine.look(crictlTool.program)) ? parseImages(await said(machine, askImages)) : []
    return needed.filter(image => !has.includes(image))
}

const archivesOf = async (root: Probe) =>
    (await root.list(from.POOL_IMAGES)).filter(name => name.endsWith('.tar')).map(name => `${from.POOL_IMAGES}/${name}`)

/** Of root and the administrators, where they have an account. */
async function homesOf(root: Probe, administrators: readonly string[]): Promise<Home[]> {
    const lines = ((await root.readText('/etc/passwd')) ?? '').split('\n').map(line => line.split(':'))
    const { groups } = await namesOf(root)
    const rows = ['root', ...administrators].flatMap(name => lines.filter(([word]) => word === name).slice(0, 1))
    return Promise.all(
        rows.map(async ([name = '', , , gid = '', , path = '']) => {
            const [folder, file] = [await root.look(`${path}/.kube`), await root.look(`${path}/.kube/config`)]
            const owner = `${name}:${groups.get(Number(gid)) ?? name}`
            return { name, path, owner, folder: folder !== undefined, has: file !== undefined }
        }),
    )
}

async function seeSet({ root, machine }: Look, file: string, set: string): Promise<SetSeen> {
    const ready = (await noteOf(root))?.state === 'done' && (await isReady(machine))
    const mark = ready ? await said(machine, kubectl.askMark(set)) : ''
    return { ready, mark, rendered: await root.readText(file) }
}

const calicoNode = async (machine: Probe) =>
    kubectl.parseWorkload(await said(machine, kubectl.askWorkload('kube-system', 'daemonset', 'calico-node')))

export async function seeCalico(look: Look): Promise<CalicoSeen> {
    const { root, machine } = look
    const set = await seeSet(look, from.CALICO.rendered, 'calico')
    const manifest = (await root.readText(from.CALICO.pool)) ?? (await root.readText(from.CALICO.fetched))
    if (!set.ready) return { ...set, manifest, reached: false }
    return {
        ...{ ...set, manifest, podNetwork: (await noteOf(root))?.pods },
        workload: await calicoNode(machine),
        reached: manifest === undefined && (await reaches(machine, from.CALICO.uri)),
    }
}

export async function seeStorage(look: Look): Promise<StorageSeen> {
    const { root, machine } = look
    const set = await seeSet(look, from.PROVISIONER.rendered, 'storage')
    const noted = (await root.look(from.READY)) !== undefined
    if (!set.ready) return { ...set, noted, hasClass: false, network: false }
    return {
        network: ((await calicoNode(machine))?.ready ?? 0) > 0,
        ...{ ...set, noted, hasClass: (await said(machine, kubectl.askClass(CLASS))) !== '' },
        workload: kubectl.parseWorkload(await said(machine, kubectl.askWorkload(NAMESPACE, 'deployment', WORKLOAD))),
    }
}
