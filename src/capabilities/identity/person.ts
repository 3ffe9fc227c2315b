// A person as the copy of identity on disk has them: for a service that checks a password by itself.
import { keyOf, readDoc, type UserDoc } from './documents.ts'

/** Where the copy stands below the state folder of rpcd. */
export const COPY_FILE = 'identity/identity.json'

/** The user of that name, or undefined; also where the text is none of ours. */
export function personIn(text: string, name: string): UserDoc | undefined {
    try {
        const { entries } = JSON.parse(text) as { entries: { key: string; value: string }[] }
        const found = entries.find(entry => entry.key === keyOf('users', name))
        return found && readDoc('users', found.value)
    } catch {
        return undefined
    }
}
