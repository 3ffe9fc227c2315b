import { Code, type ConnectRouter, type HandlerContext } from '@connectrpc/connect'
import { State, VmService } from '../../../gen/proto/capabilities/vm/vm_pb.js'
import { allows, changes, refuse, userOf } from './access.ts'
import { vmDoing } from './vm-doing.ts'
import { figuresAt } from './vm-figures.ts'
import { hardwareMethods } from './vm-hardware.ts'
import { snapshotMethods } from './vm-snapshots.ts'
import { GIB, type SimVm, type World } from './world.ts'

export function vmService(world: World, router: ConnectRouter): void {
    const { need, line, fresh, doing, on, become } = vmDoing(world)
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

    const visible = (context: HandlerContext): SimVm[] => {
        const user = userOf(context)
        if (allows(world.users.get(user)?.role ?? '', 'vm.view')) return [...world.vms.values()]
        const mine = world.grants.filter(g => g.user === user)
        return [...world.vms.values()].filter(v =>
            mine.some(g => g.vm === line(v).uuid || line(v).tags.includes(g.tag)),
        )
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
            fresh(one, request.revision)
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
                    { sentence: `Remove the definition of ${vm.name}`, destroys: `vm:${vm.name}` },
                    ...(request.disks ? disks.map(d => `${d.pool}/${d.volume}`) : []).map(ref => ({
                        sentence: `Delete the volume ${ref}`,
                        destroys: `volume:${ref}`,
                    })),
                ],
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
            if (request.hotplugMemoryBytes !== undefined) one.detail.hotplugMemoryBytes = request.hotplugMemoryBytes
            if (request.cpu) one.detail.cpu = request.cpu
            if (request.bootOrder) one.detail.bootOrder = request.bootOrder.order
            if (request.serial !== undefined) one.detail.serial = request.serial
            if (request.vnc !== undefined) one.detail.vnc = request.vnc
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
        ...hardwareMethods(world),
        ...snapshotMethods(world),
    })
}
