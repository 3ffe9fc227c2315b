// The simulated snapshots.

import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { ServiceImpl } from '@connectrpc/connect'
import { Code } from '@connectrpc/connect'
import { SnapshotSchema, type VmService } from '../../../gen/proto/capabilities/vm/vm_pb.js'
import { refuse } from './access.ts'
import { vmDoing } from './vm-doing.ts'
import type { World } from './world.ts'

export function snapshotMethods(world: World) {
    const { need, line, doing } = vmDoing(world)
    return {
        listSnapshots: request => ({ snapshots: need(request.vm).snapshots }),
        createSnapshot: (request, context) => {
            const one = need(request.vm)
            if (one.snapshots.some(s => s.name === request.name))
                refuse(Code.AlreadyExists, {
                    code: 'exists',
                    summary: 'There is already a snapshot of this name',
                    detail: request.name,
                    fix: 'Choose another name.',
                })
            return doing(one, context, {
                kind: 'vm.snapshot',
                title: `Snapshot ${request.name} of ${line(one).name}`,
                sentence: 'Take the snapshot',
                dryRun: request.dryRun,
                effect: () => {
                    const parent = one.snapshots.find(s => s.current)
                    if (parent) {
                        parent.current = false
                        parent.children.push(request.name)
                    }
                    one.snapshots.push(
                        create(SnapshotSchema, {
                            name: request.name,
                            description: request.description,
                            parent: parent?.name ?? '',
                            current: true,
                            state: line(one).state,
                            created: timestampFromMs(Date.now()),
                            kind: request.kind || 'internal',
                            memory: request.memory,
                        }),
                    )
                    one.detail.snapshots = one.snapshots.length
                    return undefined
                },
            })
        },
        revertSnapshot: (request, context) => {
            const one = need(request.vm)
            return doing(one, context, {
                kind: 'vm.snapshot',
                title: `Revert ${line(one).name} to ${request.name}`,
                sentence: [
                    {
                        sentence: `Put the disks back as they were at ${request.name}`,
                        destroys: `changes:${line(one).name}`,
                    },
                ],
                dryRun: request.dryRun,
                effect: () => {
                    for (const s of one.snapshots) s.current = s.name === request.name
                    return undefined
                },
            })
        },
        deleteSnapshot: (request, context) => {
            const one = need(request.vm)
            return doing(one, context, {
                kind: 'vm.snapshot',
                title: `Delete snapshot ${request.name}`,
                sentence: [
                    {
                        sentence: `Delete snapshot ${request.name}`,
                        destroys: `snapshot:${line(one).name}/${request.name}`,
                    },
                ],
                dryRun: request.dryRun,
                effect: () => {
                    one.snapshots = one.snapshots.filter(s => s.name !== request.name)
                    one.detail.snapshots = one.snapshots.length
                    return undefined
                },
            })
        },
    } satisfies Partial<ServiceImpl<typeof VmService>>
}
