// Removing the definition of a VM with all that libvirt keeps beside it.
import { asFault } from '../../base/fault.ts'
import { type DomainRef, VIR } from '../../drivers/libvirt/libvirt.ts'
import type { VmDeps } from './deps.ts'
import { notFoundIsFine } from './make.ts'
import { removeNvram } from './nvram.ts'
import { firmwareOf } from './nvram-owner.ts'
import { ownNvramPath } from './xml/nvram-path.ts'

const ALL =
    VIR.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
    VIR.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
    VIR.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA |
    VIR.VIR_DOMAIN_UNDEFINE_TPM

type UndefineDeps = Pick<VmDeps, 'libvirt' | 'inventory' | 'log'>

/** One that is gone already is fine. The disks stay, and so do UEFI variables that another VM uses. */
export async function undefine(deps: UndefineDeps, dom: DomainRef): Promise<void> {
    const { call } = deps.libvirt.connection()
    const flags = VIR.VIR_DOMAIN_XML_INACTIVE
    const read = await call('domainGetXMLDesc', { dom, flags }).catch(notFoundIsFine)
    if (!read) return
    const { uuid, uefi, path } = firmwareOf(read.xml)
    const others = uefi ? deps.inventory.usersOfPath(path).filter(other => other.uuid !== uuid) : []
    const nvram = others.length > 0 ? VIR.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM : VIR.VIR_DOMAIN_UNDEFINE_NVRAM
    try {
        await call('domainUndefineFlags', { dom, flags: ALL | nvram })
    } catch (thrown) {
        if (asFault(thrown).code !== 'not-found') throw thrown
    }
    if (!uefi) return
    // Those from before secure boot was switched on or off: nobody else's ever.
    const left = [false, true].map(secure => ownNvramPath(uuid, secure)).filter(own => own !== path)
    await removeNvram(deps.libvirt, left).catch(trouble =>
        deps.log.warn('UEFI variables of a VM that is gone are left', { uuid, error: asFault(trouble).message }),
    )
}
