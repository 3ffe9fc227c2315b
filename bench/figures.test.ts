// A ratio is judged by all of its interval, and a target without a verdict is none that was missed.
import { expect, it } from 'vitest'
import { judged, missed, quantile } from './figures.ts'

const pairs = (ratios: number[]) => ratios.map(ratio => ({ ours: 100 * ratio, theirs: 100 }))

it('meets a target only when the upper bound does', () => {
    const steady = pairs(Array.from({ length: 30 }, (_, i) => 1.1 + (i % 3) / 100))
    expect(judged(steady, 1.15).met).toBe(true)
    // The mean is as good, but one in ten is far off: the interval reaches past the target.
    const wild = pairs(Array.from({ length: 30 }, (_, i) => (i % 10 === 0 ? 1.7 : 1.05)))
    expect(Number.parseFloat(judged(wild, 1.15).ratio)).toBeLessThan(1.15)
    expect(judged(wild, 1.15).met).toBe(false)
})

it('names what was missed', () => {
    const row = { what: 'a', value: '1 ms' }
    const rows = [{ ...row, met: true }, { ...row, what: 'b', met: false }, row]
    expect(missed({ title: 't', notes: [], rows })).toEqual(['b'])
})

it('takes quantiles by the nearest rank', () => {
    const samples = Array.from({ length: 100 }, (_, i) => 100 - i)
    expect([quantile(samples, 0.5), quantile(samples, 0.99), quantile(samples, 0)]).toEqual([50, 99, 1])
})
