// Tags that carry rights: who sets one on a thing gives rights on it, so it is for administrators alone.
import { Fault } from '../base/fault.ts'
import type { Caller } from './caller.ts'

/** @throws Fault `denied` for tags on which grants rest, unless the caller is an administrator */
export function needTags(caller: Caller, tags: readonly string[], granting: ReadonlySet<string>): void {
    if (caller.may('identity.manage')) return
    const refused = tags.filter(tag => granting.has(tag))
    if (refused.length === 0) return
    throw new Fault('denied', {
        summary: 'Grants rest on that tag: only an administrator may set it',
        detail: refused.join(', '),
        at: 'tags',
        fix: 'Leave the tag out, or ask an administrator.',
    })
}
