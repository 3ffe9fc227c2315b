// Create, clone and move a disk: from the messages to the plans of their own files.
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import type { VmService } from '../../../gen/proto/capabilities/vm/vm_pb.js'
import { type Caller, callerOf } from '../../caller.ts'
import { begin } from '../begin.ts'
import { beginClone } from '../clone.ts'
import { beginCreate, type MakeDeps } from '../create.ts'
import { planMoveDisk } from '../move.ts'
import { checkGrantingTags } from '../settings.ts'
import { parseRoot } from '../xml/document.ts'
import { readNics } from '../xml/read-devices.ts'
import { needDisks, needIso, needNic, needSame } from './needs.ts'

type Impl = ServiceImpl<typeof VmService>

/** The methods that make something; `registerMove` belongs to them. */
export function makeMethods(
    deps: MakeDeps & { tagsWithGrants(): ReadonlySet<string> },
): Pick<Impl, 'create' | 'clone' | 'moveDisk'> {
    const checkTags = (tags: readonly string[], context: HandlerContext) => {
        if (!callerOf(context).may('identity.manage')) checkGrantingTags([], tags, deps.tagsWithGrants())
    }
    const as = (caller: Caller): MakeDeps => (caller.may('vm.view') ? deps : { ...deps, hidesVms: true })
    return {
        create(request, context) {
            const caller = callerOf(context)
            checkTags(request.tags, context)
            needDisks(caller, request.disks)
            for (const iso of request.isos) needIso(caller, iso)
            for (const nic of request.nics) needNic(caller, nic)
            return beginCreate(as(caller), request, caller.user)
        },
        async clone(request, context) {
            const caller = callerOf(context)
            const { uuid, tags, owner, paths } = deps.inventory.resolve(request.vm)
            // A clone has all that is in its source.
            caller.need('vm.view', { id: uuid, tags, owner })
            if (paths.length > 0) caller.need('image.view')
            const { xml } = await deps.inventory.inactiveXml(uuid)
            for (const nic of readNics(parseRoot(xml, 'domain'))) needSame(caller, nic)
            checkTags(request.tags, context)
            return beginClone(as(caller), request, caller.user)
        },
        async moveDisk(request, context) {
            const caller = callerOf(context)
            const entry = deps.inventory.resolve(request.vm)
            caller.need('image.manage')
            const change = await planMoveDisk(as(caller), entry, request)
            const { dryRun } = request
            return begin(entry, change, { tasks: deps.tasks, owner: caller.user, dryRun })
        },
    }
}
