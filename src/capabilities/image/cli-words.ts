// What people write for volumes on the command line.
import { Fault } from '../../base/fault.ts'

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
