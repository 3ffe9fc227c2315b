// What makes an unpacked system this machine's own, and how an installation lets go: plans, in words and in order.
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { expectGolden } from '../../../tests/golden.ts'
import { textOf } from '../../engine/testing/text.ts'
import { namesOf, planRelease } from './plan.ts'
import { NOTE, planSystem, type SystemSeen, type SystemWant } from './plan-system.ts'

const golden = (name: string) => join(import.meta.dirname, 'testdata-system', `${name}.txt`)
const want: SystemWant = {
    ...{ disks: [{ id: '/dev/disk/by-id/virtio-A' }], profile: 'zfs', machineId: '0123456789abcdef0123456789abcdef' },
    ...{ rootId: '11111111-1111-4111-8111-111111111111', serial: 'beside', efi: false, enrols: false },
    passwords: [
        { name: 'root', hash: { file: '/run/debvisor-install/password-root' } },
        { name: 'ann', hash: { file: '/run/debvisor-install/password-ann' } },
    ],
    panel: { file: '/run/debvisor-install/panel' },
}
const seen: SystemSeen = { has: { biosGrub: true, efiGrub: true, sshd: true, initrd: true, daemon: true } }
const mirrored = {
    ...want,
    disks: [...want.disks, { id: '/dev/disk/by-id/virtio-B' }],
    serial: 'first' as const,
    efi: true,
}

it.each([
    ['one-disk', want, seen],
    ['mirrored-from-uefi', mirrored, seen],
    ['secure-boot', { ...want, efi: true, enrols: true }, seen],
    [
        'bios-alone',
        { ...want, serial: 'none' as const },
        { has: { ...seen.has, efiGrub: false, initrd: false, sshd: false, daemon: false } },
    ],
    ['no-boot-loader', want, { has: { ...seen.has, biosGrub: false, efiGrub: false } }],
])('%s', (name, wanted, what) => expectGolden(golden(name), textOf('install.system', planSystem(wanted, what))))

it('has nothing to do where it came to its end', () => {
    const last = planSystem(want, seen).steps.at(-1)
    expect(last).toMatchObject({ do: 'write', path: NOTE })
    expect(planSystem(want, { ...seen, note: (last as { content: string }).content }).steps).toEqual([])
    expect(planSystem(want, { ...seen, note: '{"root":"another"}\n' }).steps.length).toBeGreaterThan(10)
})

it('lets go of what is held, and of nothing else', () => {
    const names = namesOf('-ab12')
    const held = { mounted: true, active: true, mirrors: [names.boot, names.system] }
    const plan = planRelease({ mountAt: '/target', names }, held)
    expectGolden(golden('release'), textOf('install.release', plan))
    expect(planRelease({ mountAt: '/target', names }, { mounted: false, active: false, mirrors: [] }).steps).toEqual([])
})
