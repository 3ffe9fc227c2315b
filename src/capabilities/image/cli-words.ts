// What people write for volumes on the command line, and what the node says about the place that they name.
import type { Client } from '@connectrpc/connect'
import { Fault } from '../../base/fault.ts'
import { formatBytes } from '../../base/units.ts'
import type { ImageService } from '../../gen/proto/capabilities/image/image_pb.js'

/** 'default/debian.qcow2' in its two halves. @throws Fault `invalid` */
export function splitVolume(ref: string): { pool: string; volume: string } {
    const [pool, volume, ...rest] = ref.split('/')
    if (pool && volume && rest.length === 0) return { pool, volume }
    throw new Fault('invalid', {
        summary: 'A volume is named POOL/VOLUME',
        detail: JSON.stringify(ref.slice(0, 80)),
        fix: 'List them with: debvisor image list',
    })
}

/** Where an import goes: as it is said, or the name of the source in the node's default pool. @throws Fault `invalid` */
export function importTarget(source: string, volume: string | undefined): { pool: string; volume: string } {
    const url = URL.canParse(source) ? new URL(source) : undefined
    if (source.includes('://') && !url?.hostname) {
        throw new Fault('invalid', {
            summary: 'That is not an address to import from',
            detail: JSON.stringify(source.slice(0, 100)),
            fix: 'Write it like https://host/path/image.qcow2, or give an absolute path on the node.',
            at: 'source',
        })
    }
    if (volume !== undefined) return splitVolume(volume)
    const name = decoded((url?.pathname ?? source).split('/').at(-1) ?? '')
    if (name) return { pool: '', volume: name }
    throw new Fault('invalid', {
        summary: 'The source has no file name',
        detail: JSON.stringify(source.slice(0, 100)),
        fix: 'Say how it is to be named: POOL/VOLUME behind the source.',
        at: 'volume',
    })
}

function decoded(text: string): string {
    try {
        return decodeURIComponent(text)
    } catch {
        return text
    }
}

/**
 * What the node says of the place that an upload would go to, as long as it cannot be asked for a plan.
 * @throws Fault for a pool that is not there, does not run or has no room, and for a volume that is in the way
 */
export async function placeOf(
    images: Client<typeof ImageService>,
    { pool: name, volume }: { pool: string; volume: string },
    { needBytes, overwrite }: { needBytes: number; overwrite: boolean },
): Promise<{ words: string; there: boolean }> {
    if (name === '') {
        if (!overwrite) return { words: `${volume} in the default pool`, there: false }
        throw new Fault('invalid', {
            summary: 'What is replaced has to be named with its pool',
            detail: volume,
            fix: 'Write POOL/VOLUME behind the file.',
            at: 'volume',
        })
    }
    const pool = (await images.listPools({})).pools.find(one => one.name === name)
    const words = `${name}/${volume}`
    if (!pool)
        throw new Fault('not-found', {
            summary: 'There is no such pool',
            detail: name,
            fix: 'List them with: debvisor pool list',
        })
    if (!pool.active)
        throw new Fault('precondition', {
            summary: 'The pool is not started',
            detail: name,
            fix: `Start it: debvisor pool start ${name}`,
        })
    const { volumes } = await images.listVolumes({ pool: name })
    const found = volumes.find(one => one.name === volume)
    if (found && !overwrite)
        throw new Fault('exists', {
            summary: 'There is a volume of that name',
            detail: words,
            fix: 'Choose another name, or say --overwrite.',
        })
    if (found?.usedBy.length)
        throw new Fault('conflict', {
            summary: 'The volume is in use',
            detail: `${words}, by ${found.usedBy.join(', ')}`,
            fix: 'Choose another name.',
        })
    if (pool.availableBytes < BigInt(needBytes))
        throw new Fault('exhausted', {
            summary: 'There is no room in the pool',
            detail: `${formatBytes(needBytes)} wanted, ${formatBytes(Number(pool.availableBytes))} free in ${name}`,
            fix: 'Make room, or choose another pool.',
        })
    return { words, there: found !== undefined }
}
