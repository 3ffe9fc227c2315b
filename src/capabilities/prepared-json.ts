// Parts of an answer that are JSON already: Connect is handed a mark in their place, and the wire puts them in.
import { randomBytes } from 'node:crypto'

/** Known to nobody outside: what people write into names and notes is never taken for a mark. */
const SECRET = randomBytes(24).toString('base64url')

let count = 0
const waiting = new Map<string, readonly Uint8Array[]>()
const dropped = new FinalizationRegistry<string>(mark => waiting.delete(mark))

/**
 * A mark for objects that stand side by side in a list. It is put into any text field of one message, which has no other
 * field set, and stands for all of them; they are kept for as long as the answer that holds it.
 */
export function prepared(answer: object, objects: readonly Uint8Array[]): string {
    const mark = `${SECRET}.${++count}.`
    waiting.set(mark, objects)
    dropped.register(answer, mark)
    return mark
}

const plain = new TextEncoder()

/** For Connect's options of JSON, where it asks for a TextEncoder: the last to see an answer as text. */
export const withPrepared = {
    encode(text = ''): Uint8Array {
        const at = text.indexOf(SECRET)
        if (at < 0) return plain.encode(text)
        const mark = text.slice(at, text.indexOf('.', text.indexOf('.', at) + 1) + 1)
        const before = Buffer.from(text.slice(0, text.lastIndexOf('{', at)))
        const after = Buffer.from(text.slice(text.indexOf('}', at) + 1))
        const objects = waiting.get(mark)
        if (!objects) throw new Error('an answer lost what was prepared for it')
        let size = before.length + after.length + Math.max(0, objects.length - 1)
        for (const { length } of objects) size += length
        const out = Buffer.allocUnsafe(size)
        let end = before.copy(out)
        objects.forEach((object, i) => {
            if (i > 0) out[end++] = COMMA
            out.set(object, end)
            end += object.length
        })
        after.copy(out, end)
        return out
    },
}

const COMMA = 0x2c
