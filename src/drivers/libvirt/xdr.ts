// Codecs of libvirt's XDR, compiled once from the generated schemas: every value is checked on its way out and in.
import { Fault } from '../../base/fault.ts'
import { type Schema, SHAPES, type Shape } from '../../gen/libvirt/protocol.ts'
import { Reader, unreadable, Writer } from './xdr-bytes.ts'

export interface Codec {
    decode(reader: Reader): unknown
    /** @throws Fault `invalid` with the path of the value that does not fit */
    encode(writer: Writer, value: unknown): void
}

const unfit = (detail: string): Fault =>
    new Fault('invalid', {
        summary: 'A value does not fit the protocol of libvirt',
        detail,
        fix: 'Correct the value that is named.',
    })

/** The same Fault with the name of the surrounding field before its path. */
function below(name: string, thrown: unknown): unknown {
    if (!(thrown instanceof Fault) || thrown.code !== 'invalid') return thrown
    const at = thrown.at ? `${name}${thrown.at.startsWith('[') ? '' : '.'}${thrown.at}` : name
    return new Fault('invalid', { summary: thrown.summary, detail: thrown.detail, fix: thrown.fix, at })
}

function whole(value: unknown, min: number, max: number): number {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
    throw unfit(`a whole number from ${min} to ${max} is wanted, not ${shown(value)}`)
}

function wide(value: unknown, signed: boolean): bigint {
    const [min, max] = signed ? [-(2n ** 63n), 2n ** 63n - 1n] : [0n, 2n ** 64n - 1n]
    if (typeof value === 'bigint' && value >= min && value <= max) return value
    throw unfit(`a bigint from ${min} to ${max} is wanted, not ${shown(value)}`)
}

const shown = (value: unknown): string =>
    typeof value === 'string'
        ? 'a string'
        : typeof value === 'object'
          ? 'an object'
          : `${typeof value} ${String(value)}`

const PRIMITIVES: Record<string, Codec> = {
    int: { decode: r => r.int(), encode: (w, v) => w.int(whole(v, -(2 ** 31), 2 ** 31 - 1)) },
    uint: { decode: r => r.uint(), encode: (w, v) => w.uint(whole(v, 0, 2 ** 32 - 1)) },
    hyper: { decode: r => r.hyper(), encode: (w, v) => w.hyper(wide(v, true)) },
    uhyper: { decode: r => r.uhyper(), encode: (w, v) => w.uhyper(wide(v, false)) },
    double: {
        decode: r => r.double(),
        encode: (w, v) => {
            if (typeof v !== 'number') throw unfit(`a number is wanted, not ${shown(v)}`)
            w.double(v)
        },
    },
    void: { decode: () => null, encode: () => undefined },
}

/** A length that was read, when it may be so long and the message can hold it. */
function lengthOf(reader: Reader, max: number): number {
    const length = reader.uint()
    if (length > max) throw unreadable(`a length of ${length} where ${max} is the most`)
    return length
}

function text(maxBytes: number): Codec {
    return {
        decode: reader => reader.block(lengthOf(reader, maxBytes)).toString('utf8'),
        encode: (writer, value) => {
            if (typeof value !== 'string') throw unfit(`a string is wanted, not ${shown(value)}`)
            // libvirtd is written in C: what stands behind a NUL would be cut off in silence.
            if (value.includes('\0')) throw unfit('a string with a NUL character')
            const bytes = Buffer.from(value, 'utf8')
            if (bytes.length > maxBytes) throw unfit(`a string of ${bytes.length} bytes where ${maxBytes} is the most`)
            writer.uint(bytes.length)
            writer.block(bytes)
        },
    }
}

function bytes(maxBytes: number): Codec {
    return {
        decode: reader => Buffer.from(reader.block(lengthOf(reader, maxBytes))),
        encode: (writer, value) => {
            if (!(value instanceof Uint8Array)) throw unfit(`bytes are wanted, not ${shown(value)}`)
            if (value.length > maxBytes) throw unfit(`${value.length} bytes where ${maxBytes} is the most`)
            writer.uint(value.length)
            writer.block(value)
        },
    }
}

function block(lengthBytes: number): Codec {
    return {
        decode: reader => Buffer.from(reader.block(lengthBytes)),
        encode: (writer, value) => {
            if (!(value instanceof Uint8Array) || value.length !== lengthBytes) {
                throw unfit(`exactly ${lengthBytes} bytes are wanted, not ${shown(value)}`)
            }
            writer.block(value)
        },
    }
}

function optional(inner: Codec): Codec {
    return {
        decode: reader => (reader.uint() ? inner.decode(reader) : null),
        encode: (writer, value) => {
            const given = value !== null && value !== undefined
            writer.uint(given ? 1 : 0)
            if (given) inner.encode(writer, value)
        },
    }
}

function items(inner: Codec, max: number, isFixed: boolean): Codec {
    return {
        decode: reader => {
            const length = isFixed ? max : lengthOf(reader, max)
            const list: unknown[] = []
            for (let i = 0; i < length; i++) list.push(inner.decode(reader))
            return list
        },
        encode: (writer, value) => {
            if (!Array.isArray(value)) throw unfit(`a list is wanted, not ${shown(value)}`)
            if (isFixed ? value.length !== max : value.length > max) {
                throw unfit(`a list of ${value.length} where ${max} is ${isFixed ? 'the length' : 'the most'}`)
            }
            if (!isFixed) writer.uint(value.length)
            for (const [index, item] of value.entries()) {
                try {
                    inner.encode(writer, item)
                } catch (thrown) {
                    throw below(`[${index}]`, thrown)
                }
            }
        },
    }
}

function structure(fields: readonly (readonly [string, Schema])[]): Codec {
    const codecs = fields.map(([name, schema]) => [name, compile(schema)] as const)
    const known = new Set(fields.map(([name]) => name))
    return {
        decode: reader => {
            const value: Record<string, unknown> = {}
            for (const [name, codec] of codecs) value[name] = codec.decode(reader)
            return value
        },
        encode: (writer, value) => {
            if (typeof value !== 'object' || value === null) throw unfit(`an object is wanted, not ${shown(value)}`)
            // The fields' names vary from call to call: one misspelt would otherwise be sent as nothing.
            const stranger = Object.keys(value).find(name => !known.has(name))
            if (stranger !== undefined) throw below(stranger, unfit('there is no field of that name'))
            for (const [name, codec] of codecs) {
                const inner = (value as Record<string, unknown>)[name]
                try {
                    codec.encode(writer, inner === undefined && name === 'flags' ? 0 : inner)
                } catch (thrown) {
                    throw below(name, thrown)
                }
            }
        },
    }
}

function union(cases: readonly (readonly [number, Schema])[]): Codec {
    const codecs = new Map(cases.map(([tag, schema]) => [tag, compile(schema)]))
    return {
        decode: reader => {
            const type = reader.int()
            const codec = codecs.get(type)
            if (!codec) throw unreadable(`a value of the unknown kind ${type}`)
            return { type, value: codec.decode(reader) }
        },
        encode: (writer, value) => {
            const { type, value: inner } = (value ?? {}) as { type?: number; value?: unknown }
            const codec = codecs.get(type ?? Number.NaN)
            if (!codec) throw below('type', unfit(`there is no kind ${String(type)}`))
            writer.int(type!)
            codec.encode(writer, inner)
        },
    }
}

const compiled = new Map<string, Codec>()

/** The codec of a shape that the protocol names, such as `DomainRef`. */
export function codecOf(name: string): Codec {
    const found = PRIMITIVES[name] ?? compiled.get(name)
    if (found) return found
    const shape: Shape | undefined = SHAPES[name]
    if (!shape) throw unfit(`the protocol has no type ${name}`)
    const codec = 'fields' in shape ? structure(shape.fields) : union(shape.cases)
    compiled.set(name, codec)
    return codec
}

/** The codec of any schema. The shapes of libvirt do not contain themselves, so compiling ends. */
export function compile(schema: Schema): Codec {
    if (typeof schema === 'string') return codecOf(schema)
    switch (schema[0]) {
        case 'opt':
            return optional(compile(schema[1]))
        case 'list':
        case 'fixed':
            return items(compile(schema[1]), schema[2], schema[0] === 'fixed')
        case 'text':
            return text(schema[1])
        case 'bytes':
            return bytes(schema[1])
        case 'block':
            return block(schema[1])
    }
}

/** The bytes of a value of a named shape. */
export function encode(name: string, value: unknown): Buffer {
    const writer = new Writer()
    codecOf(name).encode(writer, value)
    return writer.bytes()
}

/**
 * The value of a named shape, which must fill the bytes to their end.
 * @throws Fault `internal` when it does not
 */
export function decode(name: string, buffer: Buffer): unknown {
    const reader = new Reader(buffer)
    const value = codecOf(name).decode(reader)
    if (reader.leftBytes > 0) throw unreadable(`${reader.leftBytes} bytes are left behind ${name}`)
    return value
}
