// The simulated machines' service.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, type ConnectRouter, type HandlerContext } from '@connectrpc/connect'
import { type Begun, BegunSchema } from '../../../gen/proto/capabilities/debvisor_pb.js'
import {
    DiskSchema,
    type Figures,
    FiguresSchema,
    type NewDisk,
    NicSchema,
    SnapshotSchema,
    State,
    type Vm,
    VmService,
} from '../../../gen/proto/capabilities/vm/vm_pb.js'
import { allows, changes, notFound, refuse, userOf } from './access.ts'
import { GIB, type SimVm, type World } from './world.ts'

interface Doing {
    kind: string
    title: string
    sentence: string | string[]
    destroys?: string
    dryRun: boolean
    durationMs?: number
    finding?: string
    effect: () => { summary: string; detail?: string; fix?: string } | undefined
}

export function vmService(world: World, router: ConnectRouter): void {
    const need = (ref: string): SimVm => world.find(ref) ?? notFound('virtual machine', ref)
    const line = (one: SimVm): Vm => one.detail.vm!

    const fresh = (one: SimVm, revision: string): void => {
        if (revision !== '' && revision !== one.detail.revision)
            refuse(Code.Aborted, {
                code: 'conflict',
                summary: 'Someone else changed it meanwhile',
                detail: line(one).name,
                fix: 'Load it again and repeat your change.',
            })
    }

    function doing(one: SimVm | undefined, context: HandlerContext, what: Doing): Begun {
        const sentences = [what.sentence].flat()
        const plan = sentences.map((sentence, index) => ({
            sentence,
            destroys: index === sentences.length - 1 ? (what.destroys ?? '') : '',
        }))
        const findings = what.finding
            ? [{ severity: 'info', code: 'next-start', at: '', summary: what.finding, detail: '', fix: '' }]
            : []
        const object = one ? line(one).uuid : ''
        if (what.dryRun) return create(BegunSchema, { plan, object, findings })
        const owner = userOf(context)
        const vm = one && line(one)
        world.record({ who: owner, what: what.kind, onId: object, onName: vm?.name ?? '' })
        const task = world.begin({
            kind: what.kind,
            title: what.title,
            owner,
            on: vm && { kind: 'vm', id: vm.uuid, name: vm.name },
            durationMs: what.durationMs,
            log: sentences,
            effect: () => {
                const problem = what.effect()
                if (one) world.touch(one)
                return problem
            },
        })
        return create(BegunSchema, { task: task.id, plan, object, findings })
    }

    const on = (one: SimVm): boolean =>
        [State.RUNNING, State.PAUSED, State.SHUTTING_DOWN, State.SLEEPING].includes(line(one).state)
    const become = (one: SimVm, state: State): void => {
        const vm = line(one)
        if (!on(one) && state === State.RUNNING) vm.started = timestampFromMs(Date.now())
        vm.state = state
        vm.cpu = state === State.RUNNING ? 0.2 : 0
        if (state === State.STOPPED) {
            vm.started = undefined
            vm.pending = false
            one.detail.pendingChanges = []
        }
    }
    const powers =
        (verb: string, from: State[], to: State, durationMs: number) =>
        (request: { vm: string; dryRun: boolean }, context: HandlerContext) => {
            const one = need(request.vm)
            const vm = line(one)
            if (!from.includes(vm.state))
                refuse(Code.FailedPrecondition, {
                    code: 'precondition',
                    summary: 'The machine is not in the right state',
                    detail: vm.name,
                    fix: 'Look at its state.',
                })
            return doing(one, context, {
                kind: 'vm.power',
                title: `${verb} ${vm.name}`,
                sentence: `${verb} ${vm.name}`,
                dryRun: request.dryRun,
                durationMs,
                effect: () => {
                    become(one, to)
                    return undefined
                },
            })
        }
    const off = [State.STOPPED, State.CRASHED]
    const alive = [State.RUNNING, State.PAUSED, State.SHUTTING_DOWN, State.SLEEPING]

    const figuresAt = (one: SimVm, ms: number): Figures => {
        const vm = line(one)
        const s = ms / 1000
        const wave = (period: number, shift: number): number => (Math.sin(s / period + shift) + 1) / 2
        const shift = vm.uuid.charCodeAt(0)
        return create(FiguresSchema, {
            at: timestampFromMs(ms),
            cpu: 0.1 + 0.5 * wave(240, shift) * (0.6 + 0.4 * wave(17, 2)),
            memoryBytes: vm.memoryBytes,
            memoryUsedBytes: BigInt(Math.round(Number(vm.memoryBytes) * (0.4 + 0.2 * wave(900, shift)))),
            diskReadBytesPerSecond: BigInt(Math.round(4e6 * wave(60, 1) ** 4)),
            diskWriteBytesPerSecond: BigInt(Math.round(2e6 * wave(35, 3) ** 3)),
            netRxBytesPerSecond: BigInt(Math.round(9e5 * wave(90, 5))),
            netTxBytesPerSecond: BigInt(Math.round(5e5 * wave(70, 4))),
        })
    }

    const hardware = (
        request: { vm: string; revision?: string; dryRun: boolean },
        context: HandlerContext,
        what: Pick<Doing, 'title' | 'sentence' | 'effect' | 'destroys' | 'finding' | 'durationMs'>,
    ): Begun => {
        const one = need(request.vm)
        fresh(one, request.revision ?? '')
        return doing(one, context, { kind: 'vm.hardware', dryRun: request.dryRun, ...what })
    }
    const visible = (context: HandlerContext): SimVm[] => {
        const user = userOf(context)
        if (allows(world.users.get(user)?.role ?? '', 'vm.view')) return [...world.vms.values()]
        const mine = world.grants.filter(g => g.user === user)
        return [...world.vms.values()].filter(v =>
            mine.some(g => g.vm === line(v).uuid || line(v).tags.includes(g.tag)),
        )
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

    router.service(VmService, {
        list: (_request, context) => ({ vms: visible(context).map(line) }),
        async *watch(_request, context) {
            const all = visible(context)
            for (let i = 0; i < all.length; i += 1000) yield { vms: all.slice(i, i + 1000).map(line) }
            yield { vms: [], synced: true }
            for await (const batch of changes(world, ['vm', 'stale'], context.signal)) {
                const stale = batch.find(c => c.kind === 'stale')
                if (stale) yield { stale: stale.stale ?? false }
                const seen = new Set(visible(context).map(v => line(v).uuid))
                const keys = batch.filter(c => c.kind === 'vm').map(c => c.key)
                yield {
                    vms: keys.flatMap(key => (seen.has(key) ? [line(world.vms.get(key)!)] : [])),
                    removed: keys.filter(key => !world.vms.has(key)),
                }
            }
        },
        get: request => ({ detail: need(request.vm).detail }),
        getXml: request => {
            const { name, uuid } = line(need(request.vm))
            const escaped = name.replace(/[<>&"]/g, c => `&#${c.charCodeAt(0)};`)
            const xml = `<domain type='kvm'>\n  <name>${escaped}</name>\n  <uuid>${uuid}</uuid>\n  <os>\n    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>\n  </os>\n</domain>\n`
            return { inactive: xml, active: on(need(request.vm)) ? xml : '' }
        },
        getGuest: request => {
            const one = need(request.vm)
            if (!on(one)) return {}
            return {
                agent: true,
                hostname: world.hostile(line(one).name),
                os: world.hostile('Debian GNU/Linux 13 (trixie)'),
                interfaces: [
                    {
                        name: 'enp1s0',
                        mac: one.detail.nics[0]?.mac ?? '',
                        addresses: ['192.168.122.57', 'fe80::5054:ff:fe12:3456'],
                        source: 'agent',
                    },
                ],
                filesystems: [{ mountpoint: '/', type: 'ext4', totalBytes: 20n * GIB, usedBytes: 7n * GIB }],
            }
        },
        getFigures: request => {
            const one = need(request.vm)
            const now = Date.now()
            return {
                history: on(one) ? Array.from({ length: 360 }, (_, i) => figuresAt(one, now - (360 - i) * 10_000)) : [],
            }
        },
        async *watchFigures(request, context) {
            const one = need(request.vm)
            while (!context.signal.aborted) {
                yield { figures: figuresAt(one, Date.now()) }
                await new Promise(resolve => setTimeout(resolve, 2_000))
            }
        },
        create(request, context) {
            if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(request.name))
                refuse(Code.InvalidArgument, {
                    code: 'invalid',
                    summary: 'That name cannot be used',
                    detail: request.name,
                    fix: 'Use letters, digits, dots, dashes or underscores.',
                    at: 'name',
                })
            if (world.find(request.name))
                refuse(Code.AlreadyExists, {
                    code: 'exists',
                    summary: 'There is already a machine of this name',
                    detail: request.name,
                    fix: 'Choose another name.',
                    at: 'name',
                })
            const from = request.disks[0]?.from
            const gib = Number((request.disks[0]?.sizeBytes ?? 0n) / GIB)
            const sentences = [
                from ? `Copy ${from} to default/${request.name}.qcow2` : `Make the disk default/${request.name}.qcow2`,
                ...(gib > 0 ? [`Give it ${gib} GiB`] : []),
                ...(request.cloudInit ? ['Make a cloud-init seed'] : []),
                `Define ${request.name}: ${request.vcpus} vCPU, ${request.memoryBytes / 1024n ** 2n} MiB`,
                ...(request.start ? ['Start it'] : []),
            ]
            if (request.dryRun)
                return doing(undefined, context, {
                    kind: 'vm.create',
                    title: '',
                    sentence: sentences,
                    dryRun: true,
                    effect: () => undefined,
                })
            const one = world.addVm(request.name, {
                state: State.STOPPED,
                tags: request.tags,
                memory: request.memoryBytes,
                vcpus: request.vcpus,
            })
            one.detail.hasSeed = request.cloudInit !== undefined
            line(one).description = request.description
            world.touch(one)
            world.say({ kind: 'volume', key: `default/${request.name}.qcow2` })
            return doing(one, context, {
                kind: 'vm.create',
                title: `Create ${request.name}`,
                sentence: sentences,
                dryRun: false,
                durationMs: 1800,
                effect: () => {
                    if (request.start) become(one, State.RUNNING)
                    return undefined
                },
            })
        },
        clone(request, context) {
            const source = need(request.vm)
            if (world.find(request.name))
                refuse(Code.AlreadyExists, {
                    code: 'exists',
                    summary: 'There is already a machine of this name',
                    detail: request.name,
                    fix: 'Choose another name.',
                })
            if (request.dryRun)
                return doing(undefined, context, {
                    kind: 'vm.create',
                    title: '',
                    sentence: `Copy ${line(source).name}`,
                    dryRun: true,
                    effect: () => undefined,
                })
            const one = world.addVm(request.name, {
                state: State.STOPPED,
                memory: line(source).memoryBytes,
                vcpus: line(source).vcpus,
            })
            world.touch(one)
            return doing(one, context, {
                kind: 'vm.create',
                title: `Clone ${line(source).name} to ${request.name}`,
                sentence: 'Copy the disk',
                dryRun: false,
                durationMs: 2000,
                effect: () => undefined,
            })
        },
        delete(request, context) {
            const one = need(request.vm)
            const vm = line(one)
            if (on(one) && !request.force)
                refuse(Code.FailedPrecondition, {
                    code: 'precondition',
                    summary: 'It runs',
                    detail: vm.name,
                    fix: 'Shut it down first, or force it off.',
                })
            const disks = one.detail.disks.filter(d => d.volume && d.device === 'disk')
            return doing(one, context, {
                kind: 'vm.delete',
                title: `Delete ${vm.name}`,
                sentence: [
                    `Remove the definition of ${vm.name}`,
                    ...(request.disks ? disks.map(d => `Delete the disk ${d.pool}/${d.volume}`) : []),
                ],
                destroys: request.disks ? disks.map(d => `disk ${d.pool}/${d.volume}`).join(', ') : '',
                dryRun: request.dryRun,
                effect: () => {
                    world.vms.delete(vm.uuid)
                    if (request.disks)
                        for (const d of disks) {
                            world.volumes.delete(`${d.pool}/${d.volume}`)
                            world.say({ kind: 'volume', key: `${d.pool}/${d.volume}` })
                        }
                    return undefined
                },
            })
        },
        setTemplate: (request, context) => {
            const one = need(request.vm)
            return doing(one, context, {
                kind: 'vm.update',
                title: `Template ${line(one).name}`,
                sentence: 'Mark it',
                dryRun: request.dryRun,
                effect: () => void (line(one).template = request.template),
            })
        },
        rename: (request, context) => {
            const one = need(request.vm)
            if (world.find(request.name))
                refuse(Code.AlreadyExists, {
                    code: 'exists',
                    summary: 'There is already a machine of this name',
                    detail: request.name,
                    fix: 'Choose another name.',
                })
            return doing(one, context, {
                kind: 'vm.update',
                title: `Rename ${line(one).name}`,
                sentence: 'Rename it',
                dryRun: request.dryRun,
                durationMs: 200,
                effect: () => void (line(one).name = request.name),
            })
        },
        update: (request, context) => {
            const one = need(request.vm)
            fresh(one, request.revision)
            const vm = line(one)
            const later = on(one) && (request.memoryBytes !== undefined || request.vcpus !== undefined)
            if (request.description !== undefined) vm.description = request.description
            if (request.notes !== undefined) one.detail.notes = request.notes
            if (request.tags) vm.tags = request.tags.tags
            if (request.autostart !== undefined) vm.autostart = request.autostart
            if (request.memoryBytes !== undefined) vm.memoryBytes = request.memoryBytes
            if (request.vcpus !== undefined) vm.vcpus = request.vcpus
            if (later) {
                vm.pending = true
                one.detail.pendingChanges = ['CPU or memory differ from what runs']
            }
            world.touch(one)
            return doing(one, context, {
                kind: 'vm.update',
                title: `Change ${vm.name}`,
                sentence: 'Store the definition',
                dryRun: request.dryRun,
                durationMs: 100,
                finding: later ? 'Takes effect at the next start' : undefined,
                effect: () => undefined,
            })
        },
        start: powers('Start', off, State.RUNNING, 900),
        shutdown: powers('Shut down', [State.RUNNING], State.STOPPED, 1500),
        reboot: powers('Restart', [State.RUNNING], State.RUNNING, 900),
        stop: powers('Force off', alive, State.STOPPED, 300),
        reset: powers('Reset', [State.RUNNING], State.RUNNING, 300),
        suspend: powers('Pause', [State.RUNNING], State.PAUSED, 300),
        resume: powers('Resume', [State.PAUSED, State.SLEEPING], State.RUNNING, 300),
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
            return hardware(request, context, {
                title: `Remove ${request.target} from ${line(one).name}`,
                sentence: [
                    `Detach ${request.target}`,
                    ...(request.delete ? [`Delete ${disk.pool}/${disk.volume}`] : []),
                ],
                destroys: request.delete ? `disk ${disk.pool}/${disk.volume}` : '',
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
        removeSeed: (request, context) => {
            const one = need(request.vm)
            return hardware(request, context, {
                title: 'Remove the seed',
                sentence: 'Detach and delete the cloud-init seed',
                effect: () => void (one.detail.hasSeed = false),
            })
        },
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
                sentence: `Put the disks back as they were at ${request.name}`,
                destroys: 'everything written since',
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
                sentence: `Delete snapshot ${request.name}`,
                dryRun: request.dryRun,
                effect: () => {
                    one.snapshots = one.snapshots.filter(s => s.name !== request.name)
                    one.detail.snapshots = one.snapshots.length
                    return undefined
                },
            })
        },
    })
}
