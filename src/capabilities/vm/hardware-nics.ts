// Network cards of a VM that exists: attached, changed, detached.
import { create } from '@bufbuild/protobuf'
import { Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import type { AttachNicRequest, DetachNicRequest, UpdateNicRequest } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { NewNicSchema } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { type Change, entryNow, needPersistent, nextStart } from './begin.ts'
import { macOwner } from './create.ts'
import { attachDevice, detachDevice, type Hardware, type HardwareDeps, readHardware, updateDevice } from './hardware.ts'
import { checkRevision, type VmEntry } from './inventory.ts'
import { findSources } from './sources.ts'
import { checkNic, type NicWant } from './spec-devices.ts'
import { refuseErrors } from './spec-finding.ts'
import { nicWantOf } from './want.ts'
import { nicElement } from './xml/devices.ts'
import {
    append,
    build,
    children,
    type Element,
    find,
    remove,
    renderXml,
    replace,
    setAttribute,
} from './xml/document.ts'
import type { NicFacts } from './xml/read-devices.ts'

const where = (nic: { network: string; bridge: string }): string =>
    nic.bridge ? `the bridge ${nic.bridge}` : `the network ${nic.network}`

/** @throws Fault with all findings; `conflict` for an old revision */
export async function planAttachNic(deps: HardwareDeps, entry: VmEntry, request: AttachNicRequest): Promise<Change> {
    const hardware = await readHardware(deps, entry)
    checkRevision(request.revision, hardware.revision)
    const want = nicWantOf(request.nic ?? create(NewNicSchema))
    const findings = await checkWanted(deps, entry, { want, owner: mac => macOwner(deps, mac) })
    const mac = deps.maker.fillMacs([want.mac])[0]!
    return {
        kind: 'vm.attach-nic',
        title: `Attach a network card to ${entry.name}`,
        plan: [{ sentence: `Attach a network card (${mac}) of ${entry.name} to ${where(want)}` }],
        findings,
        work: task =>
            holdingMac(deps, { entry, want, mac }, () =>
                deps.inventory.edit(entry.uuid, request.revision, async () => {
                    const present = await entryNow(deps, entry)
                    const xml = renderXml(nicElement({ ...want, mac }))
                    await attachDevice(deps, xml, { entry: present, task, live: true })
                }),
            ),
    }
}

/** Nobody else is given the MAC meanwhile, by whatever way. @throws Fault with the finding for one that is taken by now */
async function holdingMac(
    deps: HardwareDeps,
    { entry, want, mac }: { entry: VmEntry; want: NicWant; mac: string },
    work: () => Promise<void>,
): Promise<void> {
    const letGo = deps.maker.holdMac(mac, entry.name)
    const owner = () => macOwner(deps, mac)
    if (!letGo) return refuseErrors(checkNic({ ...want, mac }, 'nic', { libvirtVersion: 0, owner }))
    try {
        await work()
    } finally {
        letGo()
    }
}

async function checkWanted(
    deps: HardwareDeps,
    entry: VmEntry,
    about: { want: NicWant; owner: (mac: string) => string | undefined },
): Promise<Finding[]> {
    const { libvirtVersion } = await deps.host.facts()
    const found = checkNic(about.want, 'nic', { libvirtVersion, owner: about.owner })
    const sources = await findSources(deps, { disks: [], isos: [], nics: [about.want], start: entry.active })
    found.push(...sources.findings.map(finding => ({ ...finding, at: finding.at.replace(/^nics\[0\]/, 'nic') })))
    refuseErrors(found)
    return found
}

function needNic(hardware: Hardware, entry: VmEntry, mac: string): { next?: NicFacts; now?: NicFacts } {
    const wanted = mac.toLowerCase()
    const next = hardware.nics.find(nic => nic.mac === wanted)
    const now = hardware.liveNics.find(nic => nic.mac === wanted)
    if (next || now) return { next, now }
    throw new Fault('not-found', {
        summary: 'The VM has no such network card',
        detail: `${JSON.stringify(mac.slice(0, 40))} of ${entry.name}`,
        fix: `It has ${hardware.nics.map(nic => nic.mac).join(', ') || 'none'}.`,
        at: 'mac',
    })
}

/** @throws Fault `not-found`, `invalid`, `conflict` */
export async function planUpdateNic(deps: HardwareDeps, entry: VmEntry, request: UpdateNicRequest): Promise<Change> {
    const hardware = await readHardware(deps, entry)
    checkRevision(request.revision, hardware.revision)
    const { next, now } = needNic(hardware, entry, request.mac)
    const facts = (next ?? now)!
    const moves = request.network !== undefined || request.bridge !== undefined
    if (!moves && facts.network === '' && facts.bridge === '' && request.vlan !== undefined)
        throw new Fault('unsupported', {
            summary: 'A network card of that kind has no VLAN here',
            detail: `${facts.mac} is of type ${facts.type}`,
            fix: 'Put it on a network or bridge.',
            at: 'vlan',
        })
    const want: NicWant = {
        network: request.network || (moves ? '' : facts.network),
        bridge: request.bridge || (moves ? '' : facts.bridge),
        model: request.model ?? (facts.model || 'virtio'),
        mac: '',
        vlan: request.vlan ?? facts.vlan,
    }
    if (moves && want.network === '' && want.bridge === '')
        throw new Fault('invalid', {
            summary: 'A network card is on a network or on a bridge',
            at: 'network',
            fix: 'Name one.',
        })
    // Models that others chose stay allowed as long as they are not what is changed.
    const checked = request.model === undefined ? { ...want, model: 'virtio' } : want
    const findings = await checkWanted(deps, entry, { want: checked, owner: () => undefined })
    const later = request.model !== undefined && request.model !== facts.model
    if (later) needPersistent(entry)
    const change = (element: Element, model: boolean) =>
        changeNic(element, { ...request, want: moves ? want : undefined, model: model ? request.model : undefined })
    const words = [
        moves ? `to ${where(want)}` : '',
        request.vlan === undefined ? '' : request.vlan ? `into VLAN ${request.vlan}` : 'out of any VLAN',
        request.model === undefined ? '' : `model ${request.model}`,
        request.linkDown === undefined ? '' : request.linkDown ? 'cable pulled' : 'cable plugged in',
    ].filter(Boolean)
    return {
        kind: 'vm.update-nic',
        title: `Change the network card ${facts.mac} of ${entry.name}`,
        plan: [{ sentence: `Network card ${facts.mac} of ${entry.name}: ${words.join(', ') || 'nothing changes'}` }],
        findings: later && entry.active ? [...findings, nextStart(entry, `the model of ${facts.mac}`)] : findings,
        work: () =>
            deps.inventory.edit(entry.uuid, request.revision, async () => {
                const vm = await entryNow(deps, entry)
                const present = needNic(await readHardware(deps, vm), vm, request.mac)
                await updateDevice(deps, vm, {
                    live: present.now && change(present.now.element, false),
                    config: vm.persistent && present.next ? change(present.next.element, true) : undefined,
                })
            }),
    }
}

function changeNic(nic: Element, to: { want?: NicWant; model?: string; linkDown?: boolean; vlan?: number }): Element {
    const document = nic.ownerDocument!
    if (to.want) {
        const { network, bridge } = to.want
        setAttribute(nic, 'type', bridge ? 'bridge' : 'network')
        const source = build(document, { name: 'source', attributes: bridge ? { bridge } : { network } })
        const old = find(nic, 'source')
        if (old) replace(old, source)
        else append(nic, source)
    }
    if (to.model !== undefined) {
        for (const gone of children(nic, 'model')) remove(gone)
        append(nic, build(document, { name: 'model', attributes: { type: to.model } }))
    }
    if (to.linkDown !== undefined) {
        for (const gone of children(nic, 'link')) remove(gone)
        append(nic, build(document, { name: 'link', attributes: { state: to.linkDown ? 'down' : 'up' } }))
    }
    if (to.vlan !== undefined) {
        for (const gone of children(nic, 'vlan')) remove(gone)
        if (to.vlan > 0)
            append(nic, build(document, { name: 'vlan', children: [{ name: 'tag', attributes: { id: to.vlan } }] }))
    }
    return nic
}

/** @throws Fault `not-found`, `conflict` */
export async function planDetachNic(deps: HardwareDeps, entry: VmEntry, request: DetachNicRequest): Promise<Change> {
    const hardware = await readHardware(deps, entry)
    checkRevision(request.revision, hardware.revision)
    const { next, now } = needNic(hardware, entry, request.mac)
    const facts = (next ?? now)!
    return {
        kind: 'vm.detach-nic',
        title: `Detach a network card from ${entry.name}`,
        plan: [{ sentence: `Detach the network card ${facts.mac} from ${entry.name}` }],
        work: task =>
            deps.inventory.edit(entry.uuid, request.revision, async () => {
                const vm = await entryNow(deps, entry)
                const present = needNic(await readHardware(deps, vm), vm, request.mac)
                const device = {
                    config: present.next?.element,
                    live: present.now?.element,
                    alias: present.now?.alias ?? '',
                }
                await detachDevice(deps, device, { entry: vm, task, live: true })
            }),
    }
}
