// An hour of figures: the oldest goes, counters that begin anew make no figure, and readers hear of each new one.
import { expect, it } from 'vitest'
import { fakeClock } from '../ports/fake.ts'
import { createHour, KEPT, PERIOD_MS } from './hour.ts'

interface Count {
    atMs: number
    bytes: number
}
const world = () => {
    const clock = fakeClock()
    const hour = createHour<Count>({
        ...{ fields: 1, clock },
        figuresOf: (before, now) =>
            now.atMs > before.atMs ? [((now.bytes - before.bytes) * 1000) / (now.atMs - before.atMs)] : undefined,
        isNew: (before, now) => now.bytes < before.bytes,
    })
    const take = async (id: string, bytes: number) => {
        await clock.advance(PERIOD_MS)
        return hour.take(id, { atMs: clock.now(), bytes })
    }
    const rates = (id: string) => hour.history(id, (_, [rate]) => rate)
    return { clock, hour, take, rates }
}

it('keeps an hour, the oldest goes first', async () => {
    const { take, rates } = world()
    expect(await take('a', 0)).toBeUndefined()
    for (let i = 1; i <= KEPT + 5; i++) await take('a', i * i * 10)
    expect(rates('a')).toHaveLength(KEPT)
    // Of the squares the differences grow by two: the sixth is the oldest that is left.
    expect(rates('a').slice(0, 2)).toEqual([11, 13])
    expect(rates('b')).toEqual([])
})

it('makes no figure of counters that begin anew, nor of two at one moment', async () => {
    const { hour, take, rates, clock } = world()
    await take('a', 100)
    expect(await take('a', 200)).toEqual([10])
    expect(await take('a', 50)).toBeUndefined()
    expect(hour.take('a', { atMs: clock.now(), bytes: 60 })).toBeUndefined()
    expect(await take('a', 160)).toEqual([10])
    expect(rates('a')).toEqual([10, 10])
    expect(hour.last('a')).toEqual({ counters: { atMs: clock.now(), bytes: 160 }, figures: [10] })
    hour.keepOnly(id => id !== 'a')
    expect([rates('a'), hour.last('a')]).toEqual([[], undefined])
})

it('tells the last one, then each new one, until the reader leaves', async () => {
    const { hour, take } = world()
    await take('a', 0)
    await take('a', 100)
    const leave = new AbortController()
    const heard: (number | undefined)[] = []
    const reading = (async () => {
        for await (const rate of hour.watch('a', leave.signal, (_, [one]) => one)) heard.push(rate)
    })()
    await take('b', 0)
    await take('b', 70)
    await take('a', 500)
    leave.abort()
    await reading
    expect(heard[0]).toBe(10)
    expect(heard.at(-1)).toBeCloseTo(400 / 30, 5)
    expect(heard).toHaveLength(2)
})
