// libvirt's XML as a tree that is changed in place: what is not touched comes out as it went in.
import { DOMParser, type Document, type Element, type Node, XMLSerializer } from '@xmldom/xmldom'
import { Fault } from '../../../base/fault.ts'

export type { Document, Element, Node }

/** The namespace of what DebVisor keeps in a domain's `<metadata>`. */
export const VM_NAMESPACE = 'https://debvisor.org/xmlns/vm/1'

// libvirt's own ceiling for a string on its wire.
const MAX_LENGTH = 4_194_304
const PROLOG_WITH_DOCTYPE = /^(?:\uFEFF|\s|<\?[^>]*\?>|<!--[\s\S]*?-->)*<!DOCTYPE/i
// What XML 1.0 has no way to write, not even escaped.
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/
const ELEMENT = 1
const TEXT = 3
const CDATA = 4
const XMLNS = 'http://www.w3.org/2000/xmlns/'

/**
 * The tree of a document. Entities and document types are refused, so that nothing outside the text is ever read.
 * @throws Fault `invalid` for what is not well-formed, has a document type, or is longer than 4 MiB.
 */
export function parseXml(text: string): Document {
    const refuse = (detail: string, cause?: unknown) =>
        new Fault('invalid', {
            summary: 'That is not an XML document that can be read',
            detail,
            fix: 'Give well-formed XML without a document type.',
            cause,
        })
    if (text.length > MAX_LENGTH) throw refuse(`it has ${text.length} characters`)
    if (PROLOG_WITH_DOCTYPE.test(text)) throw refuse('it has a document type')
    if (FORBIDDEN.test(text)) throw refuse('it has control characters')
    let document: Document
    try {
        document = new DOMParser({
            onError: (level, message) => {
                throw new Error(`${level}: ${message}`)
            },
        }).parseFromString(text, 'text/xml')
    } catch (trouble) {
        throw refuse(String((trouble as Error).message).slice(0, 200), trouble)
    }
    if (document.doctype) throw refuse('it has a document type')
    if (!document.documentElement) throw refuse('it has no element')
    return document
}

/** The document's root element, which must have this name. @throws Fault `invalid` */
export function parseRoot(text: string, name: string): Element {
    const root = parseXml(text).documentElement!
    if (root.nodeName === name) return root
    throw new Fault('invalid', {
        summary: 'That XML is about something else',
        detail: `<${root.nodeName}> where <${name}> belongs`,
    })
}

/** The text of a tree or of a part of it. */
export const serializeXml = (node: Node): string => new XMLSerializer().serializeToString(node)

const isElement = (node: Node | null): node is Element => node?.nodeType === ELEMENT

/** Child elements in order, those of one name where it is given (local name; the prefix does not matter). */
export function children(of: Element, name?: string): Element[] {
    const found: Element[] = []
    for (let at = of.firstChild; at; at = at.nextSibling)
        if (isElement(at) && (name === undefined || at.localName === name)) found.push(at)
    return found
}

/** All elements at a path of names such as `devices/disk`, in document order. */
export function findAll(from: Element, path: string): Element[] {
    let found = [from]
    for (const name of path.split('/')) found = found.flatMap(element => children(element, name))
    return found
}

/** The first element at a path such as `os/loader`. */
export const find = (from: Element, path: string): Element | undefined => findAll(from, path)[0]

/** An attribute's value; empty where it is not there. */
export const attribute = (of: Element | undefined, name: string): string => of?.getAttribute(name) ?? ''

/** The trimmed text of the first element at a path; empty where there is none. */
export const textAt = (from: Element, path: string): string => (find(from, path)?.textContent ?? '').trim()

/** Sets an attribute, or takes it away with undefined. An equal value touches nothing. */
export function setAttribute(of: Element, name: string, value: string | undefined): void {
    if (value === undefined) of.removeAttribute(name)
    else if (!of.hasAttribute(name) || of.getAttribute(name) !== value) of.setAttribute(name, value)
}

/** Makes `value` the whole text of an element; comments in it stay. An equal value touches nothing. */
export function setText(of: Element, value: string): void {
    const texts: Node[] = []
    for (let at = of.firstChild; at; at = at.nextSibling)
        if (at.nodeType === TEXT || at.nodeType === CDATA) texts.push(at)
    if (texts.map(node => node.nodeValue ?? '').join('') === value) return
    for (const node of texts) of.removeChild(node)
    of.appendChild(of.ownerDocument!.createTextNode(value))
}

export interface NewElement {
    name: string
    attributes?: Record<string, string | number | undefined>
    text?: string
    children?: (NewElement | undefined)[]
}

/** An element of a document from its description; undefined attributes and children are left out. */
export function build(document: Document, element: NewElement): Element {
    const made = document.createElement(element.name)
    for (const [name, value] of Object.entries(element.attributes ?? {}))
        if (value !== undefined) made.setAttribute(name, String(value))
    if (element.text !== undefined) made.appendChild(document.createTextNode(element.text))
    for (const child of element.children ?? []) if (child) made.appendChild(build(document, child))
    return made
}

/** The text of a fresh element: what libvirt's device calls take. */
export function renderXml(element: NewElement): string {
    const document = parseXml(`<${element.name}/>`)
    return serializeXml(build(document, element))
}

/** Puts an element after the last child of `parent`, or before a given one, with the indentation of its siblings. */
export function append(parent: Element, element: Element, before?: Element): void {
    const document = parent.ownerDocument!
    const outer = indentationOf(parent) ?? '\n'
    const sibling = children(parent)[0]
    const inner = (sibling && indentationOf(sibling)) ?? `${outer}  `
    if (before) {
        // Ahead of the white space that belongs to the line of `before`, which then stays as it is.
        const space = before.previousSibling
        const at = space?.nodeType === TEXT && (space.nodeValue ?? '').trim() === '' ? space : before
        parent.insertBefore(document.createTextNode(inner), at)
        parent.insertBefore(element, at)
        return
    }
    const last = parent.lastChild
    const lastIsSpace = last?.nodeType === TEXT && (last.nodeValue ?? '').trim() === ''
    if (lastIsSpace) parent.removeChild(last)
    parent.appendChild(document.createTextNode(inner))
    parent.appendChild(element)
    parent.appendChild(document.createTextNode(lastIsSpace ? (last.nodeValue ?? outer) : outer))
}

/** The white space from the last line break to an element, with the line break; undefined where it begins no line. */
function indentationOf(element: Element): string | undefined {
    const text = element.previousSibling
    if (text?.nodeType !== TEXT) return undefined
    return /\n[ \t]*$/.exec(text.nodeValue ?? '')?.[0]
}

/** Takes an element away, with the white space before it. */
export function remove(element: Element): void {
    const space = element.previousSibling
    if (space?.nodeType === TEXT && (space.nodeValue ?? '').trim() === '') space.parentNode!.removeChild(space)
    element.parentNode!.removeChild(element)
}

/** Puts another element where this one stands. */
export function replace(old: Element, by: Element): void {
    old.parentNode!.replaceChild(by, old)
}

/** The element at a path below `from`, each missing step of it made. */
export function ensure(from: Element, path: string): Element {
    let at = from
    for (const name of path.split('/')) {
        let next = children(at, name)[0]
        if (!next) {
            next = at.ownerDocument!.createElement(name)
            append(at, next)
        }
        at = next
    }
    return at
}

/** Sets the text at a path, making what is missing; undefined takes the element away. */
export function setTextAt(from: Element, path: string, value: string | undefined): void {
    if (value === undefined) for (const gone of findAll(from, path)) remove(gone)
    else setText(ensure(from, path), value)
}

/**
 * What a tree says, without how it is written: names with their namespaces, sorted attributes, trimmed text, and
 * children in order. Two documents that mean the same have the same; comments count, white space between does not.
 */
export function structureOf(node: Node): unknown {
    if (node.nodeType === TEXT || node.nodeType === CDATA) return (node.nodeValue ?? '').trim() || undefined
    if (!isElement(node)) return node.nodeValue === null ? undefined : [node.nodeName, node.nodeValue]
    const attributes = [...node.attributes]
        .filter(a => a.namespaceURI !== XMLNS)
        .map(a => [a.namespaceURI ?? '', a.localName ?? a.name, a.value])
        .sort((a, b) => (a.join() < b.join() ? -1 : 1))
    const inner: unknown[] = []
    for (let at = node.firstChild; at; at = at.nextSibling) {
        const said = structureOf(at)
        if (said !== undefined) inner.push(said)
    }
    return { name: node.localName, namespace: node.namespaceURI ?? '', attributes, inner }
}
