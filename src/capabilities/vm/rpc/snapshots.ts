// Snapshots: from the messages to the plans, and from what libvirt says to the list.
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import { State, type VmService } from '../../../gen/proto/capabilities/vm/vm_pb.js'
import { callerOf } from '../../caller.ts'
import { begin, type Change } from '../begin.ts'
import type { MakeDeps } from '../create.ts'
import type { VmEntry } from '../inventory.ts'
import { listSnapshots, planCreateSnapshot, type SnapshotEntry } from '../snapshots.ts'
import { planDeleteSnapshot, planRevert } from '../snapshots-back.ts'

type Impl = ServiceImpl<typeof VmService>
type Methods = 'listSnapshots' | 'createSnapshot' | 'revertSnapshot' | 'deleteSnapshot'

/** libvirt's words for the state in which a snapshot was taken. */
const STATES: Record<string, State> = {
    running: State.RUNNING,
    blocked: State.RUNNING,
    // Of a running VM, without its memory.
    'disk-snapshot': State.RUNNING,
    paused: State.PAUSED,
    shutdown: State.SHUTTING_DOWN,
    shutoff: State.STOPPED,
    crashed: State.CRASHED,
    pmsuspended: State.SLEEPING,
}

const messageOf = (snapshot: SnapshotEntry) => ({
    name: snapshot.name,
    description: snapshot.description,
    parent: snapshot.parent,
    current: snapshot.current,
    state: STATES[snapshot.state] ?? State.STATE_UNSPECIFIED,
    created: timestampFromMs(snapshot.createdMs),
    kind: snapshot.kind,
    memory: snapshot.memory,
    children: snapshot.children,
})

/** The methods of snapshots; `registerSnapshots` belongs to them. */
export function snapshotMethods(deps: MakeDeps): Pick<Impl, Methods> {
    const { inventory, tasks } = deps
    const method =
        <R extends { vm: string; dryRun: boolean }>(plan: (entry: VmEntry, request: R) => Promise<Change>) =>
        async (request: R, context: HandlerContext) => {
            const entry = inventory.resolve(request.vm)
            const change = await plan(entry, request)
            return begin(entry, change, { tasks, owner: callerOf(context).user, dryRun: request.dryRun })
        }
    return {
        async listSnapshots(request) {
            const { dom } = inventory.resolve(request.vm)
            return { snapshots: (await listSnapshots(deps.libvirt, dom)).map(messageOf) }
        },
        createSnapshot: method((entry, request) => planCreateSnapshot(deps, entry, request)),
        revertSnapshot: method((entry, request) => planRevert(deps, entry, request)),
        deleteSnapshot: method((entry, request) => planDeleteSnapshot(deps, entry, request)),
    }
}
