// Typed parameters keep their widths, and the calls that must be asked twice are.
import { expect, it } from 'vitest'
import { VIR } from '../../gen/libvirt/constants.ts'
import type { Call } from './calls.ts'
import { double, fromParams, int, llong, paramList, readParams, toParams, uint, ullong } from './typed-params.ts'
import { decode, encode } from './xdr.ts'

it('go to the wire and back', () => {
    const params = toParams({
        name: 'x',
        on: true,
        off: false,
        i: int(-1),
        u: uint(4_294_967_295),
        l: llong(-5),
        ul: ullong(2n ** 64n - 1n),
        d: double(0.5),
        none: undefined,
    })
    const wire = params.map(param => decode('TypedParam', encode('TypedParam', param)))
    expect(fromParams(wire as typeof params)).toEqual({
        ...{ name: 'x', on: true, off: false, i: -1, u: 4_294_967_295 },
        ...{ l: -5n, ul: 2n ** 64n - 1n, d: 0.5 },
    })
})

it('refuse a number without a width', () => {
    expect(() => toParams({ bandwidth: 5 as never })).toThrow('bandwidth')
})

it('keep every value of a name that comes more than once', () => {
    const params = [...toParams({ disk: 'vda' }), ...toParams({ disk: 'vdb' })]
    expect(paramList(params, 'disk')).toEqual(['vda', 'vdb'])
    expect(fromParams(params)).toEqual({ disk: 'vdb' })
})

it('are asked for twice, with the flag that lets strings through', async () => {
    const asked: unknown[] = []
    const call = (async (_: string, args: { nparams: number; flags: number }) => {
        asked.push([args.nparams, args.flags])
        return args.nparams === 0 ? { params: [], nparams: 2 } : { params: toParams({ weight: 'sda,1' }), nparams: 2 }
    }) as unknown as Call
    const dom = { name: 'a', uuid: Buffer.alloc(16), id: -1 }
    const live = VIR.VIR_DOMAIN_AFFECT_LIVE
    expect(await readParams(call, 'domainGetBlkioParameters', { dom, flags: live })).toEqual({ weight: 'sda,1' })
    expect(asked).toEqual([
        [0, live | 4],
        [2, live | 4],
    ])
})
