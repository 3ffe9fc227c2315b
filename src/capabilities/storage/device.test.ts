// A disk is never taken for a part of another whose name begins the same.
import { expect, it } from 'vitest'
import { standsOn } from './device.ts'

it.each([
    ['/dev/sda', '/dev/sda', true],
    ['/dev/sda3', '/dev/sda', true],
    ['/dev/sdaa', '/dev/sda', false],
    ['/dev/sdaa1', '/dev/sda', false],
    ['/dev/vdb', '/dev/vda', false],
    ['/dev/nvme0n1p2', '/dev/nvme0n1', true],
    ['/dev/nvme0n12', '/dev/nvme0n1', false],
    ['/dev/nvme0n10p1', '/dev/nvme0n1', false],
    ['/dev/mapper/sda1', '/dev/sda', false],
])('%s on %s: %s', (device, disk, expected) => {
    expect(standsOn(device, disk)).toBe(expected)
})
