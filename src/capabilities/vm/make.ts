// Making a VM out of a recipe: volumes, seed, definition, start; and taking back all of it when something fails.
import { randomBytes } from 'node:crypto'
import { asFault, Fault } from '../../base/fault.ts'
import { domainRef, VIR } from '../../drivers/libvirt/libvirt.ts'
import type { RunningTask, UndoStep } from '../../engine/task.ts'
import type { VmDeps } from './deps.ts'
import type { VolumeNames } from './inventory.ts'
import { wakeNetworks } from './networks.ts'
import { watchCopied } from './sources.ts'
import { undefine } from './undefine.ts'
import { type NewVolume, undoOf, type VolumeFacts } from './volumes.ts'

export interface Recipe {
    uuid: string
    name: string
    volumes: NewVolume[]
    /** Whose content they get: no VM may write to these meanwhile. */
    copied: VolumeNames[]
    /** A seed to be written into a volume of its own. */
    seed?: { volume: NewVolume; data: Uint8Array }
    /** The definition, once the volumes are there. */
    define(made: VolumeFacts[], seed: VolumeFacts | undefined): string | Promise<string>
    /** Between definition and start. */
    prepare?(): Promise<void>
    /** libvirt's own autostart. */
    autostart: boolean
    start: boolean
    /** Networks it is on: those that are not started are, before it is. */
    networks: string[]
    /** A line for the task's log before each step: volumes, seed, define, autostart, start. */
    lines: string[]
}

/** Names and MACs that are being given to a VM, but are not in the inventory yet. */
export interface Reservations {
    name(name: string): boolean
    mac(mac: string): string | undefined
    /** Takes a name for itself, and answers how to let go of it; undefined when somebody has it. */
    take(name: string): { macs(macs: readonly string[]): void; release(): void } | undefined
    /** Takes a MAC for a VM that gets it, and answers how to let go of it; undefined when somebody has it. */
    holdMac(mac: string, name: string): (() => void) | undefined
}

export interface Maker extends Reservations {
    /** Does the recipe's steps in order; what they make is taken back unless all of them succeed. */
    make(task: RunningTask, recipe: Recipe): Promise<void>
    /** MACs that nobody has, one for each empty string; the others stay as they are. */
    fillMacs(macs: readonly string[]): string[]
    /** A volume name that is free in its pool: `base`, or `base-2`, … before the ending. */
    freeVolume(pool: string, base: string, ending?: string): Promise<string>
}

const KIND = 'vm.make'
const MIN_SEED_BYTES = 1

/** Registers how half-made VMs are taken back, and makes VMs. One for the whole capability. */
export function createMaker(deps: VmDeps): Maker {
    const { libvirt, inventory, volumes, tasks } = deps
    const names = new Map<string, readonly string[]>()
    const held = new Map<string, string>()

    const take = (name: string) => {
        if (names.has(name) || inventory.byName(name)) return undefined
        names.set(name, [])
        return {
            macs: (macs: readonly string[]) => void names.set(name, macs),
            release: () => void names.delete(name),
        }
    }
    const macOwner = (mac: string) =>
        inventory.macs().get(mac)?.name ?? held.get(mac) ?? [...names].find(([, macs]) => macs.includes(mac))?.[0]

    async function make(task: RunningTask, recipe: Recipe): Promise<void> {
        const by = task.id
        const made: VolumeFacts[] = []
        const all = [...recipe.volumes, ...(recipe.seed ? [recipe.seed.volume] : [])]
        const lines = [...recipe.lines]
        const begin = (progress: number) => {
            if (task.signal.aborted) throw cancelled()
            const line = lines.shift()
            task.progress(progress, line)
            if (line) task.say(line)
        }
        // A start takes its time, and must not hold one of the few places for calls: it has a connection of its own,
        // which is opened while the volumes are made.
        const own = libvirt.dedicated()
        own.catch(() => undefined)
        try {
            // All promised at once, which is one write to the disk: a create has to be quick. The VM goes first.
            await Promise.all([
                ...all.map(volume => task.undo(undoOf(task, volume))),
                task.undo({ kind: KIND, uuid: recipe.uuid, name: recipe.name }),
            ])
            const whole = await watchCopied(deps, recipe.copied)
            for (const [i, volume] of recipe.volumes.entries()) {
                const share = (fraction: number) => (0.9 * (i + fraction)) / Math.max(1, recipe.volumes.length)
                begin(share(0))
                const onProgress = (fraction: number) => task.progress(share(fraction))
                made.push(await volumes.create({ ...volume, by, signal: task.signal, onProgress }))
            }
            await whole()
            let seed: VolumeFacts | undefined
            if (recipe.seed) {
                begin(0.9)
                seed = await volumes.create({ ...recipe.seed.volume, by })
                await volumes.write(`${seed.pool}/${seed.name}`, recipe.seed.data)
            }
            begin(0.93)
            const xml = await recipe.define(made, seed)
            const { call } = await own
            const { dom } = await call('domainDefineXMLFlags', { xml, flags: VIR.VIR_DOMAIN_DEFINE_VALIDATE })
            await recipe.prepare?.()
            if (recipe.autostart) {
                begin(0.95)
                await call('domainSetAutostart', { dom, autostart: 1 })
            }
            if (recipe.start) {
                begin(0.96)
                await wakeNetworks(deps, recipe.networks)
                await call('domainCreateWithFlags', { dom, flags: 0 })
            }
            // So that whoever sees the task end finds the VM.
            await inventory.refresh(recipe.uuid).catch(() => undefined)
        } catch (thrown) {
            throw asNameTaken(thrown, recipe.name)
        } finally {
            void own.then(
                connection => connection.close(),
                () => undefined,
            )
        }
    }

    tasks.onUndo(KIND, async (step: UndoStep) => {
        const uuid = String(step.uuid)
        const { call } = libvirt.connection()
        const dom = domainRef({ uuid })
        // Neither running nor defined is fine: that is how far it came.
        await call('domainDestroyFlags', { dom, flags: 0 }).catch(unlessGone)
        await undefine(deps, dom)
        await inventory.refresh(uuid).catch(() => undefined)
    })

    return {
        make,
        take,
        name: name => names.has(name) || inventory.byName(name) !== undefined,
        mac: macOwner,
        holdMac(mac, name) {
            if (macOwner(mac) !== undefined) return undefined
            held.set(mac, name)
            return () => void held.delete(mac)
        },
        fillMacs(macs) {
            const given: string[] = []
            for (const mac of macs) given.push(mac || freshMac(m => macOwner(m) !== undefined || given.includes(m)))
            return given
        },
        async freeVolume(pool, base, ending = '') {
            for (let i = 1; ; i++) {
                const name = `${base}${i > 1 ? `-${i}` : ''}${ending}`
                if (!(await volumes.find(`${pool}/${name}`).catch(notFoundIsFine))) return name
            }
        },
    }
}

/** A MAC of QEMU's own prefix that is not taken. */
function freshMac(taken: (mac: string) => boolean): string {
    for (;;) {
        const hex = randomBytes(3).toString('hex')
        const mac = `52:54:00:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}`
        if (!taken(mac)) return mac
    }
}

/** As long as the data, for a volume. */
export const seedBytes = (data: Uint8Array): number => Math.max(MIN_SEED_BYTES, data.length)

const cancelled = () => new Fault('cancelled', { summary: 'The task was cancelled' })

export function notFoundIsFine(thrown: unknown): undefined {
    if (thrown instanceof Fault && thrown.code === 'not-found') return undefined
    throw thrown
}

function unlessGone(thrown: unknown): void {
    const { code } = asFault(thrown)
    // Precondition: destroy of what does not run.
    if (code !== 'not-found' && code !== 'precondition') throw thrown
}

/** libvirt's `exists` at define means the name: the UUID is fresh. */
function asNameTaken(thrown: unknown, name: string): unknown {
    if (!(thrown instanceof Fault) || thrown.code !== 'exists' || thrown.at !== '') return thrown
    return new Fault('exists', {
        summary: 'There is a VM or volume of that name already',
        detail: `${name}: ${thrown.detail || thrown.summary}`,
        fix: 'Choose another name, or delete or rename the other one.',
        at: 'name',
        cause: thrown,
    })
}
