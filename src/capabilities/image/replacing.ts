// One volume in the place of another, in one moment: libvirt cannot rename volumes, but a file of a pool can be renamed.
import { dirname } from 'node:path/posix'
import { asFault } from '../../base/fault.ts'
import type { System } from '../../ports/ports.ts'
import type { Declarations } from './declared.ts'
import { isOnFiles, type PoolEntry, type VolumeEntry } from './entries.ts'
import type { Inventory } from './inventory.ts'

export interface Replacing {
    /** True where this service may rename files of the pool. */
    may(pool: PoolEntry): Promise<boolean>
    /** `made` takes the place of `before`, of the same pool; false where it may not: then nothing is changed. */
    replace(made: VolumeEntry, before: VolumeEntry): Promise<boolean>
}

export function createReplacing(deps: {
    system: System
    inventory: Inventory
    declared: Declarations
    /** Of this service. */
    uid: number
}): Replacing {
    const { system, inventory, declared, uid } = deps

    return {
        async may(pool) {
            if (!isOnFiles(pool.type) || pool.path === '') return false
            const facts = await system.look(pool.path).catch(() => undefined)
            if (facts?.kind !== 'directory') return false
            return uid === 0 || (facts.uid === uid && (facts.mode & 0o300) === 0o300)
        },
        async replace(made, before) {
            if (dirname(made.path) !== dirname(before.path)) return false
            try {
                await system.rename(made.path, before.path)
            } catch (thrown) {
                if (asFault(thrown).code !== 'denied') throw thrown
                return false
            }
            // After it, so that what is told of the old one is never believed of more than the old one. Nobody takes it
            // back: it is whole.
            await declared.forget(made.pool, made.name)
            await declared.intend({ pool: before.pool, name: before.name, format: made.format, by: '' })
            await declared.made(before.pool, before.name)
            // libvirt still knows the format and the sizes of the old one.
            await inventory.refreshPool(before.pool, true)
            return true
        },
    }
}
