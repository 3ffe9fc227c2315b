// Changes the list of disks in the text of a document, and nothing else of it: comments and order stay as people wrote them.
import { isScalar, isSeq, parseDocument, type YAMLSeq } from 'yaml'

const listIn = (text: string, path: readonly string[]): YAMLSeq | undefined => {
    const node = parseDocument(text).getIn(path, true)
    return isSeq(node) ? node : undefined
}

interface Item {
    disk: string
    from: number
    to: number
}

const itemsOf = (list: YAMLSeq): Item[] =>
    list.items.flatMap(item =>
        isScalar(item) && item.range ? [{ disk: String(item.value), from: item.range[0], to: item.range[1] }] : [],
    )

/** Undefined where the document has no list there (`extra`, or nothing said). */
export const disksIn = (text: string, path: readonly string[]): string[] | undefined => {
    const list = listIn(text, path)
    return list && itemsOf(list).map(({ disk }) => disk)
}

/** The text with one disk in the place of another; the same text where the list does not name it. */
export function withReplaced(text: string, path: readonly string[], change: { old: string; new: string }): string {
    const list = listIn(text, path)
    const item = list && itemsOf(list).find(({ disk }) => disk === change.old)
    return item ? `${text.slice(0, item.from)}${change.new}${text.slice(item.to)}` : text
}

/** The text with more disks at the end of the list; the same text where there is no list, or one without disks. */
export function withAdded(text: string, path: readonly string[], disks: readonly string[]): string {
    const list = listIn(text, path)
    const items = list ? itemsOf(list) : []
    const last = items.at(-1)
    const more = disks.filter(disk => !items.some(item => item.disk === disk))
    if (!list || !last || more.length === 0) return text
    if (list.flow) return `${text.slice(0, last.to)}${more.map(disk => `, ${disk}`).join('')}${text.slice(last.to)}`
    const begin = text.lastIndexOf('\n', last.from) + 1
    const lead = text.slice(begin, last.from)
    const lineEnd = text.indexOf('\n', last.to)
    const at = lineEnd < 0 ? text.length : lineEnd
    return `${text.slice(0, at)}${more.map(disk => `\n${lead}${disk}`).join('')}${text.slice(at)}`
}
