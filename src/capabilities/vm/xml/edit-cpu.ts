// vCPUs, CPU model and topology of a definition.
import {
    append,
    attribute,
    build,
    children,
    type Element,
    ensure,
    find,
    findAll,
    type NewElement,
    remove,
    setAttribute,
    setText,
} from './document.ts'
import { place } from './edit.ts'
import { cellCpus, numaCells } from './edit-memory.ts'

const count = (of: Element, name: string): number => Number(attribute(of, name)) || 1
/** Dies and clusters, which the API does not know: its cores are those of a socket. */
const inner = (topology: Element): number => count(topology, 'dies') * count(topology, 'clusters')

/** What of a definition cannot stay when it has `max` vCPUs at most, in words for people. */
export function lostByVcpus(domain: Element, max: number): string[] {
    const topology = find(domain, 'cpu/topology')
    const list = find(domain, 'vcpus')
    return [
        ...(topology && !fittingCores(topology, max) ? ['the CPU topology, into which they do not divide'] : []),
        ...(list && children(list).length !== max ? ['the list of single vCPUs'] : []),
    ]
}

/** Cores of each part of a topology that make up so many vCPUs; undefined where none do. */
function fittingCores(topology: Element, max: number): number | undefined {
    const cores = max / (count(topology, 'sockets') * inner(topology) * count(topology, 'threads'))
    return Number.isInteger(cores) ? cores : undefined
}

/** `current` of at most `max` vCPUs. A topology or per-CPU list that no longer fits is taken away. */
export function setVcpus(domain: Element, current: number, max: number): void {
    const vcpu = place(domain, 'vcpu')
    setText(vcpu, String(max))
    if (current !== max || vcpu.hasAttribute('current'))
        setAttribute(vcpu, 'current', current === max ? undefined : String(current))
    const topology = find(domain, 'cpu/topology')
    if (topology) {
        const cores = fittingCores(topology, max)
        if (cores === undefined) remove(topology)
        else if (cores !== count(topology, 'cores')) setAttribute(topology, 'cores', String(cores))
    }
    const list = find(domain, 'vcpus')
    if (list && children(list).length !== max) remove(list)
    const [cell, another] = numaCells(domain)
    // One cell has them all; among several libvirt would have to be told how.
    if (cell && !another && attribute(cell, 'cpus') !== '') setAttribute(cell, 'cpus', cellCpus(max))
}

export interface CpuChange {
    /** Empty: as it is. */
    model: string
    /** All 0: as it is. */
    sockets: number
    cores: number
    threads: number
}

const CPU_MODES = ['host-passthrough', 'host-model', 'maximum']

/** True where a topology is, or would be read as, what a change asks for. */
export function isSameTopology(domain: Element, cpu: Omit<CpuChange, 'model'>): boolean {
    const { sockets, cores, threads } = cpu
    if (sockets + cores + threads === 0) return true
    const topology = find(domain, 'cpu/topology')
    if (!topology) return false
    return (
        sockets === count(topology, 'sockets') &&
        cores === count(topology, 'cores') * inner(topology) &&
        threads === count(topology, 'threads')
    )
}

/** True where a topology divides its sockets in a way that a new one from the API does not. */
export const hasDies = (domain: Element): boolean => {
    const topology = find(domain, 'cpu/topology')
    return topology !== undefined && inner(topology) > 1
}

/** A new model loses the features that were chosen for the old one; the topology stays unless it becomes another. */
export function setCpu(domain: Element, cpu: CpuChange): void {
    const element = ensure(domain, 'cpu')
    const custom = cpu.model !== '' && !CPU_MODES.includes(cpu.model)
    const present = attribute(element, 'mode') || 'custom'
    const same = custom
        ? present === 'custom' && (find(element, 'model')?.textContent ?? '') === cpu.model
        : present === cpu.model
    if (cpu.model !== '' && !same) {
        for (const name of ['model', 'feature', 'vendor']) for (const gone of findAll(element, name)) remove(gone)
        for (const name of ['match', 'check', 'migratable']) setAttribute(element, name, undefined)
        setAttribute(element, 'mode', custom ? 'custom' : cpu.model)
        if (custom) {
            setAttribute(element, 'match', 'exact')
            const model: NewElement = { name: 'model', attributes: { fallback: 'forbid' }, text: cpu.model }
            append(element, build(element.ownerDocument!, model), children(element)[0])
        } else if (cpu.model !== 'host-model') setAttribute(element, 'check', 'none')
    }
    if (isSameTopology(domain, cpu)) return
    const { sockets, cores, threads } = cpu
    const topology = ensure(element, 'topology')
    for (const name of ['dies', 'clusters']) setAttribute(topology, name, undefined)
    for (const [name, value] of Object.entries({ sockets, cores, threads }))
        setAttribute(topology, name, String(value || 1))
}
