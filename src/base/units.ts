// Sizes, durations and their words: what people write becomes bytes or milliseconds, or a Fault that says why not.
import { Fault } from './fault.ts'

const BINARY: Record<string, number> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4, p: 1024 ** 5 }
const DECIMAL: Record<string, number> = { kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, pb: 1e15 }

/**
 * Bytes from '20G', '512MiB', '1.5 TiB', '20GB' (decimal), or a bare number of bytes.
 * @throws Fault `invalid` for what is no size, is not above zero, or does not fit 2^53.
 */
export function parseSizeBytes(text: string, at = 'size'): number {
    const match = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$/.exec(text)
    const unit = match?.[2]?.toLowerCase().replace(/^([kmgtp])ib$/, '$1')
    const factor = unit === undefined ? undefined : (BINARY[unit] ?? DECIMAL[unit])
    const sizeBytes = match && factor ? Math.round(Number(match[1]) * factor) : Number.NaN
    if (!Number.isFinite(sizeBytes)) {
        throw new Fault('invalid', {
            summary: 'That is not a size',
            detail: JSON.stringify(text.slice(0, 40)),
            fix: 'Write a number and a unit, such as 20G, 512MiB or 1.5TiB.',
            at,
        })
    }
    return checkSizeBytes(sizeBytes, at)
}

/** The same number, when it is a whole number of bytes above zero that JavaScript holds exactly. */
export function checkSizeBytes(sizeBytes: number, at = 'size'): number {
    if (Number.isSafeInteger(sizeBytes) && sizeBytes > 0) return sizeBytes
    throw new Fault('invalid', {
        summary: 'A size must be a whole number of bytes above zero',
        detail: String(sizeBytes),
        fix: 'Give a size between 1 byte and 8 PiB.',
        at,
    })
}

/** '20 GiB', '1.5 MiB', '12 B': at most one digit behind the point. */
export function formatBytes(sizeBytes: number): string {
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
    let value = sizeBytes
    let unit = 0
    while (Math.abs(value) >= 1024 && unit < units.length - 1) {
        value /= 1024
        unit++
    }
    return `${Number(value.toFixed(value < 100 && unit > 0 ? 1 : 0))} ${units[unit]}`
}

/** '45 s', '3 min', '2 h 5 min', '4 d 3 h'. */
export function formatDuration(durationMs: number): string {
    const s = Math.round(durationMs / 1000)
    if (s < 120) return `${s} s`
    const min = Math.floor(s / 60)
    if (min < 120) return `${min} min`
    const h = Math.floor(min / 60)
    if (h < 48) return `${h} h ${min % 60} min`
    return `${Math.floor(h / 24)} d ${h % 24} h`
}
