// A disk is cleared only when nothing of another disk goes with it, however the two are called.
import { expect, it } from 'vitest'
import { storageSpec } from '../spec.ts'
import { type OsdSeen, planOsds } from './osd.ts'

const disk = (id: string, path: string) => ({
    ...{ id, path, system: false, removable: false, readOnly: false, blank: false, mountpoints: [] },
    ...{ fingerprint: 'f', words: 'holds LVM2_member' },
})
const want = (id: string) => ({
    ...storageSpec.parse({ ceph: { disks: [id] } }).ceph,
    ...{ hostname: 'node1', except: [], vms: false },
})
const seen = (groups: OsdSeen['groups']): OsdSeen => ({
    ...{ record: { fsid: 'f', name: 'node1', address: '10.0.0.1' }, made: true, machineId: 'm' },
    addresses: [{ device: 'br0', address: '10.0.0.1', primary: true }],
    disks: [disk('/dev/disk/by-id/one', '/dev/sda'), disk('/dev/disk/by-id/two', '/dev/sdaa')],
    ...{ volumes: [], groups, recorded: [], units: new Map(), map: { osds: [], pools: [] } },
})
const codes = (groups: OsdSeen['groups']) => {
    const { findings = [], steps } = planOsds(
        want('/dev/disk/by-id/one'),
        seen(groups),
        new Map([['disk:/dev/disk/by-id/one', 'f']]),
    )
    return { codes: findings.map(({ code }) => code), steps: steps.length }
}

it('refuses a disk whose volume group stands on another one too', () => {
    const both = [
        { device: '/dev/sda1', group: 'data' },
        { device: '/dev/sdaa', group: 'data' },
    ]
    expect(codes(both)).toEqual({ codes: ['group-shared'], steps: 0 })
})

it('takes one whose group is its own, whatever stands on a disk of a longer name', () => {
    const own = [
        { device: '/dev/sda1', group: 'one' },
        { device: '/dev/sdaa', group: 'two' },
        { device: '/dev/sdab', group: 'two' },
    ]
    expect(codes(own).codes).not.toContain('group-shared')
    expect(codes(own).steps).toBeGreaterThan(0)
})
