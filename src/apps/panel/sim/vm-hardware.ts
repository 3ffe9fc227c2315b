// The simulated hardware: disks, CD drives, network cards, the seed.

import { create } from '@bufbuild/protobuf'
import type { ServiceImpl } from '@connectrpc/connect'
import { Code, type HandlerContext } from '@connectrpc/connect'
import type { Begun } from '../../../gen/proto/capabilities/debvisor_pb.js'
import { DiskSchema, type NewDisk, NicSchema, type VmService } from '../../../gen/proto/capabilities/vm/vm_pb.js'
import { notFound, refuse } from './access.ts'
import { type Doing, vmDoing } from './vm-doing.ts'
import { GIB, type World } from './world.ts'

const SEED = '#cloud-config\nhostname: web1\nuser:\n  name: ada\n  passwd: "[hidden]"\n'

export function hardwareMethods(world: World) {
    const seeds = new Map<string, string>()
    const { need, line, fresh, doing, on } = vmDoing(world)
    const hardware = (
        request: { vm: string; revision?: string; dryRun: boolean },
        context: HandlerContext,
        what: Pick<Doing, 'title' | 'sentence' | 'effect' | 'finding' | 'durationMs'>,
    ): Begun => {
        const one = need(request.vm)
        fresh(one, request.revision ?? '')
        return doing(one, context, { kind: 'vm.hardware', dryRun: request.dryRun, ...what })
    }
    const newDisk = (disk: NewDisk | undefined, name: string, target: string) => {
        const [, fromName] = (disk?.existing || disk?.from || '').split('/')
        const pool = disk?.pool || 'default'
        const volume = disk?.existing ? (fromName ?? '') : `${name}.qcow2`
        const from = disk?.from ? world.volumes.get(disk.from) : undefined
        const capacityBytes = disk?.sizeBytes || from?.capacityBytes || 20n * GIB
        if (!disk?.existing) {
            world.addVolume(pool, volume, { capacityBytes, usedBy: [`vm:${name}`] })
            world.say({ kind: 'volume', key: `${pool}/${volume}` })
        }
        return create(DiskSchema, {
            target,
            device: 'disk',
            bus: disk?.bus || 'virtio',
            pool,
            volume,
            format: 'qcow2',
            capacityBytes,
            allocationBytes: GIB / 4n,
            presence: 'live',
        })
    }

    return {
        attachDisk: (request, context) => {
            const one = need(request.vm)
            const cd = request.device === 'cdrom'
            const target = `${cd ? 'sd' : 'vd'}${'abcdefghij'[one.detail.disks.length] ?? 'z'}`
            return hardware(request, context, {
                title: `Add ${cd ? 'CD drive' : 'disk'} to ${line(one).name}`,
                sentence: `Attach ${target}`,
                finding: cd && on(one) ? 'Takes effect at the next start' : undefined,
                effect: () => {
                    one.detail.disks.push(
                        cd
                            ? create(DiskSchema, {
                                  target,
                                  device: 'cdrom',
                                  bus: 'sata',
                                  readonly: true,
                                  presence: on(one) ? 'pending' : 'live',
                              })
                            : newDisk(request.disk, `${line(one).name}-${target}`, target),
                    )
                    return undefined
                },
            })
        },
        updateDisk: (request, context) =>
            hardware(request, context, {
                title: `Change ${request.target}`,
                sentence: 'Set limits',
                effect: () => undefined,
            }),
        detachDisk: (request, context) => {
            const one = need(request.vm)
            const disk = one.detail.disks.find(d => d.target === request.target) ?? notFound('disk', request.target)
            const ref = `${disk.pool}/${disk.volume}`
            return hardware(request, context, {
                title: `Remove ${request.target} from ${line(one).name}`,
                sentence: [
                    `Detach ${request.target}`,
                    ...(request.delete ? [{ sentence: `Delete the volume ${ref}`, destroys: `volume:${ref}` }] : []),
                ],
                effect: () => void (one.detail.disks = one.detail.disks.filter(d => d.target !== request.target)),
            })
        },
        resizeDisk: (request, context) => {
            const one = need(request.vm)
            const disk = one.detail.disks.find(d => d.target === request.target) ?? notFound('disk', request.target)
            if (request.sizeBytes <= disk.capacityBytes)
                refuse(Code.InvalidArgument, {
                    code: 'invalid',
                    summary: 'A disk can only grow',
                    detail: `${disk.target} has ${disk.capacityBytes / GIB} GiB`,
                    fix: 'Give a larger size.',
                })
            return hardware(request, context, {
                title: `Enlarge ${request.target}`,
                sentence: 'Enlarge it',
                effect: () => void (disk.capacityBytes = request.sizeBytes),
            })
        },
        moveDisk: (request, context) =>
            hardware(request, context, {
                title: `Move ${request.target} to ${request.pool}`,
                sentence: 'Copy, then switch over',
                durationMs: 4000,
                effect: () => undefined,
            }),
        changeMedia: (request, context) => {
            const one = need(request.vm)
            const disk = one.detail.disks.find(d => d.target === request.target) ?? notFound('CD drive', request.target)
            const [pool, volume] = request.iso.split('/')
            return hardware(request, context, {
                title: request.iso ? `Insert ${request.iso}` : `Eject ${request.target}`,
                sentence: 'Change the medium',
                durationMs: 200,
                effect: () => void Object.assign(disk, { pool: pool ?? '', volume: volume ?? '' }),
            })
        },
        attachNic: (request, context) => {
            const one = need(request.vm)
            const nic = create(NicSchema, {
                mac: request.nic?.mac || world.mac(),
                network: request.nic?.network || 'default',
                model: request.nic?.model || 'virtio',
                vlan: request.nic?.vlan ?? 0,
                presence: 'live',
            })
            return hardware(request, context, {
                title: `Add network card to ${line(one).name}`,
                sentence: 'Attach it',
                effect: () => void one.detail.nics.push(nic),
            })
        },
        updateNic: (request, context) => {
            const one = need(request.vm)
            const nic = one.detail.nics.find(n => n.mac === request.mac) ?? notFound('network card', request.mac)
            return hardware(request, context, {
                title: `Change ${request.mac}`,
                sentence: 'Change it',
                effect: () => {
                    if (request.linkDown !== undefined) nic.linkDown = request.linkDown
                    if (request.network !== undefined) nic.network = request.network
                    return undefined
                },
            })
        },
        detachNic: (request, context) => {
            const one = need(request.vm)
            return hardware(request, context, {
                title: `Remove ${request.mac}`,
                sentence: `Detach ${request.mac}`,
                effect: () => void (one.detail.nics = one.detail.nics.filter(n => n.mac !== request.mac)),
            })
        },
        getSeed: request => {
            const { vm } = need(request.vm).detail
            const userData = seeds.get(request.vm) ?? SEED
            return {
                volume: `default/${vm?.name}-seed.iso`,
                files: [
                    {
                        name: 'user-data',
                        text: `${userData}${world.options.hostile ? '# <img src=x onerror="window.hacked=1">\n' : ''}`,
                        hidden: true,
                    },
                    { name: 'meta-data', text: `instance-id: ${vm?.uuid}\nlocal-hostname: ${vm?.name}\n` },
                ],
            }
        },
        setSeed: (request, context) => {
            const one = need(request.vm)
            const { user = '', userData = '' } = request.cloudInit ?? {}
            return hardware(request, context, {
                title: 'Give another seed',
                sentence: 'Write the cloud-init seed with a new instance-id',
                effect() {
                    one.detail.hasSeed = true
                    seeds.set(request.vm, userData || `#cloud-config\nuser:\n  name: ${user}\n`)
                },
            })
        },
        removeSeed: (request, context) => {
            const one = need(request.vm)
            return hardware(request, context, {
                title: 'Remove the seed',
                sentence: 'Detach and delete the cloud-init seed',
                effect: () => void (one.detail.hasSeed = false),
            })
        },
    } satisfies Partial<ServiceImpl<typeof VmService>>
}
