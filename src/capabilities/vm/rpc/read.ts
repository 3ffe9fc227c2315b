// One VM: its hardware, its XML, its guest and its figures.
import type { ServiceImpl } from '@connectrpc/connect'
import type { VmService } from '../../../gen/proto/capabilities/vm/vm_pb.js'
import type { VmDeps } from '../deps.ts'
import type { FigureStore } from '../figures.ts'
import { readGuest } from '../guest.ts'
import { readDetail } from '../xml/read.ts'

type Impl = ServiceImpl<typeof VmService>
type Methods = 'get' | 'getXml' | 'getGuest' | 'getFigures' | 'watchFigures'

export function readMethods(deps: VmDeps, figures: FigureStore): Pick<Impl, Methods> {
    const { inventory, libvirt, volumes } = deps
    return {
        async get({ vm }) {
            const { uuid, dom } = inventory.resolve(vm)
            const [definition, activeXml, snapshots] = await Promise.all([
                inventory.inactiveXml(uuid),
                inventory.activeXml(uuid),
                libvirt.connection().call('domainSnapshotNum', { dom, flags: 0 }),
            ])
            // What was read just now may be newer than what events have told.
            const known = inventory.resolve(uuid)
            const stale = known.revision !== definition.revision || known.active !== (activeXml !== undefined)
            const entry = (stale ? await inventory.refresh(uuid) : undefined) ?? known
            const detail = readDetail({
                vm: inventory.line(entry),
                revision: definition.revision,
                inactiveXml: definition.xml,
                activeXml,
                snapshots: snapshots.num,
                agentConnected: entry.agentConnected,
                volumeAt: source => volumes.at(source),
            })
            return { detail }
        },
        async getXml({ vm }) {
            const { uuid } = inventory.resolve(vm)
            const [{ xml, revision }, active] = await Promise.all([
                inventory.inactiveXml(uuid),
                inventory.activeXml(uuid),
            ])
            return { inactive: xml, active: active ?? '', revision }
        },
        getGuest: ({ vm }) => readGuest(deps, inventory.resolve(vm)),
        getFigures: ({ vm }) => ({ history: figures.history(inventory.resolve(vm).uuid) }),
        async *watchFigures({ vm }, context) {
            const { uuid } = inventory.resolve(vm)
            for await (const one of figures.watch(uuid, context.signal)) yield { figures: one }
        },
    }
}
