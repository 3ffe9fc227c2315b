// The KVM probe's own guest must start where emulation does, or the probe would never find KVM.
import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import { guestStarts, probeAcceleration } from './kvm.ts'

const noQemu = existsSync('/usr/bin/qemu-system-x86_64') ? '' : 'QEMU is not installed'

it('hears the guest under emulation', async ({ skip }) => {
    if (noQemu) skip(noQemu)
    expect(await guestStarts('tcg', 8_000)).toEqual({ runs: true, said: '' })
})

it('says why when it falls back', async () => {
    const { accel, why } = await probeAcceleration()
    expect(accel === 'kvm' ? why : why.length > 0).toBe(accel === 'kvm' ? '' : true)
})
