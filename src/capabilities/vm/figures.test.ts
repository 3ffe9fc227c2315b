// Figures: from libvirt's counters to rates.
import { expect, test } from 'vitest'
import type { TypedParam } from '../../gen/libvirt/protocol.ts'
import { ratesOf, readCounters } from './figures.ts'

const params = (values: Record<string, number>): TypedParam[] =>
    Object.entries(values).map(([field, value]) => ({ field, value: { type: 4, value: BigInt(value) } }))

const first = {
    'cpu.time': 1_000_000_000,
    'balloon.current': 1024,
    'balloon.rss': 300,
    'vcpu.current': 2,
    'block.count': 2,
    'block.0.rd.bytes': 100,
    'block.1.rd.bytes': 50,
    'block.0.wr.reqs': 4,
    'net.0.tx.bytes': 1000,
}

test('disks and cards are summed; memory in use is what QEMU holds, or better what the guest says', () => {
    const counters = readCounters(params(first), 5)
    expect(counters).toMatchObject({
        ticksMs: 5,
        readBytes: 150,
        writeOps: 4,
        txBytes: 1000,
        vcpus: 2,
        usedBytes: 300 * 1024,
        balloonBytes: 1024 * 1024,
    })
    const told = readCounters(params({ ...first, 'balloon.available': 1000, 'balloon.usable': 600 }), 5)
    expect(told?.usedBytes).toBe(400 * 1024)
})

test('a QEMU that was busy and told nothing gives no figure', () => {
    expect(readCounters(params({ 'balloon.current': 1 }), 0)).toBeUndefined()
})

test('rates are differences over time; the share is of all vCPUs, at most one; nothing runs backwards', () => {
    const a = readCounters(params(first), 0)!
    const b = readCounters(params({ ...first, 'cpu.time': 11_000_000_000, 'block.0.rd.bytes': 1100 }), 10_000)!
    expect(ratesOf(a, b)).toEqual([0.5, 300 * 1024, 1024 * 1024, 100, 0, 0, 0, 0, 0])
    const wild = readCounters(params({ ...first, 'cpu.time': 91_000_000_000, 'net.0.tx.bytes': 0 }), 10_000)!
    expect(ratesOf(a, wild)?.[0]).toBe(1)
    expect(ratesOf(a, wild)?.[6]).toBe(0)
    expect(ratesOf(a, a)).toBeUndefined()
})
