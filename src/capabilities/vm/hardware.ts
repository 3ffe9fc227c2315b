// Devices of a VM, in what runs and at the next start: attached, changed and detached, and what the guest says to it.
import { Fault } from '../../base/fault.ts'
import { libvirtErrorOf, VIR } from '../../drivers/libvirt/libvirt.ts'
import type { RunningTask } from '../../engine/task.ts'
import type { VmDeps } from './deps.ts'
import type { Host } from './host.ts'
import type { VmEntry } from './inventory.ts'
import type { Maker } from './make.ts'
import { type Element, parseRoot, serializeXml } from './xml/document.ts'
import { type DiskFacts, type NicFacts, readDisks, readNics } from './xml/read-devices.ts'

export type HardwareDeps = VmDeps & { host: Host; maker: Maker }

export const LIVE = VIR.VIR_DOMAIN_DEVICE_MODIFY_LIVE
export const CONFIG = VIR.VIR_DOMAIN_DEVICE_MODIFY_CONFIG
// How long a guest has to let go of a device; an idle Linux takes a second, a booting one never answers.
const RELEASE_MS = 30_000
const ASK_AGAIN_MS = 6_000

/** Buses whose disks QEMU can take and give back while the guest runs. */
export const HOT_BUSES = new Set(['virtio', 'scsi', 'usb'])

/** The devices of the next start, and of what runs. */
export interface Hardware {
    revision: string
    domain: Element
    running?: Element
    disks: DiskFacts[]
    nics: NicFacts[]
    liveDisks: DiskFacts[]
    liveNics: NicFacts[]
}

/** Reads a VM's devices now. */
export async function readHardware(deps: Pick<VmDeps, 'inventory'>, entry: VmEntry): Promise<Hardware> {
    const [{ xml, revision }, active] = await Promise.all([
        deps.inventory.inactiveXml(entry.uuid),
        deps.inventory.activeXml(entry.uuid),
    ])
    const domain = parseRoot(xml, 'domain')
    const running = active === undefined ? undefined : parseRoot(active, 'domain')
    return {
        revision,
        domain,
        running,
        disks: readDisks(domain),
        nics: readNics(domain),
        liveDisks: running ? readDisks(running) : [],
        liveNics: running ? readNics(running) : [],
    }
}

/** Words of libvirt and QEMU for devices that cannot come or go while the guest runs. */
const NOT_LIVE = /hot-?(un)?plug|no more available pci|no pci slot|not supported|cannot be detached|unsupported/i

/** True where libvirt says that it is only while the VM runs that this cannot be done. */
const onlyStopped = (trouble: unknown): boolean =>
    NOT_LIVE.test(libvirtErrorOf(trouble)?.message ?? '') ||
    (trouble instanceof Fault && trouble.code === 'unsupported')

export interface Placing {
    entry: VmEntry
    task: RunningTask
    /** False for devices that QEMU cannot take while the guest runs. */
    live: boolean
}

/**
 * Puts a device into the definition and, where that can be, into what runs. Where the running guest cannot take it,
 * the task's log says that it comes at the next start.
 */
export async function attachDevice(deps: HardwareDeps, xml: string, { entry, task, live }: Placing): Promise<void> {
    const { call } = deps.libvirt.connection()
    const config = entry.persistent ? CONFIG : 0
    const now = entry.active && live
    if (!now && config === 0)
        throw new Fault('unsupported', {
            summary: 'The running VM cannot take that device',
            detail: `${entry.name} has no definition that stays, so there is no next start`,
            fix: 'Define it first, with virsh dumpxml and virsh define.',
        })
    try {
        await call('domainAttachDeviceFlags', { dom: entry.dom, xml, flags: (now ? LIVE : 0) | config })
    } catch (trouble) {
        if (!now || config === 0 || !onlyStopped(trouble)) throw trouble
        task.say(`takes effect at the next start: ${(trouble as Fault).detail}`)
        await call('domainAttachDeviceFlags', { dom: entry.dom, xml, flags: config })
    }
}

/**
 * Changes a device where it is: `config` in the definition, `live` in what runs.
 * @throws Fault as libvirt says; nothing of the definition is changed when what runs refuses
 */
export async function updateDevice(
    deps: HardwareDeps,
    entry: VmEntry,
    device: { config?: Element; live?: Element; force?: boolean },
): Promise<void> {
    const { call } = deps.libvirt.connection()
    const force = device.force ? VIR.VIR_DOMAIN_DEVICE_MODIFY_FORCE : 0
    const { dom } = entry
    if (device.live) await call('domainUpdateDeviceFlags', { dom, xml: serializeXml(device.live), flags: LIVE | force })
    if (device.config)
        await call('domainUpdateDeviceFlags', { dom, xml: serializeXml(device.config), flags: CONFIG | force })
}

/**
 * Takes a device out of what runs, and then out of the definition, so that nothing is changed when the guest does not
 * let go. @throws Fault `deadline` when the guest does not let go in time
 */
export async function detachDevice(
    deps: HardwareDeps,
    device: { config?: Element; live?: Element; alias: string },
    placing: Placing,
): Promise<void> {
    const { entry, live } = placing
    const { call } = deps.libvirt.connection()
    if (device.live && entry.active && live) await release(deps, device as { live: Element; alias: string }, placing)
    if (device.config && entry.persistent) {
        const xml = serializeXml(device.config)
        await call('domainDetachDeviceFlags', { dom: entry.dom, xml, flags: CONFIG })
    }
}

/** Asks the guest to let go of a device, again now and then, until it has or the deadline passes. */
async function release(
    deps: HardwareDeps,
    device: { live: Element; alias: string },
    { entry, task }: Placing,
): Promise<void> {
    const { libvirt, clock } = deps
    const xml = serializeXml(device.live)
    const gone = waitForRemoval(deps, entry, device.alias)
    const ask = () =>
        libvirt
            .connection()
            .callAlone('domainDetachDeviceFlags', { dom: entry.dom, xml, flags: LIVE })
            .catch(trouble => {
                // Asked before and not answered yet, or let go of meanwhile: the event tells.
                if (/in the process of unplug|not found|no device/i.test(libvirtErrorOf(trouble)?.message ?? '')) return
                throw trouble
            })
    const stopAsking = clock.every(ASK_AGAIN_MS, () => {
        void ask().catch(trouble => gone.fail(trouble))
    })
    task.progress(-1, 'waiting for the guest to let go')
    try {
        await ask().catch(trouble => gone.fail(trouble))
        await gone.promise
    } catch (trouble) {
        if (await stillThere(deps, entry, device.alias)) throw trouble
    } finally {
        stopAsking()
        gone.stop()
    }
}

async function stillThere(deps: HardwareDeps, entry: VmEntry, alias: string): Promise<boolean> {
    const xml = await deps.inventory.activeXml(entry.uuid).catch(() => undefined)
    if (xml === undefined) return false
    const running = parseRoot(xml, 'domain')
    return [...readDisks(running), ...readNics(running)].some(device => device.alias === alias)
}

function waitForRemoval(deps: HardwareDeps, entry: VmEntry, alias: string) {
    const id = entry.uuid.replaceAll('-', '')
    let stop = () => {}
    let fail: (trouble: unknown) => void = () => {}
    const promise = new Promise<void>((resolve, reject) => {
        fail = reject
        const stopEvents = deps.libvirt.onEvent(({ noun, kind, event }) => {
            if (noun !== 'domain') return
            const about = event as { dom: { uuid: Buffer }; devAlias?: string; event?: number }
            if (about.dom.uuid.toString('hex') !== id) return
            if (kind === 'lifecycle' && about.event === VIR.VIR_DOMAIN_EVENT_STOPPED) return resolve()
            if (about.devAlias !== alias) return
            if (kind === 'deviceRemoved') resolve()
            if (kind === 'deviceRemovalFailed') reject(notLetGo(entry, 'it refused'))
        })
        const stopTimer = deps.clock.after(RELEASE_MS, () =>
            reject(notLetGo(entry, `nothing was heard in ${RELEASE_MS / 1000} s`)),
        )
        stop = () => {
            stopEvents()
            stopTimer()
        }
    })
    promise.catch(() => undefined)
    return { promise, stop: () => stop(), fail: (trouble: unknown) => fail(trouble) }
}

const notLetGo = (entry: VmEntry, detail: string): Fault =>
    new Fault('deadline', {
        summary: 'The guest did not let go of the device',
        detail: `${entry.name}: ${detail}; nothing was changed`,
        fix: 'See that the guest does not use it (unmount it), and try again; or shut the VM down and detach it then.',
    })

/** The disk of that target. @throws Fault `not-found` */
export function needDisk(hardware: Hardware, entry: VmEntry, target: string): { next?: DiskFacts; now?: DiskFacts } {
    const next = hardware.disks.find(disk => disk.target === target)
    const now = hardware.liveDisks.find(disk => disk.target === target)
    if (next || now) return { next, now }
    throw new Fault('not-found', {
        summary: 'The VM has no such disk',
        detail: `${JSON.stringify(target.slice(0, 40))} of ${entry.name}`,
        fix: `It has ${hardware.disks.map(disk => disk.target).join(', ') || 'none'}.`,
        at: 'target',
    })
}
