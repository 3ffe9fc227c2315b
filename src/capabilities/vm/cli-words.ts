// What people write for disks, NICs and numbers on the command line.
import { Fault } from '../../base/fault.ts'
import { parseSizeBytes } from '../../base/units.ts'
import { whole } from '../value.ts'

function words(text: string, bare: string, known: readonly string[], at: string): Record<string, string> {
    const found: Record<string, string> = {}
    for (const part of text.split(',')) {
        const [key, ...rest] = part.includes('=') ? part.split('=') : [bare, part]
        if (!known.includes(key!)) {
            throw new Fault('invalid', {
                summary: 'That word is not known here',
                detail: JSON.stringify(key),
                at,
                fix: `Use ${known.join(', ')}.`,
            })
        }
        found[key!] = rest.join('=')
    }
    return found
}

/** '20G' or 'size=20G,bus=scsi,pool=fast,format=raw,cache=none,from=pool/vol,linked=yes' */
export function diskOf(text: string) {
    const w = words(text, 'size', ['size', 'bus', 'pool', 'format', 'cache', 'from', 'linked', 'existing'], '--disk')
    return {
        sizeBytes: w.size ? BigInt(parseSizeBytes(w.size, '--disk')) : 0n,
        from: w.from ?? '',
        linked: w.linked === 'yes',
        existing: w.existing ?? '',
        bus: w.bus ?? '',
        format: w.format ?? '',
        cache: w.cache ?? '',
        ...(w.pool ? { pool: w.pool } : {}),
    }
}

/** 'default', 'bridge:br0' or 'network=lan,model=e1000e,mac=52:54:00:…,vlan=5' */
export function nicOf(text: string) {
    if (text.startsWith('bridge:')) return { bridge: text.slice(7) }
    const w = words(text, 'network', ['network', 'bridge', 'model', 'mac', 'vlan'], '--network')
    return {
        network: w.network ?? '',
        bridge: w.bridge ?? '',
        model: w.model ?? '',
        mac: w.mac ?? '',
        vlan: w.vlan ? whole(w.vlan, '--network') : 0,
    }
}
