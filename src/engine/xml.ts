// XML as libvirt writes it: parsed strictly, read by paths of element names, written back with nothing lost.
import { DOMParser, type Document, type Element, XMLSerializer } from '@xmldom/xmldom'
import { Fault } from '../base/fault.ts'

export type { Document, Element } from '@xmldom/xmldom'

/** @throws Fault `internal` when it is no well-formed XML; `what` says whose it was. */
export function parseXml(text: string, what: string): Element {
    try {
        const root = new DOMParser({
            onError: (level, message) => {
                if (level !== 'warning') throw new Error(message)
            },
        }).parseFromString(text, 'text/xml').documentElement
        if (root) return root
        throw new Error('there is no element in it')
    } catch (thrown) {
        throw new Fault('internal', {
            summary: 'XML cannot be read',
            detail: `${what}: ${thrown instanceof Error ? thrown.message : thrown}`,
            fix: 'Report it, with the XML.',
            cause: thrown,
        })
    }
}

/** The whole document that the element is in, as text. */
export const writeXml = (element: Element): string =>
    new XMLSerializer().serializeToString(element.ownerDocument as Document)

/** All elements at a path of names below the element, such as `ip/dhcp/range`. */
export function all(element: Element, path: string): Element[] {
    return path
        .split('/')
        .reduce<Element[]>(
            (found, name) =>
                found.flatMap(
                    one => [...one.childNodes].filter(node => node.nodeName === name) as unknown as Element[],
                ),
            [element],
        )
}

/** The first element at a path. */
export const first = (element: Element, path: string): Element | undefined => all(element, path)[0]

/** The text of the first element at a path, without surrounding space; '' where there is none. */
export const textAt = (element: Element, path: string): string => first(element, path)?.textContent?.trim() ?? ''

/** An attribute of the first element at a path (the element itself for ''); '' where there is none. */
export const attr = (element: Element, path: string, name: string): string =>
    (path === '' ? element : first(element, path))?.getAttribute(name) ?? ''

/** Text made safe to stand in XML, in an element or an attribute. */
export const escapeXml = (text: string): string =>
    text.replace(/[<>&'"]/g, char => ({ '<': '&lt;', '>': '&gt;', '&': '&amp;', "'": '&apos;', '"': '&quot;' })[char]!)
