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

const LIMITS = ['read-iops', 'write-iops', 'read-rate', 'write-rate'] as const

/** The I/O limits among the words, and no others; undefined where there is none. `dashes` is what stands before a word. */
export function limitsOf(given: Record<string, string | undefined>, dashes: string) {
    if (LIMITS.every(word => given[word] === undefined)) return undefined
    const count = (word: string) => BigInt(whole(given[word]!, dashes + word))
    const rate = (word: string) => (given[word] === '0' ? 0n : BigInt(parseSizeBytes(given[word]!, dashes + word)))
    return {
        ...(given['read-iops'] === undefined ? {} : { readIops: count('read-iops') }),
        ...(given['write-iops'] === undefined ? {} : { writeIops: count('write-iops') }),
        ...(given['read-rate'] === undefined ? {} : { readBytesPerSecond: rate('read-rate') }),
        ...(given['write-rate'] === undefined ? {} : { writeBytesPerSecond: rate('write-rate') }),
    }
}

function yesNo(text: string | undefined, at: string): boolean | undefined {
    if (text === undefined || text === 'yes' || text === 'no') return text === undefined ? undefined : text === 'yes'
    throw new Fault('invalid', {
        summary: 'That is neither yes nor no',
        detail: JSON.stringify(text.slice(0, 40)),
        at,
        fix: 'Write yes or no.',
    })
}

/** 'sockets:cores:threads', such as 1:4:2. @throws Fault `invalid` */
export function topologyOf(text: string): { sockets: number; cores: number; threads: number } {
    const [sockets, cores, threads, ...rest] = text
        .split(':')
        .map(part => whole(part, '--topology', { least: 1, most: 4096 }))
    if (sockets && cores && threads && rest.length === 0) return { sockets, cores, threads }
    throw new Fault('invalid', {
        summary: 'That is not a CPU topology',
        detail: JSON.stringify(text.slice(0, 40)),
        at: '--topology',
        fix: 'Write SOCKETS:CORES:THREADS, such as 1:4:2 for eight vCPUs.',
    })
}

const DISK_WORDS = ['size', 'bus', 'pool', 'format', 'cache', 'discard', 'from', 'linked', 'existing', ...LIMITS]

/** '20G' or 'size=20G,bus=scsi,pool=fast,format=raw,cache=none,discard=no,write-iops=500,from=pool/vol,linked=yes' */
export function diskOf(text: string) {
    const w = words(text, 'size', DISK_WORDS, '--disk')
    return {
        sizeBytes: w.size ? BigInt(parseSizeBytes(w.size, '--disk')) : 0n,
        from: w.from ?? '',
        linked: yesNo(w.linked, '--disk: linked') ?? false,
        existing: w.existing ?? '',
        bus: w.bus ?? '',
        format: w.format ?? '',
        cache: w.cache ?? '',
        noDiscard: yesNo(w.discard, '--disk: discard') === false,
        limits: limitsOf(w, '--disk: '),
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
