// What a user may be called.
import { Fault } from '../../base/fault.ts'

/** Names that the audit log uses for others than users. */
const RESERVED = new Set(['root', 'outside', 'nobody', 'system', 'debvisor', 'local'])

/** The same name, when it is fit for a user: lower case, as `Anna` and `anna` must not be two. @throws Fault `invalid` */
export function checkUserName(name: string, at = 'user'): string {
    if (/^[a-z][a-z0-9._-]{0,31}$/.test(name) && !RESERVED.has(name)) return name
    throw new Fault('invalid', {
        summary: 'That user name cannot be used',
        detail: RESERVED.has(name) ? `${name} is reserved` : JSON.stringify(name.slice(0, 64)),
        fix: 'Use 1 to 32 lower-case letters, digits, dots, dashes or underscores, beginning with a letter.',
        at,
    })
}
