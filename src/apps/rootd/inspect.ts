// The verbs of debvisor-rootd that only look: disks with their health, services, the journal.
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { ServiceImpl } from '@connectrpc/connect'
import { seeHealth } from '../../capabilities/disks/look.ts'
import { type Entry, readJournal } from '../../capabilities/node/journal.ts'
import { seeServices } from '../../capabilities/node/units.ts'
import type { RootdService } from '../../gen/proto/apps/rootd/rootd_pb.js'
import type { Clock, Probe } from '../../ports/ports.ts'

export interface InspectDeps {
    machine: Probe
    clock: Clock
}

type Looks = Pick<ServiceImpl<typeof RootdService>, 'listDisks' | 'listUnits' | 'readJournal'>

export function inspectMethods(deps: InspectDeps): Looks {
    /** Asking all disks takes their time: who asks meanwhile gets the same answer. */
    let disks: ReturnType<typeof seeHealth> | undefined
    const allDisks = () =>
        (disks ??= seeHealth(deps.machine).finally(() => {
            disks = undefined
        }))
    return {
        async listDisks() {
            const { disks: seen, findings } = await allDisks()
            return {
                findings,
                disks: seen.map(({ smart, health, sizeBytes, ...disk }) => ({
                    ...{ id: disk.id, path: disk.path, model: disk.model, serial: disk.serial },
                    ...{ rotational: disk.rotational, transport: disk.transport, removable: disk.removable },
                    ...{ system: disk.system, mountpoints: disk.mountpoints, signatures: disk.signatures },
                    ...{ sizeBytes: BigInt(sizeBytes), health, signs: smart.signs },
                    temperatureCelsius: smart.temperatureCelsius,
                    powerOnHours: smart.powerOnHours === undefined ? undefined : BigInt(smart.powerOnHours),
                    wornPercent: smart.wornPercent,
                })),
            }
        },
        listUnits: async () => ({ units: await seeServices(deps.machine) }),
        async *readJournal(wish, { signal }) {
            for await (const entries of readJournal(deps, wish, signal)) yield { entries: entries.map(entryMessage) }
        },
    }
}

const entryMessage = ({ atMs, priority, unit, source, pid, text }: Entry) => ({
    ...{ at: timestampFromMs(atMs), priority, unit, source, pid, text },
})
