// What of the audit log somebody looks at, and how the server is asked for it.
import { timestampFromDate } from '@bufbuild/protobuf/wkt'

export interface RecordFilter {
    who: string
    what: string
    on: string
    /** Days such as 2026-11-27, both of them included; empty for no limit. */
    since: string
    until: string
}

const DAY = /^\d{4}-\d{2}-\d{2}$/

/** Midnight of the reader's own day, so many days later; undefined for what is no day. */
function midnight(day: string, later = 0) {
    if (!DAY.test(day)) return undefined
    const [year = 0, month = 1, date = 1] = day.split('-').map(Number)
    const at = new Date(year, month - 1, date + later)
    return Number.isNaN(at.getTime()) ? undefined : timestampFromDate(at)
}

export const wish = ({ who, what, on, since, until }: RecordFilter) => ({
    ...{ who, what, on },
    since: midnight(since),
    until: midnight(until, 1),
})
