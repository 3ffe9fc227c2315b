// The text of a fresh XML document from its description, indented the way libvirt writes it.
import type { NewElement } from './document.ts'

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&apos;', '"': '&quot;' }
const escaped = (text: string) => text.replace(/[&<>'"]/g, char => ESCAPES[char]!)
// White space in attributes would be made into blanks by a parser.
const attribute = (text: string) => escaped(text).replace(/[\t\n\r]/g, char => `&#${char.charCodeAt(0)};`)

/** The document's text. Undefined attributes and children are left out; whatever stands in texts is escaped. */
export function xmlText(element: NewElement, indent = ''): string {
    const attributes = Object.entries(element.attributes ?? {})
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => ` ${name}='${attribute(String(value))}'`)
        .join('')
    const open = `${indent}<${element.name}${attributes}`
    const inner = (element.children ?? []).filter(child => child !== undefined)
    if (inner.length > 0) {
        const lines = inner.map(child => xmlText(child, `${indent}  `)).join('')
        return `${open}>\n${lines}${indent}</${element.name}>\n`
    }
    if (element.text === undefined || element.text === '') return `${open}/>\n`
    // A bare CR would come back as a line feed.
    return `${open}>${escaped(element.text).replaceAll('\r', '&#13;')}</${element.name}>\n`
}
