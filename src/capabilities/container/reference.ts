// Names of images as people write them: checked, taken apart, and with the registry that they come from.
import { Fault } from '../../base/fault.ts'

export interface Reference {
    /** docker.io where none is named. */
    registry: string
    /** As the Engine wants it beside the tag: with the registry where one was named. */
    name: string
    /** Tag or digest; `latest` where neither is given. */
    tag: string
    /** Whole, as it is kept. */
    text: string
}

const HOST = /^(localhost|[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)+|\[[0-9a-fA-F:]+\]|[a-zA-Z0-9-]+(?=:\d+$))(:\d{1,5})?$/
const PART = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$/
const TAG = /^\w[\w.-]{0,127}$/
const DIGEST = /^sha256:[0-9a-f]{64}$/

/** @throws Fault `invalid` */
export function referenceOf(text: string, at = 'reference'): Reference {
    const wrong = () =>
        new Fault('invalid', {
            summary: 'That is not the name of an image',
            detail: JSON.stringify(text.slice(0, 200)),
            at,
            fix: 'Write it such as nginx:1.27 or registry.example.org:5000/team/app:2.',
        })
    const [beforeDigest = '', digest] = text.split('@')
    if (digest !== undefined && !DIGEST.test(digest)) throw wrong()
    const colon = beforeDigest.lastIndexOf(':')
    const hasTag = colon > beforeDigest.lastIndexOf('/')
    const name = hasTag ? beforeDigest.slice(0, colon) : beforeDigest
    const tag = hasTag ? beforeDigest.slice(colon + 1) : undefined
    if (tag !== undefined && !TAG.test(tag)) throw wrong()
    const parts = name.split('/')
    const registry = parts.length > 1 && HOST.test(parts[0]!) ? parts.shift()! : 'docker.io'
    if (parts.length === 0 || name.length > 255 || !parts.every(part => PART.test(part))) throw wrong()
    const chosen = digest ?? tag ?? 'latest'
    return { registry, name, tag: chosen, text: digest ? `${name}@${digest}` : `${name}:${chosen}` }
}
