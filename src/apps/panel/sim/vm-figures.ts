// The simulated figures of a machine.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Figures, FiguresSchema } from '../../../gen/proto/capabilities/vm/vm_pb.js'
import type { SimVm } from './world.ts'

/** Waves that look like a machine at work. */
export const figuresAt = (one: SimVm, ms: number): Figures => {
    const vm = one.detail.vm!
    const s = ms / 1000
    const wave = (period: number, shift: number): number => (Math.sin(s / period + shift) + 1) / 2
    const shift = vm.uuid.charCodeAt(0)
    return create(FiguresSchema, {
        at: timestampFromMs(ms),
        cpu: 0.1 + 0.5 * wave(240, shift) * (0.6 + 0.4 * wave(17, 2)),
        memoryBytes: vm.memoryBytes,
        memoryUsedBytes: BigInt(Math.round(Number(vm.memoryBytes) * (0.4 + 0.2 * wave(900, shift)))),
        diskReadBytesPerSecond: BigInt(Math.round(4e6 * wave(60, 1) ** 4)),
        diskWriteBytesPerSecond: BigInt(Math.round(2e6 * wave(35, 3) ** 3)),
        netRxBytesPerSecond: BigInt(Math.round(9e5 * wave(90, 5))),
        netTxBytesPerSecond: BigInt(Math.round(5e5 * wave(70, 4))),
    })
}
