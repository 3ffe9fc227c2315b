// The word that was probably meant: for 'did you mean' in findings.

/** The closest of `words` to `given`, or undefined where none is close (at most a third of the letters differ). */
export function nearest(given: string, words: readonly string[]): string | undefined {
    let best: { word: string; distance: number } | undefined
    for (const word of words) {
        const distance = distanceOf(given.toLowerCase(), word.toLowerCase())
        if (distance <= Math.max(1, Math.floor(Math.max(given.length, word.length) / 3))) {
            if (!best || distance < best.distance) best = { word, distance }
        }
    }
    return best?.word
}

/** Letters to add, drop, change or swap with the next (optimal string alignment). */
function distanceOf(from: string, to: string): number {
    const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, i) => i)]
    for (let i = 1; i <= from.length; i++) {
        const row = [i]
        for (let j = 1; j <= to.length; j++) {
            const same = from[i - 1] === to[j - 1] ? 0 : 1
            let least = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + same)
            if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
                least = Math.min(least, rows[i - 2]![j - 2]! + 1)
            }
            row.push(least)
        }
        rows.push(row)
    }
    return rows[from.length]![to.length]!
}
