// The simulated document of the node: checked, planned and applied like the real one, on a machine with two spare disks.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, type ConnectRouter } from '@connectrpc/connect'
import {
    type AppliedRecord,
    AppliedRecordSchema,
    type ApplyEvent,
    ApplyEventSchema,
    type DocumentPlan,
    DocumentPlanSchema,
    type PlanGroup,
    PlanGroupSchema,
    ProvisionService,
    type Verified,
    VerifiedSchema,
} from '../../../gen/proto/capabilities/node/provision_pb.js'
import { State as TaskState } from '../../../gen/proto/capabilities/task/task_pb.js'
import { needConfirmation, notFound, refuse, userOf } from './access.ts'
import { confirm } from './confirm.ts'
import type { World } from './world.ts'

export const HELD_DISK = 'ata-WDC_WD40EFRX-68N32N0_WD-WCC7K1'
const TARGET = `disk:/dev/disk/by-id/${HELD_DISK}`
const STEP_MS = 350

const SCHEMA = {
    title: 'node.yaml',
    type: 'object',
    properties: {
        profile: { enum: ['ceph', 'zfs', 'mixed'], description: 'What VMs and containers are stored on.' },
        node: {
            type: 'object',
            description: 'The machine itself.',
            properties: {
                hostname: { type: 'string', description: 'The name of the machine.' },
                timezone: { type: 'string', default: 'UTC', description: 'Where its clock is.' },
                updates: {
                    enum: ['security', 'none'],
                    default: 'security',
                    description: 'What is installed by itself.',
                },
            },
        },
        storage: {
            type: 'object',
            properties: {
                zfs: { type: 'object', properties: { disks: { type: 'array', items: { type: 'string' } } } },
            },
        },
    },
}

const DRAFT = (profile: string) => `# What a DebVisor node should be.
profile: ${profile}
node:
  # The name of the machine.
  hostname: node1
  # Where its clock is.
  timezone: UTC
storage:
  zfs:
    disks:
      - ${HELD_DISK}
`

interface Apply {
    record: AppliedRecord
    document: string
    events: ApplyEvent[]
    listeners: Set<() => void>
}

export function provisionService(world: World, router: ConnectRouter): void {
    let text = world.options.bare ? '' : DRAFT('zfs').replace(/storage:[\s\S]*/, '')
    let verified: Verified | undefined
    const applies: Apply[] = []
    const now = () => timestampFromMs(Date.now())

    const values = (of: string) => ({
        hostname: /hostname:\s*(\S+)/.exec(of)?.[1] ?? 'node1',
        timezone: /timezone:\s*(\S+)/.exec(of)?.[1] ?? 'UTC',
        disk: of.includes(HELD_DISK),
    })

    function findingsOf(of: string) {
        return of.split('\n').flatMap((line, at) => {
            const key = /^(\s*)([a-z]+):/.exec(line)?.[2]
            const known = ['profile', 'node', 'hostname', 'timezone', 'updates', 'storage', 'zfs', 'disks']
            if (!key || known.includes(key)) return []
            const meant = known.find(one => [...one].sort().join('') === [...key].sort().join(''))
            const finding = {
                ...{ severity: 'error', code: 'unknown-key', at: key, summary: 'There is no such key here' },
                ...{ detail: key, fix: meant ? `Did you mean ${meant}?` : `The keys here are: ${known.join(', ')}.` },
            }
            return [{ line: at + 1, finding }]
        })
    }

    function planOf(of: string, destroy: readonly string[]): DocumentPlan {
        const [want, seen] = [values(of), values(text)]
        const groups: PlanGroup[] = []
        const add = (group: object) => void groups.push(create(PlanGroupSchema, group as never))
        const fresh = applies.length === 0
        if (fresh || want.hostname !== seen.hostname)
            add({
                ...{ resource: 'node.name', title: 'This machine' },
                steps: [
                    {
                        ...{ kind: 'write', say: 'Write /etc/hostname (the host name)' },
                        diff: `@@ -1,1 +1,1 @@\n-debian\n+${want.hostname}`,
                    },
                    { kind: 'run', say: `Call this machine ${want.hostname} (it is debian now)` },
                ],
            })
        if (fresh || want.timezone !== seen.timezone)
            add({
                ...{ resource: 'node.locale', title: 'This machine' },
                steps: [{ kind: 'link', say: `Point /etc/localtime to /usr/share/zoneinfo/${want.timezone}` }],
            })
        if (want.disk && !seen.disk)
            add({
                ...{ resource: 'storage.zfs.pool', title: 'Storage on ZFS' },
                steps: [
                    { kind: 'install', say: 'Install zfsutils-linux' },
                    { kind: 'run', say: `Make the pool tank of ${HELD_DISK}`, destroys: [TARGET] },
                ],
                later: ['The datasets are planned when the pool is there'],
                withheld: destroy.includes(TARGET) ? [] : [TARGET],
            })
        if (fresh)
            add({
                ...{ resource: 'docker', title: 'Docker' },
                steps: [
                    { kind: 'write', say: 'Write /etc/docker/daemon.json', diff: '+{\n+    "live-restore": true\n+}' },
                    { kind: 'unit', say: 'Restart docker.service', disrupts: 'Containers stop for a moment' },
                ],
            })
        const steps = groups.flatMap(group => group.steps)
        const lines = groups.flatMap(group => [`${group.title}:`, ...group.steps.map(step => `  > ${step.say}`)])
        return create(DocumentPlanSchema, {
            hash: `${of.length}-${groups.map(group => group.resource).join('-')}-${destroy.join()}`,
            groups,
            destroys: steps.flatMap(one => one.destroys).map(target => ({ target, agreed: destroy.includes(target) })),
            disrupts: steps.flatMap(one => one.disrupts || []),
            summary: `${steps.length} steps.`,
            text: `${lines.join('\n')}\n`,
        })
    }

    function begin(by: string, of: string, plan: DocumentPlan) {
        const steps = plan.groups.filter(group => group.withheld.length === 0).flatMap(group => group.steps)
        const id = `${Date.now()}-${applies.length}`
        const record = create(AppliedRecordSchema, { id, started: now(), by, state: 'running' })
        const apply: Apply = { record, document: of, events: [], listeners: new Set() }
        applies.unshift(apply)
        const task = world.begin({
            ...{ kind: 'node.apply', title: 'Make the node what its document says', owner: by },
            ...{ durationMs: STEP_MS * steps.length + 100, log: steps.map(step => step.say) },
        })
        const tell = (event: object) => {
            apply.events.push(
                create(ApplyEventSchema, { ...event, number: apply.events.length + 1, at: now() } as never),
            )
            for (const listener of [...apply.listeners]) listener()
        }
        let at = 0
        const stop = () => {
            clearInterval(timer)
            world.timers.delete(timer)
        }
        const timer = setInterval(() => {
            const step = steps[at]
            if (step && task.state !== TaskState.CANCELLED) {
                tell({ kind: 'step', text: step.say, step: at + 1, of: steps.length })
                if (step.kind === 'run') tell({ kind: 'said', text: 'tool ended with 0\nall is well' })
                tell({ kind: 'done', text: step.say, tookMs: 1200 })
                at++
                record.steps = at
                return
            }
            record.state = step ? 'cancelled' : 'done'
            record.ended = now()
            verified = create(VerifiedSchema, { at: now(), converged: !step })
            stop()
            tell({ kind: 'end', state: record.state })
        }, STEP_MS)
        world.timers.add(timer)
        text = of
        return { task: task.id, object: id }
    }

    /** What comes back: at least the file that every first apply replaces. */
    const rollbackOf = (id: string) => {
        const before = applies[applies.indexOf(find(id)) + 1]?.document ?? ''
        const step = { kind: 'write', say: 'Write /etc/hostname (as it was before)', diff: '-node1\n+debian' }
        const groups = [create(PlanGroupSchema, { resource: 'rollback', title: 'rollback', steps: [step] } as never)]
        return { before, plan: create(DocumentPlanSchema, { hash: `back to ${id}`, groups, summary: '1 step.' }) }
    }

    const moved = () =>
        refuse(Code.Aborted, { code: 'conflict', at: 'hash', summary: 'The plan would be another one by now' })
    const find = (id: string) => applies.find(one => one.record.id === id) ?? notFound('apply', id)

    router.service(ProvisionService, {
        getDocument: () => ({ path: '/etc/debvisor/node.yaml', exists: text !== '', text }),
        draftDocument: ({ profile }) => ({ text: DRAFT(profile) }),
        getSchema: () => ({ json: JSON.stringify(SCHEMA) }),
        checkDocument: request => ({ findings: findingsOf(request.text) }),
        plan(request) {
            const [first] = findingsOf(request.text)
            if (first)
                refuse(Code.InvalidArgument, {
                    ...{ code: 'invalid', summary: 'The document has a mistake', fix: first.finding.fix },
                    detail: `line ${first.line}: ${first.finding.summary} (${first.finding.detail})`,
                })
            return { plan: planOf(request.text, request.destroy) }
        },
        confirm: (request, context) => confirm(world, userOf(context), request),
        apply(request, context) {
            needConfirmation(world, request.confirmationToken)
            const plan = planOf(request.text, request.destroy)
            if (plan.hash !== request.hash) moved()
            return begin(userOf(context), request.text, plan)
        },
        async *watchApply({ apply, after }, { signal }) {
            const found = find(apply)
            let at = after
            while (!signal.aborted) {
                while (at < found.events.length) yield { event: found.events[at++] }
                if (found.record.state !== 'running') return
                await new Promise<void>(resolve => {
                    found.listeners.add(resolve)
                    signal.addEventListener('abort', () => resolve())
                })
            }
        },
        verify() {
            const { groups } = planOf(text, [])
            const drift = groups.flatMap(group => group.steps.map(step => `${group.resource}: ${step.say}`))
            verified = create(VerifiedSchema, { at: now(), converged: groups.length === 0, drift })
            return { verified }
        },
        getStatus: () => ({
            ...{ document: text === '' ? '' : 'a1b2c3d4e5f6', last: applies[0]?.record, verified },
            now: applies[0]?.record.state === 'running' ? 'debvisor node apply' : '',
        }),
        listApplies: () => ({ applies: applies.map(one => one.record) }),
        getApply: ({ apply }) => find(apply),
        planRollback({ apply }) {
            const { before, plan } = rollbackOf(apply)
            return { apply, document: before, plan }
        },
        rollback(request, context) {
            needConfirmation(world, request.confirmationToken)
            const { before, plan } = rollbackOf(request.apply)
            return begin(userOf(context), before, plan)
        },
    })
}
