// The SHA-512 method of crypt(3), as specified in 'Unix crypt using SHA-256 and SHA-512' (Ulrich Drepper, 2007).

type Digest = (bytes: Uint8Array) => Promise<Uint8Array>

const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const DEFAULT_ROUNDS = 5000

/** Salt characters from random bytes: six bits of each are used. */
export const saltFrom = (random: Uint8Array): string => Array.from(random, byte => ALPHABET[byte & 63]).join('')

/**
 * `$6$salt$hash` of the password, for /etc/shadow. `salt` is text of at most 16 characters, or random bytes to make it
 * from; `digest` is SHA-512, such as WebCrypto's. `rounds` other than 5000 are written into the result.
 */
export async function cryptSha512(
    password: string,
    salt: string | Uint8Array,
    digest: Digest,
    rounds = DEFAULT_ROUNDS,
): Promise<string> {
    const saltText = (typeof salt === 'string' ? salt : saltFrom(salt)).slice(0, 16)
    const turns = Math.max(1000, Math.min(999_999_999, Math.floor(rounds)))
    const key = utf8(password)
    const saltBytes = utf8(saltText)

    const b = await digest(join(key, saltBytes, key))
    const parts: Uint8Array[] = [key, saltBytes, repeat(b, key.length)]
    for (let n = key.length; n > 0; n >>= 1) parts.push(n & 1 ? b : key)
    let current = await digest(join(...parts))

    const p = repeat(await digest(times(key, key.length)), key.length)
    const s = repeat(await digest(times(saltBytes, 16 + current[0]!)), saltBytes.length)
    for (let turn = 0; turn < turns; turn++) {
        const odd = (turn & 1) === 1
        const round: Uint8Array[] = [odd ? p : current]
        if (turn % 3 !== 0) round.push(s)
        if (turn % 7 !== 0) round.push(p)
        round.push(odd ? current : p)
        current = await digest(join(...round))
    }
    const shown = turns === DEFAULT_ROUNDS ? '' : `rounds=${turns}$`
    return `$6$${shown}${saltText}$${encode(current)}`
}

function join(...parts: Uint8Array[]): Uint8Array {
    const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of parts) {
        out.set(part, at)
        at += part.length
    }
    return out
}

/** The bytes over and over, cut to a length. */
const repeat = (bytes: Uint8Array, length: number): Uint8Array =>
    Uint8Array.from({ length }, (_, index) => bytes[index % bytes.length]!)

/** The whole bytes, so many times. */
const times = (bytes: Uint8Array, count: number): Uint8Array => repeat(bytes, bytes.length * count)

/** crypt's own base 64: byte triples in its own order, lowest six bits first. */
function encode(bytes: Uint8Array): string {
    let out = ''
    const put = (value: number, characters: number): void => {
        for (let i = 0; i < characters; i++) out += ALPHABET[(value >> (6 * i)) & 63]
    }
    // The specification lists 21 triples: each is the one before, turned by one and moved by one.
    for (let i = 0; i < 21; i++) {
        const order = [i, i + 21, i + 42]
        const turn = i % 3
        const [high, middle, low] = [order[turn]!, order[(turn + 1) % 3]!, order[(turn + 2) % 3]!]
        put((bytes[high]! << 16) | (bytes[middle]! << 8) | bytes[low]!, 4)
    }
    put(bytes[63]!, 2)
    return out
}

/** UTF-8 by what the language alone has: this file runs in the browser, in Node and in neither's types. */
const utf8 = (text: string): Uint8Array =>
    Uint8Array.from(
        encodeURIComponent(text).replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
        char => char.charCodeAt(0),
    )
