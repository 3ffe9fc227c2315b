// Making a container: checked as a whole first, then the image, the container, and its start, taken back when one fails.
import { asFault, Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import type { CreateRequest, Mount, Publish } from '../../gen/proto/capabilities/container/container_pb.js'
import type { Change } from './begin.ts'
import type { EngineHostConfig, EngineVolume } from './engine-types.ts'
import { LABEL_OWNER, LABEL_TAGS, LABEL_TASK, wordsOf } from './entry.ts'
import type { Exposures } from './exposures.ts'
import { hasImage, type ImageDeps, pull } from './images.ts'
import { marksOf, reachesHost } from './marks.ts'
import { referenceOf } from './reference.ts'
import { checkLabels, checkName, checkRestart, engineLimits, nameTaken } from './settings.ts'

const REMOVE = 'container.remove'
const VARIABLE = /^[^\p{C}=]{1,200}$/u

export interface Made {
    /** As the Engine takes it. */
    body: Record<string, unknown>
    marks: string[]
    findings: Finding[]
}

/** What the Engine is asked for. @throws Fault `invalid` with all that is wrong */
export function bodyOf(request: CreateRequest, owner: string): Made {
    const wrong: Finding[] = []
    const check = (at: string, holds: () => void) => {
        try {
            holds()
        } catch (thrown) {
            const { summary, detail, fix } = asFault(thrown)
            wrong.push({ severity: 'error', code: 'invalid', at, summary, detail, fix })
        }
    }
    const say = (at: string, summary: string, words: { detail?: string; fix: string }) =>
        wrong.push({ severity: 'error', code: 'invalid', at, summary, detail: '', ...words })
    check('name', () => checkName(request.name))
    check('image', () => referenceOf(request.image, 'image'))
    if (request.restart) check('restart', () => checkRestart(request.restart))
    if (request.pull && !['missing', 'always', 'never'].includes(request.pull))
        say('pull', 'That is not when to pull an image', { fix: 'Use missing, always or never.' })
    let limits: Record<string, number> = {}
    check('limits', () => {
        const { cpuLimit, memoryLimitBytes, processLimit } = request
        limits = engineLimits({
            cpuLimit: cpuLimit === 0 ? undefined : cpuLimit,
            memoryLimitBytes: memoryLimitBytes || undefined,
            processLimit: processLimit || undefined,
        })
    })
    for (const { name } of request.environment)
        if (!VARIABLE.test(name))
            say('environment', 'That is not the name of a variable', {
                detail: JSON.stringify(name.slice(0, 80)),
                fix: 'Use no equals sign and no control characters.',
            })
    check('labels', () => checkLabels(request.labels))
    const tags = wordsOf(request.tags.join(','))
    if (tags.length < new Set(request.tags).size)
        say('tags', 'One of these is not a tag', { fix: 'Use 1 to 63 characters without spaces or commas.' })
    for (const port of request.ports) checkPort(port, say)
    for (const mount of request.mounts) checkMount(mount, say)
    for (const network of request.networks)
        if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(network))
            say('networks', 'That cannot be the name of a network', {
                detail: JSON.stringify(network.slice(0, 80)),
                fix: 'Use a name of: debvisor container networks',
            })
    if (request.hostNetwork && (request.ports.length > 0 || request.networks.length > 0))
        say('host_network', 'On the network of the node a container has no ports and networks of its own', {
            fix: 'Leave ports and networks out, or host_network.',
        })
    if (wrong.length > 0)
        throw new Fault('invalid', {
            summary: 'The container cannot be made like this',
            detail: wrong
                .map(({ at, summary, detail }) => `${at}: ${summary}${detail ? ` (${detail})` : ''}`)
                .join('; '),
            fix: wrong[0]!.fix,
            at: wrong[0]!.at,
            findings: wrong,
        })

    const key = ({ container, protocol }: Publish) => `${container}/${protocol || 'tcp'}`
    const bindings: NonNullable<EngineHostConfig['PortBindings']> = {}
    for (const port of request.ports) {
        const address = port.lan ? '0.0.0.0' : '127.0.0.1'
        ;(bindings[key(port)] ??= [])!.push({ HostIp: address, HostPort: port.host ? String(port.host) : '' })
    }
    const host: EngineHostConfig = {
        NetworkMode: request.hostNetwork ? 'host' : (request.networks[0] ?? 'bridge'),
        PortBindings: bindings,
        RestartPolicy: { Name: request.restart || 'no' },
        Privileged: request.privileged,
        CapAdd: request.capabilities,
        Mounts: request.mounts.map(({ type, source, target, readOnly }) => ({
            ...{ Type: type || 'volume', Target: target, ReadOnly: readOnly },
            ...(source ? { Source: source } : {}),
        })),
        ...limits,
    }
    const text = (value: string) => value || undefined
    const list = (value: string[]) => (value.length > 0 ? value : undefined)
    const body = {
        Image: referenceOf(request.image).text,
        Cmd: list(request.command),
        Entrypoint: list(request.entrypoint),
        Env: request.environment.map(({ name, value }) => `${name}=${value}`),
        Labels: {
            ...request.labels,
            [LABEL_OWNER]: owner,
            ...(tags.length > 0 ? { [LABEL_TAGS]: tags.join(',') } : {}),
        },
        ExposedPorts: Object.fromEntries(request.ports.map(port => [key(port), {}])),
        Hostname: text(request.hostname),
        User: text(request.user),
        WorkingDir: text(request.workFolder),
        ...(request.terminal ? { Tty: true, OpenStdin: true } : {}),
        HostConfig: host,
    }
    return { body, marks: marksOf(host), findings: portFindings(request.ports) }
}

type Say = (at: string, summary: string, words: { detail?: string; fix: string }) => void

function checkPort({ host, container, protocol }: Publish, say: Say): void {
    if (container < 1 || container > 65535 || host > 65535)
        say('ports', 'That is not a port', { detail: `${host}:${container}`, fix: 'Use 1 to 65535.' })
    if (protocol && !['tcp', 'udp', 'sctp'].includes(protocol))
        say('ports', 'That is not a protocol', { detail: protocol.slice(0, 20), fix: 'Use tcp, udp or sctp.' })
}

function checkMount({ type, source, target }: Mount, say: Say): void {
    const kind = type || 'volume'
    const detail = `${source.slice(0, 80)} at ${target.slice(0, 80)}`
    if (!['volume', 'bind', 'tmpfs'].includes(kind))
        say('mounts', 'That is not a kind of mount', { detail: kind, fix: 'Use volume, bind or tmpfs.' })
    if (!/^\/[^\0]*[^/\0]$/.test(target) || /(^|\/)\.\.(\/|$)/.test(target))
        say('mounts', 'A mount stands at an absolute path in the container', { detail, fix: 'Write it such as /data.' })
    if (kind === 'bind' && (!source.startsWith('/') || /(^|\/)\.\.(\/|$)/.test(source)))
        say('mounts', 'A path of the node is absolute', { detail, fix: 'Write it such as /srv/data.' })
    if (kind === 'volume' && source && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,200}$/.test(source))
        say('mounts', 'That cannot be the name of a volume', {
            detail,
            fix: 'Use letters, digits, dots, dashes, underscores.',
        })
}

const portFindings = (ports: Publish[]): Finding[] =>
    ports.some(({ lan }) => lan)
        ? [
              {
                  severity: 'info',
                  code: 'published',
                  at: 'ports',
                  summary: 'Ports are published to the network',
                  detail: ports
                      .filter(({ lan }) => lan)
                      .map(({ host, container }) => `${host || 'a free port'} for ${container}`)
                      .join(', '),
                  fix: 'Who reaches them is said by firewall.stacks in node.yaml.',
              },
          ]
        : []

/** Volumes that a request names. */
export const volumesIn = (mounts: readonly Mount[]): string[] =>
    mounts.flatMap(({ type, source }) => ((type || 'volume') === 'volume' && source ? [source] : []))

/** What volumes that are there already reach: by its options one can be any path of the node. */
export async function volumeMarks({ docker }: Pick<ImageDeps, 'docker'>, names: readonly string[]): Promise<string[]> {
    const marks: string[] = []
    for (const source of names) {
        const volume = await docker
            .json<EngineVolume>({ path: `/volumes/${encodeURIComponent(source)}` })
            .catch(thrown => {
                if (asFault(thrown).code === 'not-found') return undefined
                throw thrown
            })
        if (volume && reachesHost(volume)) marks.push(`host-volume:${source}`)
    }
    return marks
}

/** @throws Fault `invalid`, `exists`, `not-found` */
export async function planCreate(
    deps: ImageDeps & { exposures: Exposures },
    request: CreateRequest,
    made: Made,
): Promise<Change> {
    const { docker, inventory } = deps
    const { name } = request
    const image = referenceOf(request.image).text
    if (inventory.list().some(entry => entry.name === name)) throw nameTaken(name)
    const there = await hasImage(deps, image)
    if (!there && request.pull === 'never')
        throw new Fault('not-found', {
            summary: 'The image is not on this node',
            detail: image,
            at: 'image',
            fix: `Pull it first: debvisor container pull ${image}`,
        })
    const pulls = request.pull === 'always' || !there
    const plan: Change['plan'] = []
    if (pulls) plan.push({ sentence: `Pull ${image}` })
    plan.push({ sentence: `Make the container ${name} of ${image}` })
    for (const mark of made.marks) plan.push({ sentence: `Let it reach past itself into the node: ${mark}` })
    for (const network of request.networks.slice(1)) plan.push({ sentence: `Put it on the network ${network} too` })
    if (request.start) plan.push({ sentence: `Start ${name}` })
    const lan = request.ports.some(port => port.lan)
    if (lan) plan.push({ sentence: `Open its published ports to other machines` })
    return {
        kind: 'container.create',
        title: `Create container ${name}`,
        on: { kind: 'container', id: name, name },
        plan,
        findings: made.findings,
        cancellable: true,
        async work(task) {
            if (pulls) await pull(deps, image, task)
            await task.undo({ kind: REMOVE, task: task.id })
            const labels = made.body.Labels as Record<string, string>
            const body = { ...made.body, Labels: { ...labels, [LABEL_TASK]: task.id } }
            const query = { name }
            const { Id } = await docker.json<{ Id: string }>({
                method: 'POST',
                path: '/containers/create',
                query,
                body,
            })
            for (const network of request.networks.slice(1)) {
                const path = `/networks/${encodeURIComponent(network)}/connect`
                await docker.json({ method: 'POST', path, body: { Container: Id } })
            }
            if (request.start)
                await docker.json({ method: 'POST', path: `/containers/${Id}/start`, deadlineMs: 60_000, own: true })
            await task.keep()
            await inventory.refresh(Id)
            // It stays, closed, where the firewall cannot be reached.
            if (lan) await deps.exposures.set({ id: Id, name }, true)
        },
    }
}

/** Takes back what a task made: the container that has its label, and nothing else. */
export function registerMake({ docker, inventory, tasks }: ImageDeps): void {
    tasks.onUndo(REMOVE, async step => {
        const filters = JSON.stringify({ label: [`${LABEL_TASK}=${String(step.task)}`] })
        const found = await docker.json<{ Id: string }[]>({ path: '/containers/json', query: { all: true, filters } })
        for (const { Id } of found) {
            await docker
                .json({ method: 'DELETE', path: `/containers/${Id}`, query: { force: true, v: true } })
                .catch(thrown => {
                    if (asFault(thrown).code !== 'not-found') throw thrown
                })
            await inventory.refresh(Id)
        }
    })
}
