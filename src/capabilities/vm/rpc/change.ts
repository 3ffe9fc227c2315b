// Methods that change one VM: each is a plan from its own file, begun as a task.
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import { Then, type VmService } from '../../../gen/proto/capabilities/vm/vm_pb.js'
import { type Caller, callerOf } from '../../caller.ts'
import { begin, type Change } from '../begin.ts'
import type { HardwareDeps } from '../hardware.ts'
import { planAttachDisk } from '../hardware-attach.ts'
import { planDetachDisk, planResizeDisk, planUpdateDisk } from '../hardware-disks.ts'
import { planChangeMedia, planRemoveSeed } from '../hardware-media.ts'
import { planAttachNic, planDetachNic, planUpdateNic } from '../hardware-nics.ts'
import type { VmEntry } from '../inventory.ts'
import { beginShutdownAll } from '../lifecycle.ts'
import { planReboot, planReset, planResume, planShutdown, planStart, planStop, planSuspend } from '../power.ts'
import { planDelete } from '../remove.ts'
import { planSetSeed, readSeed } from '../seed-change.ts'
import { checkGrantingTags, planRename, planTemplate, planUpdate } from '../settings.ts'
import { needAttached, needIso, needJoin, needNic } from './needs.ts'

type Impl = ServiceImpl<typeof VmService>
type Methods =
    | 'start'
    | 'shutdown'
    | 'shutdownAll'
    | 'reboot'
    | 'stop'
    | 'reset'
    | 'suspend'
    | 'resume'
    | 'update'
    | 'rename'
    | 'setTemplate'
    | 'delete'
    | 'attachDisk'
    | 'updateDisk'
    | 'detachDisk'
    | 'resizeDisk'
    | 'changeMedia'
    | 'attachNic'
    | 'updateNic'
    | 'detachNic'
    | 'getSeed'
    | 'setSeed'
    | 'removeSeed'

export interface ChangeDeps extends HardwareDeps {
    /** Tags on which grants rest: only an administrator may set or take them. */
    tagsWithGrants(): ReadonlySet<string>
}

export function changeMethods(deps: ChangeDeps): Pick<Impl, Methods> {
    /** The same parts, on behalf of a caller. */
    const as = (caller: Caller): ChangeDeps => (caller.may('vm.view') ? deps : { ...deps, hidesVms: true })
    /** A method that plans a change of `vm` and begins it. `need` has checked what the interceptor cannot know of. */
    const method =
        <R extends { vm: string; dryRun: boolean }>(
            plan: (entry: VmEntry, request: R, caller: Caller) => Change | Promise<Change>,
            need: (caller: Caller, request: R) => void = () => undefined,
        ) =>
        async (request: R, context: HandlerContext) => {
            const caller = callerOf(context)
            const entry = deps.inventory.resolve(request.vm)
            need(caller, request)
            const change = await plan(entry, request, caller)
            return begin(entry, change, { tasks: deps.tasks, owner: caller.user, dryRun: request.dryRun })
        }
    return {
        start: method((entry, { paused }, caller) =>
            planStart(deps, entry, { paused, wakesNetworks: caller.may('network.view') }),
        ),
        shutdown: method((entry, { deadlineSeconds, onDeadline }) =>
            planShutdown(deps, entry, { deadlineMs: deadlineSeconds * 1000, force: onDeadline === Then.FORCE }),
        ),
        shutdownAll: ({ deadlineSeconds, onDeadline, dryRun }, context) =>
            beginShutdownAll(deps, {
                deadlineSeconds,
                force: onDeadline === Then.FORCE,
                dryRun,
                owner: callerOf(context).user,
            }),
        reboot: method(entry => planReboot(deps, entry)),
        stop: method(entry => planStop(deps, entry)),
        reset: method(entry => planReset(deps, entry)),
        suspend: method(entry => planSuspend(deps, entry)),
        resume: method(entry => planResume(deps, entry)),
        update: method((entry, request, caller) => {
            const checkTags = (before: readonly string[], after: readonly string[]) => {
                if (!caller.may('identity.manage')) checkGrantingTags(before, after, deps.tagsWithGrants())
            }
            return planUpdate({ ...deps, checkTags }, entry, request)
        }),
        rename: method((entry, request) => planRename(deps, entry, request)),
        setTemplate: method((entry, { template }) => planTemplate(deps, entry, template)),
        delete: method((entry, request, caller) => planDelete(as(caller), entry, request)),
        attachDisk: method(
            (entry, request, caller) => planAttachDisk(as(caller), entry, request),
            (caller, request) => needAttached(caller, request),
        ),
        updateDisk: method((entry, request) => planUpdateDisk(deps, entry, request)),
        detachDisk: method((entry, request, caller) => planDetachDisk(as(caller), entry, request)),
        resizeDisk: method((entry, request) => planResizeDisk(deps, entry, request)),
        changeMedia: method(
            (entry, request, caller) => planChangeMedia(as(caller), entry, request),
            (caller, { iso }) => needIso(caller, iso),
        ),
        attachNic: method(
            (entry, request, caller) => planAttachNic(as(caller), entry, request),
            (caller, { nic }) => needNic(caller, nic ?? {}),
        ),
        updateNic: method(
            (entry, request, caller) => planUpdateNic(as(caller), entry, request),
            (caller, request) => needJoin(caller, request),
        ),
        detachNic: method((entry, request) => planDetachNic(deps, entry, request)),
        getSeed: ({ vm }) => readSeed(deps, deps.inventory.resolve(vm)),
        setSeed: method((entry, { cloudInit }, caller) => planSetSeed(as(caller), entry, cloudInit)),
        removeSeed: method((entry, _, caller) => planRemoveSeed(as(caller), entry)),
    }
}
