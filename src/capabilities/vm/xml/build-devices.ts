// Disks, CD drives, controllers and NICs of a new VM, as elements of libvirt's domain XML.
import { isPc } from '../spec.ts'
import type { PlacedVm } from './build.ts'
import { diskElement, freeTarget, nicElement } from './devices.ts'
import type { NewElement } from './document.ts'

/** Root ports that stay free for what is plugged in while the VM runs. */
const SPARE_PORTS = 8

/** The disks, then the ISO files, then the seed. */
export function diskElements(vm: PlacedVm): NewElement[] {
    const { want } = vm
    const places = bootPlaces(vm)
    const taken: string[] = []
    const target = (bus: string) => {
        const free = freeTarget(bus, taken)
        taken.push(free)
        return free
    }
    const disks = want.disks.map(({ bus, cache, discard, limits }, i) =>
        diskElement({
            device: 'disk',
            target: target(bus),
            volume: vm.disks[i]!,
            bootIndex: i === 0 ? places.disk : 0,
            ...{ bus, cache, discard, limits },
        }),
    )
    const bus = cdromBus(want.machine)
    const cdroms = vm.isos.map((volume, i) =>
        diskElement({ device: 'cdrom', target: target(bus), bus, volume, bootIndex: places.cdrom(i) }),
    )
    const own = seedBus(want)
    const seed = vm.seed ? [diskElement({ device: 'cdrom', target: target(own), bus: own, volume: vm.seed })] : []
    return [...disks, ...cdroms, ...seed]
}

/** The bus of CD drives, which every firmware and installer can read. */
const cdromBus = (machine: string): string => (isPc(machine) ? 'ide' : 'sata')

/** The kernels of Debian's cloud images have neither SATA nor IDE; Windows has no driver for virtio. */
export const seedBus = (vm: { os: string; machine: string }): string =>
    vm.os === 'windows' ? cdromBus(vm.machine) : 'scsi'

/** The controller that disks and drives of the bus scsi need. */
export const scsiController: NewElement = {
    name: 'controller',
    attributes: { type: 'scsi', index: 0, model: 'virtio-scsi' },
}

/** The NICs, with the MACs that were chosen. */
export function nicElements(vm: PlacedVm): NewElement[] {
    const places = bootPlaces(vm)
    return vm.want.nics.map(({ network, bridge, model, vlan }, i) =>
        nicElement({ mac: vm.macs[i]!, network, bridge, model, vlan, bootIndex: places.nic(i) }),
    )
}

/** Controllers: libvirt adds what is missing, but no free root ports, and without those nothing can be plugged in. */
export function controllerElements(vm: PlacedVm): NewElement[] {
    const { want } = vm
    const controller = (attributes: NewElement['attributes']): NewElement => ({ name: 'controller', attributes })
    const scsi = want.disks.some(disk => disk.bus === 'scsi') || (vm.seed !== undefined && seedBus(want) === 'scsi')
    const own = [controller({ type: 'usb', index: 0, model: 'qemu-xhci', ports: 8 }), ...(scsi ? [scsiController] : [])]
    if (isPc(want.machine)) return own
    const virtioDisks = want.disks.filter(disk => disk.bus === 'virtio').length
    // xhci, virtio-serial, balloon, rng; then what there are several of.
    const used = 3 + (want.guestAgent ? 1 : 0) + (scsi ? 1 : 0) + virtioDisks + want.nics.length
    return [
        ...own,
        controller({ type: 'pci', index: 0, model: 'pcie-root' }),
        ...Array.from({ length: used + SPARE_PORTS }, (_, i) =>
            controller({ type: 'pci', index: i + 1, model: 'pcie-root-port' }),
        ),
    ]
}

/** Boot places are counted through: one boot disk, every ISO, every NIC, in the order that was asked for. */
function bootPlaces(vm: PlacedVm): {
    disk: number
    cdrom: (index: number) => number
    nic: (index: number) => number
} {
    const sizes: Record<string, number> = {
        disk: vm.want.disks.length > 0 ? 1 : 0,
        cdrom: vm.isos.length,
        network: vm.want.nics.length,
    }
    const first = (kind: string): number => {
        let place = 1
        for (const device of vm.want.bootOrder) {
            if (device === kind) return place
            place += sizes[device] ?? 0
        }
        return 0
    }
    const at = (kind: string) => (index: number) => (first(kind) === 0 ? 0 : first(kind) + index)
    return { disk: first('disk'), cdrom: at('cdrom'), nic: at('network') }
}
