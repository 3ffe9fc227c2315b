// Names that people give and ids that machines make: what is allowed, and why the rest is refused.
import { Fault } from './fault.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

export const isUuid = (text: string): boolean => UUID.test(text)

/**
 * The same text, when it is fit to name a VM, volume, pool, network, user or snapshot: 1 to 63 of letters, digits,
 * '.', '_' and '-', beginning with a letter or digit. Names become file names, host names and XML; so nothing else.
 * @throws Fault `invalid`
 */
export function checkName(text: string, at = 'name'): string {
    if (NAME.test(text) && !isUuid(text)) return text
    const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
    throw new Fault('invalid', {
        summary: 'That name cannot be used',
        detail: isUuid(text) ? `${shown} looks like a UUID` : text === '' ? 'it is empty' : shown,
        fix: 'Use 1 to 63 letters, digits, dots, dashes or underscores, beginning with a letter or digit.',
        at,
    })
}

/**
 * The same text, when it is fit for a description or note: any Unicode but control characters (newline and tab may
 * stand), at most `maxLength` characters.
 */
export function checkText(text: string, at: string, maxLength = 8192): string {
    if (text.length <= maxLength && !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffe\uffff]/.test(text))
        return text
    throw new Fault('invalid', {
        summary: 'That text cannot be stored',
        detail: text.length > maxLength ? `it has ${text.length} characters` : 'it has control characters',
        fix: `Use at most ${maxLength} characters, without control characters.`,
        at,
    })
}
