// Where the UEFI variables of a VM are kept: by its UUID, so that no other VM ever takes them for its own.
import { attribute, type Element, find, remove, setAttribute, setTextAt, textAt } from './document.ts'

/** Where libvirt keeps them unless a definition says otherwise. */
export const NVRAM_FOLDER = '/var/lib/libvirt/qemu/nvram'

/** Where libvirt keeps those of a VM whose definition does not say it: by a name that another may have later. */
export const nvramPathOf = (vm: { name: string; nvramPath: string }): string =>
    vm.nvramPath || `${NVRAM_FOLDER}/${vm.name}_VARS.fd`

/** The place for a VM that DebVisor makes or changes. Variables with and without keys for secure boot are two files. */
export const ownNvramPath = (uuid: string, secureBoot: boolean): string =>
    `${NVRAM_FOLDER}/${uuid}${secureBoot ? '-secure' : ''}_VARS.fd`

/** Where a definition says that they are; empty where it does not say it. */
export const nvramIn = (domain: Element): string =>
    textAt(domain, 'os/nvram') || attribute(find(domain, 'os/nvram/source'), 'file')

/** Puts them into another file; their template and format stay. */
export function setNvram(domain: Element, path: string): void {
    const nvram = find(domain, 'os/nvram')
    const source = nvram && find(nvram, 'source')
    if (nvram && source) {
        remove(source)
        setAttribute(nvram, 'type', undefined)
    }
    setTextAt(domain, 'os/nvram', path)
}
