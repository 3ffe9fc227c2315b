// A person as the copy of identity on disk has them: for a service that checks a password by itself.
import { keyOf, readDoc, type UserDoc } from './documents.ts'

/** Where the copy stands below the state folder of rpcd. */
export const COPY_FILE = 'identity/identity.json'

export interface Known {
    user: UserDoc
    /** Of the last one-time password that they logged in with; 0 for none. */
    step: number
}

/** The user of that name, or undefined; also where the text is none of ours. */
export function personIn(text: string, name: string): Known | undefined {
    try {
        const { entries } = JSON.parse(text) as { entries: { key: string; value: string }[] }
        const textOf = (kind: 'users' | 'logins') => entries.find(one => one.key === keyOf(kind, name))?.value
        const value = textOf('users')
        const user = value === undefined ? undefined : readDoc('users', value)
        if (!user) return undefined
        const last = textOf('logins')
        const login = last === undefined ? undefined : readDoc('logins', last)
        return { user, step: login?.uid === user.uid ? (login.step ?? 0) : 0 }
    } catch {
        return undefined
    }
}
