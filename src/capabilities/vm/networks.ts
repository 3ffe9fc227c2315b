// The libvirt networks a VM is on: which of them sleep, and waking them before the VM starts.
import { Fault } from '../../base/fault.ts'
import type { NetworkRef } from '../../drivers/libvirt/libvirt.ts'
import type { VmDeps } from './deps.ts'

/** A network as it stands; undefined where there is none of that name (it may be a bridge of the host). */
export async function lookAtNetwork(
    { libvirt }: Pick<VmDeps, 'libvirt'>,
    name: string,
): Promise<{ net: NetworkRef; active: boolean } | undefined> {
    const { call } = libvirt.connection()
    try {
        const { net } = await call('networkLookupByName', { name })
        const { active } = await call('networkIsActive', { net })
        return { net, active: active !== 0 }
    } catch (thrown) {
        if (thrown instanceof Fault && thrown.code === 'not-found') return undefined
        throw thrown
    }
}

/** Starts those of the networks that are defined and not started; somebody else having done so meanwhile is fine. */
export async function wakeNetworks(deps: Pick<VmDeps, 'libvirt'>, names: readonly string[]): Promise<void> {
    for (const name of new Set(names)) {
        const seen = await lookAtNetwork(deps, name)
        if (!seen || seen.active) continue
        try {
            await deps.libvirt.connection().call('networkCreate', { net: seen.net })
        } catch (thrown) {
            if (!(await lookAtNetwork(deps, name))?.active) throw thrown
        }
    }
}

/** @throws Fault `precondition` where one of the networks is defined and not started: libvirt would refuse the VM */
export async function needAwake(deps: Pick<VmDeps, 'libvirt'>, names: readonly string[]): Promise<void> {
    for (const name of new Set(names)) {
        const seen = await lookAtNetwork(deps, name)
        if (!seen || seen.active) continue
        throw new Fault('precondition', {
            summary: 'A network of the VM is not started',
            detail: name,
            fix: `Ask an operator to start it (debvisor network start ${name}), or to start the VM.`,
        })
    }
}
