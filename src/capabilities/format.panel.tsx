// Sizes, shares and moments as people read them, by their locale.
import type { Timestamp } from '@bufbuild/protobuf/wkt'
import { timestampDate } from '@bufbuild/protobuf/wkt'
import { formatBytes, formatDuration } from '../base/units.ts'
import { locale } from './words.panel.tsx'

export const bytes = (size: bigint | number): string => formatBytes(Number(size))
export const rate = (size: bigint | number): string => `${formatBytes(Number(size))}/s`
export const percent = (share: number): string => percents().format(share)
export const count = (value: number | bigint): string => counts().format(value)

/** Formats take longer to make than to use, and a list of thousands uses them for each row. */
function kept<T>(make: (tag: string) => T): () => T {
    let made: { tag: string; format: T } | undefined
    return () => {
        const tag = locale()
        if (made?.tag !== tag) made = { tag, format: make(tag) }
        return made.format
    }
}
const percents = kept(tag => new Intl.NumberFormat(tag, { style: 'percent', maximumFractionDigits: 0 }))
const counts = kept(tag => new Intl.NumberFormat(tag))
const moments = kept(tag => new Intl.DateTimeFormat(tag, { dateStyle: 'medium', timeStyle: 'short' }))
const exactMoments = kept(tag => new Intl.DateTimeFormat(tag, { dateStyle: 'short', timeStyle: 'medium' }))
const agos = kept(tag => new Intl.RelativeTimeFormat(tag, { numeric: 'auto' }))

/** Date and time, short; empty for no time. */
export function moment(at: Timestamp | undefined): string {
    if (!at) return ''
    return moments().format(timestampDate(at))
}

/** With seconds, for logs. */
export function exactMoment(at: Timestamp | undefined): string {
    if (!at) return ''
    return exactMoments().format(timestampDate(at))
}

/** 'two minutes ago' in the reader's language. */
export function ago(at: Timestamp | undefined, nowMs = Date.now()): string {
    if (!at) return ''
    const seconds = Math.round((timestampDate(at).getTime() - nowMs) / 1000)
    const format = agos()
    const size = Math.abs(seconds)
    if (size < 60) return format.format(seconds, 'second')
    if (size < 3600) return format.format(Math.round(seconds / 60), 'minute')
    if (size < 86_400) return format.format(Math.round(seconds / 3600), 'hour')
    return format.format(Math.round(seconds / 86_400), 'day')
}

export const duration = (ms: number): string => formatDuration(ms)

/** How long ago something began, without 'ago'. */
export const since = (at: Timestamp | undefined): string =>
    at ? formatDuration(Math.max(0, Date.now() - timestampDate(at).getTime())) : ''
