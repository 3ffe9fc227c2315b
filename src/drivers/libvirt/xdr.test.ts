// XDR: what is encoded decodes to the same, and what does not fit is refused with its path.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Fault } from '../../base/fault.ts'
import { PROCEDURES, type Schema, SHAPES } from '../../gen/libvirt/protocol.ts'
import { codecOf, compile, decode, encode } from './xdr.ts'
import { Reader, Writer } from './xdr-bytes.ts'

/** Any value of a schema, with lists and texts kept short. */
function arbitrary(schema: Schema): fc.Arbitrary<unknown> {
    if (typeof schema === 'string') {
        switch (schema) {
            case 'int':
                return fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
            case 'uint':
                return fc.integer({ min: 0, max: 2 ** 32 - 1 })
            case 'hyper':
                return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
            case 'uhyper':
                return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
            case 'double':
                return fc.double()
            case 'void':
                return fc.constant(null)
        }
        const shape = SHAPES[schema]!
        if ('fields' in shape) {
            return fc.record(Object.fromEntries(shape.fields.map(([name, inner]) => [name, arbitrary(inner)])))
        }
        return fc.oneof(
            ...shape.cases.map(([type, inner]) => fc.record({ type: fc.constant(type), value: arbitrary(inner) })),
        )
    }
    switch (schema[0]) {
        case 'opt':
            return fc.option(arbitrary(schema[1]))
        case 'list':
            return fc.array(arbitrary(schema[1]), { maxLength: Math.min(3, schema[2]) })
        case 'fixed':
            return fc.array(arbitrary(schema[1]), { minLength: schema[2], maxLength: schema[2] })
        case 'text':
            return fc
                .string({ unit: 'grapheme', maxLength: 12 })
                .filter(text => !text.includes('\0') && Buffer.byteLength(text) <= schema[1])
        case 'bytes':
            return fc.uint8Array({ maxLength: Math.min(9, schema[1]) }).map(bytes => Buffer.from(bytes))
        case 'block':
            return fc.uint8Array({ minLength: schema[1], maxLength: schema[1] }).map(bytes => Buffer.from(bytes))
    }
}

const faultOf = (call: () => unknown): Fault => {
    try {
        call()
    } catch (thrown) {
        if (thrown instanceof Fault) return thrown
        throw thrown
    }
    throw new Error('nothing was thrown')
}

const uuid = Buffer.alloc(16, 7)

describe('every shape of the protocol', () => {
    it('comes back from its bytes as it went in', () => {
        const names = Object.keys(SHAPES)
        expect(names.length).toBeGreaterThan(700)
        for (const name of names) {
            fc.assert(
                fc.property(arbitrary(name), value => {
                    expect(decode(name, encode(name, value))).toEqual(value)
                }),
                { numRuns: 4 },
            )
        }
    })

    it('is compiled for all that is called, answered and sent', () => {
        for (const { args, ret, message } of Object.values(PROCEDURES)) {
            for (const name of [args, ret, message]) if (name) expect(codecOf(name)).toBeDefined()
        }
    })
})

describe('bytes', () => {
    it('are those of RFC 4506: big-endian, padded to four', () => {
        const bytes = encode('DomainRef', { name: 'abcde', uuid, id: -1 })
        expect(bytes.toString('hex')).toBe(`00000005${'6162636465000000'}${'07'.repeat(16)}ffffffff`)
    })

    it('take four for char and short too', () => {
        const { fields } = SHAPES.NodeGetInfoRet as { fields: [string, Schema][] }
        const model = fields.find(([name]) => name === 'model')![1]
        const writer = new Writer()
        compile(model).encode(writer, new Array(32).fill(65))
        expect(writer.bytes().length).toBe(128)
    })

    it('count a string in bytes, not characters', () => {
        const text = 'ü'.repeat(2_097_153)
        expect(faultOf(() => encode('DomainLookupByNameArgs', { name: text }))).toMatchObject({
            code: 'invalid',
            at: 'name',
        })
        const fits = 'ü'.repeat(2_097_152)
        expect(decode('DomainLookupByNameArgs', encode('DomainLookupByNameArgs', { name: fits }))).toEqual({
            name: fits,
        })
    })
})

describe('refused on the way out, with the path', () => {
    const dom = { name: 'a', uuid, id: -1 }
    const cases: [string, unknown, string][] = [
        ['DomainGetXMLDescArgs', { dom, flag: 0 }, 'flag'],
        ['DomainGetXMLDescArgs', { dom: { ...dom, ID: 3 }, flags: 0 }, 'dom.ID'],
        ['DomainGetXMLDescArgs', { dom: { ...dom, uuid: Buffer.alloc(15) } }, 'dom.uuid'],
        ['DomainGetXMLDescArgs', { dom, flags: -1 }, 'flags'],
        ['DomainGetXMLDescArgs', { dom, flags: 2 ** 32 }, 'flags'],
        ['DomainGetXMLDescArgs', { dom, flags: 0.5 }, 'flags'],
        ['DomainGetXMLDescArgs', {}, 'dom'],
        ['DomainSetMemoryArgs', { dom, memory: 5 }, 'memory'],
        ['DomainSetMemoryArgs', { dom, memory: 2n ** 64n }, 'memory'],
        ['DomainLookupByNameArgs', { name: 'a\0b' }, 'name'],
        ['DomainLookupByNameArgs', { name: 7 }, 'name'],
        ['DomainDefineXMLArgs', { xml: undefined }, 'xml'],
        [
            'DomainSetMemoryParametersArgs',
            {
                dom,
                params: [
                    { field: 'a', value: { type: 1, value: 1 } },
                    { field: 'b', value: { type: 9, value: 1 } },
                ],
            },
            'params[1].value.type',
        ],
        ['DomainSetMemoryParametersArgs', { dom, params: new Array(17).fill(null) }, 'params'],
    ]
    it.each(cases)('%s %#', (name, value, at) => {
        expect(faultOf(() => encode(name, value))).toMatchObject({ code: 'invalid', at })
    })

    it('but flags and what may be null can be left out', () => {
        expect(encode('DomainGetXMLDescArgs', { dom })).toEqual(encode('DomainGetXMLDescArgs', { dom, flags: 0 }))
        expect(decode('DomainOpenConsoleArgs', encode('DomainOpenConsoleArgs', { dom }))).toMatchObject({
            dev_name: null,
        })
    })
})

describe('refused on the way in', () => {
    const good = encode('DomainGetXMLDescRet', { xml: '<domain/>' })
    it.each([
        ['cut short', good.subarray(0, 8)],
        ['bytes left behind', Buffer.concat([good, Buffer.alloc(4)])],
        ['empty', Buffer.alloc(0)],
    ])('%s', (_, bytes) => {
        expect(faultOf(() => decode('DomainGetXMLDescRet', bytes)).code).toBe('internal')
    })

    it('a length beyond the limit, without making room for it', () => {
        const bytes = Buffer.alloc(8)
        bytes.writeUInt32BE(0xfffffff0, 0)
        expect(faultOf(() => decode('ConnectListAllDomainsRet', bytes)).code).toBe('internal')
    })

    it('any bytes give a value or a Fault, never another error', () => {
        fc.assert(
            fc.property(fc.uint8Array({ maxLength: 64 }), bytes => {
                try {
                    codecOf('ConnectGetAllDomainStatsRet').decode(new Reader(Buffer.from(bytes)))
                } catch (thrown) {
                    expect(thrown).toBeInstanceOf(Fault)
                }
            }),
        )
    })
})
