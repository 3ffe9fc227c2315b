// What this node can run, read from libvirt once a connection: machine types, firmware, CPU models, TPM.
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import type { HostFacts } from './spec.ts'
import { attribute, children, type Element, find, findAll, parseRoot } from './xml/document.ts'

export interface Host {
    /** Kept until the connection to libvirt is made anew. @throws Fault `unavailable` */
    facts(): Promise<HostFacts>
}

/** The facts of the node behind a link. */
export function createHost(deps: { libvirt: LibvirtLink; accelerator: 'kvm' | 'tcg' }): Host {
    let kept: Promise<HostFacts> | undefined
    deps.libvirt.onDown(() => {
        kept = undefined
    })
    const read = async (): Promise<HostFacts> => {
        const { call } = deps.libvirt.connection()
        const virttype = deps.accelerator === 'kvm' ? 'kvm' : 'qemu'
        const [domain, host, version, node] = await Promise.all([
            call('connectGetDomainCapabilities', { arch: 'x86_64', machine: 'q35', virttype }),
            call('connectGetCapabilities'),
            call('connectGetLibVersion'),
            call('nodeGetInfo'),
        ])
        return {
            accelerator: deps.accelerator,
            libvirtVersion: Number(version.lib_ver),
            ...readDomainCapabilities(domain.capabilities),
            machines: readMachines(host.capabilities),
            cpus: node.cpus,
            memoryBytes: Number(node.memory) * 1024,
        }
    }
    const facts = () => {
        kept ??= read().catch(thrown => {
            kept = undefined
            throw thrown
        })
        return kept
    }
    // The first question makes libvirt try QEMU out, which takes a second or two: it is asked before anyone waits.
    deps.libvirt.onUp(() => void facts().catch(() => undefined))
    return { facts }
}

type Emulated = Pick<HostFacts, 'cpuModels' | 'uefi' | 'secureBoot' | 'tpm' | 'maxVcpus'>

/** From the XML of connectGetDomainCapabilities (formatdomaincaps of libvirt's documentation). */
function readDomainCapabilities(xml: string): Emulated {
    const root = parseRoot(xml, 'domainCapabilities')
    const loader = find(root, 'os/loader')
    const custom = findAll(root, 'cpu/mode').find(mode => attribute(mode, 'name') === 'custom')
    const tpm = find(root, 'devices/tpm')
    return {
        cpuModels: (custom ? children(custom, 'model') : [])
            .filter(model => attribute(model, 'usable') === 'yes')
            .map(model => (model.textContent ?? '').trim())
            .sort(),
        uefi: values(find(root, 'os'), 'firmware').includes('efi'),
        secureBoot: values(loader, 'secure').includes('yes'),
        // libvirt 9.0 says backendVersion; older ones did not, and had no 2.0 that could be trusted.
        tpm: values(tpm, 'backendModel').includes('emulator') && values(tpm, 'backendVersion').includes('2.0'),
        maxVcpus: Number(attribute(find(root, 'vcpu'), 'max')) || 1,
    }
}

/** Names and aliases of machine types, from the XML of connectGetCapabilities. */
function readMachines(xml: string): string[] {
    const root = parseRoot(xml, 'capabilities')
    const guest = findAll(root, 'guest').find(
        g => attribute(find(g, 'arch'), 'name') === 'x86_64' && (find(g, 'os_type')?.textContent ?? '') === 'hvm',
    )
    const names = (guest ? findAll(guest, 'arch/machine') : []).map(machine => (machine.textContent ?? '').trim())
    return [...new Set(names)].sort()
}

function values(of: Element | undefined, name: string): string[] {
    const list = of && children(of, 'enum').find(e => attribute(e, 'name') === name)
    return list ? children(list, 'value').map(value => (value.textContent ?? '').trim()) : []
}
