// Memory of a definition: at the start, at most, and what can be plugged in while the guest runs.
import {
    append,
    attribute,
    build,
    type Element,
    ensure,
    find,
    findAll,
    type NewElement,
    remove,
    setAttribute,
    setText,
    textAt,
} from './document.ts'
import { place } from './edit.ts'
import { memoryBytesOf } from './read-summary.ts'

/** DIMMs that can be plugged into a VM with room for them. */
export const MEMORY_SLOTS = 16
/** Linux takes memory in blocks of 128 MiB (Documentation/admin-guide/mm/memory-hotplug). */
export const DIMM_STEP_BYTES = 128 * 1024 ** 2

const bytesOf = (element: Element | undefined, unit = 'unit', value = (e: Element) => e.textContent ?? ''): number =>
    element ? memoryBytesOf(value(element).trim(), element.getAttribute(unit) ?? undefined) : 0

function setMemoryAt(element: Element, sizeBytes: number): void {
    if (bytesOf(element) === sizeBytes) return
    setAttribute(element, 'unit', 'KiB')
    setText(element, String(Math.ceil(sizeBytes / 1024)))
}

/** The cells among which a definition divides memory and vCPUs; libvirt counts these, whatever `<memory>` says. */
export const numaCells = (domain: Element): Element[] => findAll(domain, 'cpu/numa/cell')

/** Memory in DIMMs and the like, which `<memory>` counts as well. */
const pluggedBytes = (domain: Element): number =>
    findAll(domain, 'devices/memory/target/size').reduce((sum, size) => sum + bytesOf(size), 0)

/** What the guest gets at its start, and what it can be given by its balloon. Of several cells none is changed. */
export function setMemory(domain: Element, memoryBytes: number, maxMemoryBytes: number): void {
    setMemoryAt(place(domain, 'memory'), maxMemoryBytes)
    if (memoryBytes !== maxMemoryBytes || find(domain, 'currentMemory'))
        setMemoryAt(place(domain, 'currentMemory'), memoryBytes)
    const [cell, another] = numaCells(domain)
    if (!cell || another) return
    const sizeBytes = maxMemoryBytes - pluggedBytes(domain)
    if (bytesOf(cell, 'unit', e => attribute(e, 'memory')) === sizeBytes) return
    setAttribute(cell, 'memory', String(Math.ceil(sizeBytes / 1024)))
    setAttribute(cell, 'unit', 'KiB')
}

/** Up to how much can be plugged in while it runs; 0 where there is no room. */
export const hotplugMemoryBytes = (domain: Element): number => bytesOf(find(domain, 'maxMemory'))

/** Makes room for memory to be plugged in, or takes it away with 0. QEMU wants to know which cell it goes to. */
export function setHotplugMemory(domain: Element, sizeBytes: number): void {
    if (sizeBytes === 0) {
        for (const gone of findAll(domain, 'maxMemory')) remove(gone)
        return
    }
    const room = place(domain, 'maxMemory')
    if (!room.hasAttribute('slots')) setAttribute(room, 'slots', String(MEMORY_SLOTS))
    setMemoryAt(room, sizeBytes)
    if (numaCells(domain).length > 0) return
    const cpus = Number(textAt(domain, 'vcpu')) || 1
    const memory = Math.ceil(bytesOf(find(domain, 'memory')) / 1024)
    const cell = { name: 'cell', attributes: { id: 0, cpus: cellCpus(cpus), memory, unit: 'KiB' } }
    append(ensure(domain, 'cpu/numa'), build(domain.ownerDocument!, cell))
}

/** All of so many vCPUs, as a cell has them. */
export const cellCpus = (count: number): string => (count > 1 ? `0-${count - 1}` : '0')

/** A DIMM of that size, as `domainAttachDeviceFlags` takes it. */
export const dimmElement = (sizeBytes: number): NewElement => ({
    name: 'memory',
    attributes: { model: 'dimm' },
    children: [
        {
            name: 'target',
            children: [
                { name: 'size', attributes: { unit: 'KiB' }, text: String(sizeBytes / 1024) },
                { name: 'node', text: '0' },
            ],
        },
    ],
})
