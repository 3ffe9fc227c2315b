// Secrets leave no trace: one place that knows which words name a secret and what stands in their stead.

const SECRET_KEY =
    /pass(word|wd|phrase)?|secret|token|private.?key|credential|cookie|authorization|ticket|user.?data|network.?config|^commands?$|^run.?cmd$|^compose.?file$/i
/** Programs get keys and passwords by it: its names tell enough. */
const ENVIRONMENT_KEY = /^env(ironment)?$/i
const HIDDEN = '[hidden]'

/**
 * A copy fit for logs, audit and plans, whatever the depth: values under keys that name secrets are replaced, those of an
 * environment too, and in URLs what stands behind `?` or `#` (a presigned address is a key) and a password.
 */
export function redact(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(redact)
    if (value instanceof Uint8Array) return `[${value.length} bytes]`
    if (typeof value === 'bigint') return value.toString()
    if (typeof value === 'string') return value.includes('://') ? value.replace(/[^\s"'<>]+/g, redactUrl) : value
    if (value === null || typeof value !== 'object') return value
    const out: Record<string, unknown> = {}
    for (const [key, inner] of Object.entries(value)) {
        if (ENVIRONMENT_KEY.test(key)) out[key] = namesAlone(inner)
        else out[key] = SECRET_KEY.test(key) && inner !== '' && inner !== undefined ? HIDDEN : redact(inner)
    }
    return out
}

/** An environment in any of its shapes: `A=1` in a list, objects with a name and a value, or a value by its name. */
function namesAlone(environment: unknown): unknown {
    if (Array.isArray(environment)) {
        return environment.map(one =>
            typeof one === 'string'
                ? `${one.split('=', 1)[0]}=${HIDDEN}`
                : { name: (one as { name?: unknown })?.name, value: HIDDEN },
        )
    }
    if (environment === null || typeof environment !== 'object') return environment === undefined ? undefined : HIDDEN
    return Object.fromEntries(Object.keys(environment).map(name => [name, HIDDEN]))
}

/** Of one word; goes through it once, however long it is. */
function redactUrl(word: string): string {
    const at = word.indexOf('://')
    if (at < 1) return word
    const host = at + 3
    const cut = word.slice(host).search(/[?#]/)
    const [whole, rest] = cut < 0 ? [word, ''] : [word.slice(0, host + cut), word.slice(host + cut)]
    const slash = whole.indexOf('/', host)
    const authority = whole.slice(host, slash < 0 ? undefined : slash)
    const path = slash < 0 ? '' : whole.slice(slash)
    const user = authority.lastIndexOf('@')
    const shown = authority.slice(0, user + 1).includes(':') ? `${HIDDEN}@${authority.slice(user + 1)}` : authority
    return `${whole.slice(0, host)}${shown}${path}${rest.length > 1 ? `${rest[0]}${HIDDEN}` : rest}`
}
