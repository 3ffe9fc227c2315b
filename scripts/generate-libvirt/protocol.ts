// Reads libvirt's .x files (the XDR language of RFC 4506) into types and procedures.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { evaluate, type Headers, stripComments } from './headers.ts'

/** A type as data: a primitive or the name of a shape, or one of the compounds. */
export type Schema =
    | string
    | ['opt', Schema]
    | ['list' | 'fixed', Schema, number]
    | ['text' | 'bytes' | 'block', number]

export type Shape = { fields: [string, Schema][] } | { cases: [number, Schema][] }

export interface Procedure {
    name: string
    program: number
    number: number
    args?: string
    ret?: string
    /** The payload, for what the daemon sends by itself. */
    message?: string
    stream?: 'read' | 'write'
    /** True when its permissions only allow looking. */
    reads: boolean
}

export interface Protocol {
    shapes: Map<string, Shape>
    procedures: Procedure[]
    /** Event ids by noun: `domain` → `lifecycle` → its number and the procedure that carries it. */
    events: Map<string, Map<string, { id: number; procedure: string }>>
}

interface Parsed {
    constants: Map<string, number | string>
    enums: Map<string, Map<string, number>>
    /** Typedefs, resolved where they are used. */
    aliases: Map<string, Schema>
    shapes: Map<string, Shape>
}

const FILES = [
    'src/rpc/virnetprotocol.x',
    'src/rpc/virkeepaliveprotocol.x',
    'src/remote/remote_protocol.x',
    'src/remote/qemu_protocol.x',
]
const INTEGERS: Record<string, string> = { int: 'int', hyper: 'hyper', char: 'int', short: 'int', double: 'double' }
const UNSIGNED: Record<string, string> = { int: 'uint', hyper: 'uhyper', char: 'uint', short: 'uint' }

/** Words of a .x file, taken one by one. */
class Words {
    #at = 0
    readonly #words: string[]
    constructor(
        text: string,
        readonly file: string,
    ) {
        this.#words = text.match(/0x[0-9a-fA-F]+|-?\d+|\w+|[{}[\]<>();:,=*]/g) ?? []
    }
    get done(): boolean {
        return this.#at >= this.#words.length
    }
    peek(): string {
        return this.#words[this.#at] ?? ''
    }
    next(): string {
        return this.#words[this.#at++] ?? ''
    }
    /** True, and one word on, when it is the next one. */
    skip(word: string): boolean {
        if (this.peek() !== word) return false
        this.#at++
        return true
    }
    expect(word: string): void {
        const got = this.next()
        if (got === word) return
        const around = this.#words.slice(Math.max(0, this.#at - 8), this.#at + 3).join(' ')
        throw new Error(`${this.file}: '${word}' expected, '${got}' found near: ${around}`)
    }
}

function parseType(words: Words): string {
    let type = words.next()
    if (type === 'struct' || type === 'enum') type = words.next()
    if (type !== 'unsigned') return INTEGERS[type] ?? type
    const unsigned = UNSIGNED[words.peek()]
    if (!unsigned) return 'uint'
    words.next()
    return unsigned
}

function parseDeclaration(words: Words, parsed: Parsed): [string, Schema] | undefined {
    const type = parseType(words)
    if (type === 'void') return undefined
    const optional = words.skip('*')
    const name = words.next()
    let schema: Schema = parsed.aliases.get(type) ?? type
    if (words.skip('[')) {
        const length = evaluate(words.next(), parsed.constants)
        words.expect(']')
        schema = type === 'opaque' ? ['block', length] : ['fixed', schema, length]
    } else if (words.skip('<')) {
        const max = words.peek() === '>' ? 0xffffffff : evaluate(words.next(), parsed.constants)
        words.expect('>')
        schema = type === 'string' ? ['text', max] : type === 'opaque' ? ['bytes', max] : ['list', schema, max]
    }
    return [name, optional ? ['opt', schema] : schema]
}

function parseEnum(words: Words, parsed: Parsed): void {
    const name = words.next()
    const members = new Map<string, number>()
    let value = -1
    words.expect('{')
    while (!words.skip('}')) {
        const member = words.next()
        value = words.skip('=') ? evaluate(words.next(), parsed.constants) : value + 1
        members.set(member, value)
        parsed.constants.set(member, value)
        words.skip(',')
    }
    parsed.enums.set(name, members)
    parsed.aliases.set(name, 'int')
}

function parseStruct(words: Words, parsed: Parsed): void {
    const name = words.next()
    const fields: [string, Schema][] = []
    words.expect('{')
    while (!words.skip('}')) {
        const field = parseDeclaration(words, parsed)
        if (field) fields.push(field)
        words.expect(';')
    }
    parsed.shapes.set(name, { fields })
}

function parseUnion(words: Words, parsed: Parsed): void {
    const name = words.next()
    const cases: [number, Schema][] = []
    words.expect('switch')
    words.expect('(')
    parseDeclaration(words, parsed)
    words.expect(')')
    words.expect('{')
    while (!words.skip('}')) {
        const tags: number[] = []
        while (words.skip('case')) {
            tags.push(evaluate(words.next(), parsed.constants))
            words.expect(':')
        }
        const arm = parseDeclaration(words, parsed)
        words.expect(';')
        for (const tag of tags) cases.push([tag, arm?.[1] ?? 'void'])
    }
    parsed.shapes.set(name, { cases })
}

function parseFile(words: Words, parsed: Parsed): void {
    while (!words.done) {
        const keyword = words.next()
        if (keyword === 'const') {
            const name = words.next()
            words.expect('=')
            parsed.constants.set(name, evaluate(words.next(), parsed.constants))
        } else if (keyword === 'enum') parseEnum(words, parsed)
        else if (keyword === 'struct') parseStruct(words, parsed)
        else if (keyword === 'union') parseUnion(words, parsed)
        else if (keyword === 'typedef') {
            const declared = parseDeclaration(words, parsed)
            if (declared) parsed.aliases.set(declared[0], declared[1])
        } else throw new Error(`${words.file}: '${keyword}' is no definition`)
        words.expect(';')
    }
}

// The permissions in libvirt's access control that let nobody change anything.
const LOOKING = /^(none|\w+:(read|read_secure|getattr|search_\w+|mem_read|block_read|data_read|screenshot))(:.*)?$/

interface Note {
    stream?: 'read' | 'write'
    reads: boolean
}

/** What the comment before each procedure says of streams and permissions. */
function readNotes(text: string): Map<string, Note> {
    const notes = new Map<string, Note>()
    for (const [, comment = '', name = ''] of text.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(\w+_PROC_\w+)\s*=/g)) {
        const permissions = [...comment.matchAll(/@acl:\s*(\S+)/g)].map(match => match[1] ?? '')
        const stream = /@(read|write)stream/.exec(comment)?.[1] as Note['stream']
        notes.set(name, { stream, reads: permissions.every(permission => LOOKING.test(permission)) })
    }
    return notes
}

const camel = (snake: string): string => snake.toLowerCase().replace(/_(\w)/g, (_, letter) => letter.toUpperCase())

function readEvents(headers: Headers, procedures: Map<string, string>): Protocol['events'] {
    const events: Protocol['events'] = new Map()
    for (const [name, id] of headers.constants) {
        const match = /^VIR_(\w+)_EVENT_ID_(\w+)$/.exec(name)
        if (!match?.[1] || !match[2] || match[2] === 'LAST' || typeof id !== 'number') continue
        const [, noun, what] = match
        const procedure = procedures.get(`${noun}_EVENT_CALLBACK_${what}`) ?? procedures.get(`${noun}_EVENT_${what}`)
        if (!procedure) throw new Error(`no procedure carries the event ${name}`)
        const kinds = events.get(camel(noun)) ?? new Map<string, { id: number; procedure: string }>()
        events.set(camel(noun), kinds.set(camel(what), { id, procedure }))
    }
    return events
}

/** `remote_nonnull_domain` → `DomainRef`, `virNetMessageError` → `NetMessageError`. */
function typeName(name: string): string {
    const plain = name.replace(/^(remote_|vir(?=[A-Z]))/, '').replace(/^nonnull_(\w+)$/, '$1_ref')
    const type = plain.replace(/(?:^|_)([a-z0-9])/g, (_, letter) => letter.toUpperCase()).replace(/_/g, '')
    return type in globalThis ? `Remote${type}` : type
}

export function readProtocol(folder: string, headers: Headers): Protocol {
    const parsed: Parsed = {
        constants: new Map(headers.constants),
        enums: new Map(),
        aliases: new Map(),
        shapes: new Map(),
    }
    const notes = new Map<string, Note>()
    for (const file of FILES) {
        const text = readFileSync(join(folder, file), 'utf8')
        for (const [name, note] of readNotes(text)) notes.set(name, note)
        parseFile(new Words(stripComments(text).replace(/^%.*$/gm, ''), file), parsed)
    }

    const names = new Map([...parsed.shapes.keys()].map(name => [name, typeName(name)]))
    const procedures: Procedure[] = []
    const byMember = new Map<string, string>()
    for (const program of ['remote', 'qemu']) {
        for (const [member, number] of parsed.enums.get(`${program}_procedure`) ?? []) {
            const snake = member.replace(/^\w+?_PROC_/, '')
            const known = headers.functions.get(snake.toLowerCase().replaceAll('_', ''))
            const pascal = (known ?? camel(snake)).replace(/^\w/, first => first.toUpperCase())
            const name = program === 'qemu' ? `qemu${pascal}` : (known ?? camel(snake))
            const part = (kind: string): string | undefined => {
                const shape = `${program}_${snake.toLowerCase()}_${kind}`
                if (!parsed.shapes.has(shape)) return undefined
                const type = `${name.replace(/^\w/, first => first.toUpperCase())}${typeName(kind)}`
                names.set(shape, type)
                return type
            }
            const [args, ret, message] = [part('args'), part('ret'), part('msg')]
            const code = parsed.constants.get(`${program.toUpperCase()}_PROGRAM`)
            byMember.set(snake, name)
            procedures.push({
                ...{ name, number, args, ret, message },
                program: Number(code),
                stream: notes.get(member)?.stream,
                reads: notes.get(member)?.reads ?? false,
            })
        }
    }

    const rename = (schema: Schema): Schema => {
        if (typeof schema === 'string') return names.get(schema) ?? schema
        if (schema[0] === 'opt') return ['opt', rename(schema[1])]
        if (schema[0] === 'list' || schema[0] === 'fixed') return [schema[0], rename(schema[1]), schema[2]]
        return schema
    }
    const shapes = new Map<string, Shape>()
    for (const [name, shape] of parsed.shapes) {
        const renamed: Shape =
            'fields' in shape
                ? { fields: shape.fields.map(([field, schema]) => [field, rename(schema)]) }
                : { cases: shape.cases.map(([tag, schema]) => [tag, rename(schema)]) }
        const type = names.get(name) ?? name
        if (shapes.has(type)) throw new Error(`two shapes are called ${type}`)
        shapes.set(type, renamed)
    }
    return { shapes, procedures, events: readEvents(headers, byMember) }
}
