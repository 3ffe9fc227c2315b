// Numbers of the benchmarks: quantiles, ratios with their confidence, and a table for people.

/** One line of a table: what was measured, how it compares with a peer, and what it has to be. */
export interface Row {
    what: string
    value: string
    peer?: string
    ratio?: string
    target?: string
    /** Undefined where there is no target. */
    met?: boolean
}

/** What one benchmark found out. */
export interface Result {
    title: string
    /** How it was measured, and what falls short of a fair comparison. */
    notes: string[]
    rows: Row[]
}

/** The q-quantile (0 to 1) of the samples, by the nearest rank. */
export function quantile(samples: readonly number[], q: number): number {
    const sorted = [...samples].sort((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? Number.NaN
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5)

const mean = (samples: readonly number[]): number => samples.reduce((sum, one) => sum + one, 0) / samples.length

/**
 * The ratio of the means of paired samples with its 95% interval: percentile bootstrap over pairs, 5,000 rounds, seeded
 * so that the same samples give the same interval.
 */
export function ratioOfPairs(pairs: readonly { ours: number; theirs: number }[]): {
    ratio: number
    low: number
    high: number
} {
    const ratioOf = (some: readonly { ours: number; theirs: number }[]) =>
        mean(some.map(pair => pair.ours)) / mean(some.map(pair => pair.theirs))
    let state = 1
    const random = () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0
        return state / 2 ** 32
    }
    const rounds = Array.from({ length: 5000 }, () =>
        ratioOf(pairs.map(() => pairs[Math.floor(random() * pairs.length)]!)),
    )
    return { ratio: ratioOf(pairs), low: quantile(rounds, 0.025), high: quantile(rounds, 0.975) }
}

export const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`
export const times = (value: number): string => `${value.toFixed(2)}×`
export const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

/** What of a result missed its target. */
export const missed = ({ rows }: Result): string[] => rows.filter(row => row.met === false).map(row => row.what)

/** A ratio of pairs against the most that it may be: it is met when its whole 95% interval is. */
export function judged(pairs: readonly { ours: number; theirs: number }[], most: number) {
    const { ratio, low, high } = ratioOfPairs(pairs)
    return {
        ratio: `${times(ratio)} (95%: ${low.toFixed(2)} to ${high.toFixed(2)})`,
        target: `≤ ${times(most)}, all of the interval`,
        met: high <= most,
    }
}

/** The result as a table: columns as wide as they need to be. */
export function show({ title, notes, rows }: Result): string {
    const cells = rows.map(row => [
        row.what,
        row.value,
        row.peer ?? '',
        row.ratio ?? '',
        row.target ?? '',
        row.met === undefined ? '' : row.met ? 'met' : 'MISSED',
    ])
    const table = [['', 'measured', 'peer', 'ratio', 'target', ''], ...cells]
    const widths = table[0]!.map((_, column) => Math.max(...table.map(line => line[column]!.length)))
    const lines = table.map(line =>
        line
            .map((cell, column) => cell.padEnd(widths[column]!))
            .join('  ')
            .trimEnd(),
    )
    return [title, ...lines.map(line => `  ${line}`), ...notes.map(note => `  (${note})`)].join('\n')
}
