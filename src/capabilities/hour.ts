// Figures of many things, the last hour of each: counters become rates, and each new figure is told to who watches.
import type { Clock } from '../ports/ports.ts'

export const PERIOD_MS = 10_000
/** An hour. */
export const KEPT = 360

interface Series<C> {
    /** So many numbers a sample, KEPT samples, the oldest overwritten. */
    ring: Float32Array
    at: Float64Array
    /** How many were ever written. */
    count: number
    last: C
}

export interface Hour<C> {
    /** Takes what was counted. Answers the figures that it makes with the counters before; undefined for the first ones. */
    take(id: string, now: C): readonly number[] | undefined
    last(id: string): { counters: C; figures: readonly number[] | undefined } | undefined
    /** Oldest first. */
    history<T>(id: string, as: (atMs: number, figures: readonly number[]) => T): T[]
    /** The last figures, then each as it is taken, until the signal aborts. */
    watch<T>(id: string, signal: AbortSignal, as: (atMs: number, figures: readonly number[]) => T): AsyncGenerator<T>
    /** Forgets what is not wanted any more. */
    keepOnly(wanted: (id: string, last: C) => boolean): void
}

/** `figuresOf` answers undefined for counters that make none, `isNew` tells that they count from nothing again. */
export function createHour<C>(of: {
    fields: number
    clock: Pick<Clock, 'now'>
    figuresOf(before: C, now: C): number[] | undefined
    isNew(before: C, now: C): boolean
}): Hour<C> {
    const { fields, clock, figuresOf, isNew } = of
    const all = new Map<string, Series<C>>()
    const listeners = new Set<(id: string) => void>()
    const at = ({ ring, at }: Series<C>, index: number): [number, number[]] => {
        const place = index % KEPT
        return [at[place]!, [...ring.subarray(place * fields, (place + 1) * fields)]]
    }

    return {
        take(id, now) {
            const kept = all.get(id)
            if (!kept || isNew(kept.last, now)) {
                const empty = { ring: new Float32Array(fields * KEPT), at: new Float64Array(KEPT), count: 0 }
                all.set(id, { ...(kept ?? empty), last: now })
                return undefined
            }
            const figures = figuresOf(kept.last, now)
            kept.last = now
            if (!figures) return undefined
            const place = kept.count++ % KEPT
            kept.ring.set(figures, place * fields)
            kept.at[place] = clock.now()
            for (const listener of [...listeners]) listener(id)
            return figures
        },
        last(id) {
            const kept = all.get(id)
            if (!kept) return undefined
            return { counters: kept.last, figures: kept.count > 0 ? at(kept, kept.count - 1)[1] : undefined }
        },
        history(id, as) {
            const kept = all.get(id)
            if (!kept) return []
            const first = Math.max(0, kept.count - KEPT)
            return Array.from({ length: kept.count - first }, (_, i) => as(...at(kept, first + i)))
        },
        async *watch(id, signal, as) {
            let wake = () => {}
            let told = -1
            const listener = (changed: string) => changed === id && wake()
            const aborted = () => wake()
            listeners.add(listener)
            signal.addEventListener('abort', aborted)
            try {
                while (!signal.aborted) {
                    const kept = all.get(id)
                    if (kept && kept.count > 0 && kept.count !== told) {
                        told = kept.count
                        yield as(...at(kept, kept.count - 1))
                    } else
                        await new Promise<void>(resolve => {
                            wake = resolve
                            if (signal.aborted) resolve()
                        })
                }
            } finally {
                listeners.delete(listener)
                signal.removeEventListener('abort', aborted)
            }
        },
        keepOnly(wanted) {
            for (const [id, { last }] of all) if (!wanted(id, last)) all.delete(id)
        },
    }
}

/** Of a figure that is whole bytes or counts. */
export const whole = (value: number | undefined): bigint => BigInt(Math.round(value ?? 0))
