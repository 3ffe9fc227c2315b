// What a request takes from outside its VM is held without the permission for it, whatever is granted on the VM.
import { createClient, createRouterTransport } from '@connectrpc/connect'
import { expect, test } from 'vitest'
import { Fault } from '../../../base/fault.ts'
import { VmService } from '../../../gen/proto/capabilities/vm/vm_pb.js'
import { type Caller, callerKey } from '../../caller.ts'
import { type ChangeDeps, changeMethods } from './change.ts'
import { makeMethods } from './create.ts'

const entry = {
    uuid: 'u',
    name: 'web1',
    tags: [],
    owner: '',
    paths: ['/d'],
    networks: [],
    active: false,
    persistent: true,
}
const nics = "<interface type='network'><source network='lan'/></interface><interface type='bridge'/>"

/** A client whose caller may everything on a VM, and everything globally but `held`. `reached`: it was let pass. */
function clientWithout(held: string) {
    const seen = { reached: false }
    const reached = (): never => {
        seen.reached = true
        throw new Fault('unavailable', { summary: 'stop here' })
    }
    const caller: Caller = {
        ...{ user: 'eve', via: 'session', viaId: '', from: '' },
        may: (permission, object) => object !== undefined || permission !== held,
        need(permission, object) {
            if (!caller.may(permission, object)) throw new Fault('denied', { summary: permission })
        },
    }
    const domain = `<domain><devices>${nics}</devices></domain>`
    let reads = 0
    const deps = {
        inventory: {
            resolve: () => entry,
            // The first read of a clone is for its NICs.
            inactiveXml: () => (held.startsWith('network.') && reads++ === 0 ? { xml: domain } : reached()),
            activeXml: reached,
        },
        host: { facts: reached },
        tagsWithGrants: () => new Set(),
    } as unknown as ChangeDeps
    const transport = createRouterTransport(
        router => router.service(VmService, { ...changeMethods(deps), ...makeMethods(deps) }),
        {
            router: {
                interceptors: [
                    next => request => {
                        request.contextValues.set(callerKey, caller)
                        return next(request)
                    },
                ],
            },
        },
    )
    return { client: createClient(VmService, transport), seen }
}

type Call = (client: ReturnType<typeof clientWithout>['client']) => Promise<unknown>
const vm = 'web1'
const cases: [string, string, Call][] = [
    ['copying a volume to a disk', 'image.manage', c => c.attachDisk({ vm, disk: { from: 'default/a' } })],
    ['attaching a volume', 'image.manage', c => c.attachDisk({ vm, disk: { existing: 'default/a' } })],
    ['a drive with an ISO', 'image.view', c => c.attachDisk({ vm, device: 'cdrom', disk: { existing: 'default/i' } })],
    ['another ISO', 'image.view', c => c.changeMedia({ vm, target: 'sda', iso: 'default/i' })],
    ['moving a disk', 'image.manage', c => c.moveDisk({ vm, target: 'vda', pool: 'other' })],
    ['a NIC on a network', 'network.view', c => c.attachNic({ vm, nic: { network: 'lan' } })],
    ['a NIC that says nothing', 'network.view', c => c.attachNic({ vm })],
    ['a NIC on a bridge', 'network.bridge', c => c.attachNic({ vm, nic: { bridge: 'br0' } })],
    ['a NIC in a VLAN', 'network.bridge', c => c.attachNic({ vm, nic: { network: 'lan', vlan: 5 } })],
    ['another network', 'network.view', c => c.updateNic({ vm, mac: 'm', network: 'lan' })],
    ['another bridge', 'network.bridge', c => c.updateNic({ vm, mac: 'm', bridge: 'br0' })],
    ['another VLAN', 'network.bridge', c => c.updateNic({ vm, mac: 'm', vlan: 0 })],
    ['a VM from an image', 'image.view', c => c.create({ name: 'n', disks: [{ from: 'default/a' }] })],
    ['a VM on a volume', 'image.manage', c => c.create({ name: 'n', disks: [{ existing: 'default/a' }] })],
    ['a VM with an ISO', 'image.view', c => c.create({ name: 'n', isos: ['default/i'] })],
    ['a VM on a network', 'network.view', c => c.create({ name: 'n', nics: [{}] })],
    ['a VM on a bridge', 'network.bridge', c => c.create({ name: 'n', nics: [{ bridge: 'br0' }] })],
    ['a clone', 'image.view', c => c.clone({ vm, name: 'n' })],
    ['a clone of a VM on a network', 'network.view', c => c.clone({ vm, name: 'n' })],
    ['a clone of a VM on a bridge', 'network.bridge', c => c.clone({ vm, name: 'n' })],
]
test.each(cases)('%s needs %s', async (_, permission, call) => {
    const without = clientWithout(permission)
    await expect(call(without.client)).rejects.toThrow()
    expect(without.seen.reached).toBe(false)
    const withIt = clientWithout('nothing')
    await call(withIt.client).catch(() => undefined)
    expect(withIt.seen.reached).toBe(true)
})

test.each<[string, Call]>([
    ['an empty disk', c => c.attachDisk({ vm, disk: { sizeBytes: 1n } })],
    ['an empty drive', c => c.attachDisk({ vm, device: 'cdrom' })],
    ['pulling a cable', c => c.updateNic({ vm, mac: 'm', linkDown: true })],
])('%s is nobody else’s matter', async (_, call) => {
    for (const held of ['image.manage', 'image.view', 'network.bridge']) {
        const { client, seen } = clientWithout(held)
        await call(client).catch(() => undefined)
        await call(client).catch(() => undefined)
        expect(seen.reached).toBe(true)
    }
})
