// Removing the definition of a VM with all that libvirt keeps beside it.
import { asFault } from '../../base/fault.ts'
import { type DomainRef, VIR } from '../../drivers/libvirt/libvirt.ts'
import type { VmDeps } from './deps.ts'

const ALL =
    VIR.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
    VIR.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
    VIR.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA |
    VIR.VIR_DOMAIN_UNDEFINE_NVRAM |
    VIR.VIR_DOMAIN_UNDEFINE_TPM

/** One that is gone already is fine. The disks stay. */
export async function undefine({ libvirt }: Pick<VmDeps, 'libvirt'>, dom: DomainRef): Promise<void> {
    try {
        await libvirt.connection().call('domainUndefineFlags', { dom, flags: ALL })
    } catch (thrown) {
        if (asFault(thrown).code !== 'not-found') throw thrown
    }
}
