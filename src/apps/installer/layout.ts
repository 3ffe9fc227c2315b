// Draws a page: a bar with its title above, the questions, the buttons, and below what the keys do.
import { blank, type Canvas, fillRow, put, type Size, type Style, wrap } from './canvas.ts'
import { enterables, type Item, type Ui, type View } from './form.ts'

const MARGIN = 2
const TOP = 2
const LABEL = 22
/** Smaller than that nothing can be read; what does not fit is cut off. */
const LEAST: Size = { columns: 40, rows: 10 }
/** Lines are read badly when they are longer. */
const WIDEST = 96

interface Line {
    parts: [string, Style][]
    /** The item that it belongs to. */
    item?: Item
    /** Where the cursor stands in it. */
    cursor?: number
}

export interface Drawn {
    canvas: Canvas
    /** As it came out: never further than the text goes. */
    scroll: number
}

export function draw(view: View, ui: Ui, size: Size): Drawn {
    const canvas = blank({ columns: Math.max(size.columns, LEAST.columns), rows: Math.max(size.rows, LEAST.rows) })
    const { rows } = canvas
    const width = Math.min(canvas.columns - 2 * MARGIN, WIDEST)
    bars(canvas, view)
    const focused = enterables(view)[ui.focus]
    const lines = view.items.flatMap(item => linesOf(item, { width, focused: item === focused, cursor: ui.cursor }))
    const trouble = view.trouble ? wrap(view.trouble, width) : []
    const bottom = rows - 4 - (trouble.length > 0 ? trouble.length + 1 : 0)
    const room = Math.max(1, bottom - TOP)
    const scroll = scrollTo(lines, focused, { scroll: ui.scroll, room })
    lines.slice(scroll, scroll + room).forEach((line, i) => {
        let x = MARGIN
        for (const [text, style] of line.parts) {
            put(canvas, { x, y: TOP + i }, text, style)
            x += text.length
        }
        if (line.cursor !== undefined) canvas.cursor = { x: MARGIN + line.cursor, y: TOP + i }
    })
    if (scroll > 0) put(canvas, { x: canvas.columns - 8, y: TOP - 1 }, '^ more', 'dim')
    if (scroll + room < lines.length) put(canvas, { x: canvas.columns - 8, y: bottom }, 'v more', 'dim')
    for (const [i, text] of trouble.entries())
        put(canvas, { x: MARGIN, y: rows - 4 - trouble.length + i }, text, 'danger')
    buttons(canvas, view, ui)
    return { canvas, scroll }
}

function bars(canvas: Canvas, { title, place, keys }: View) {
    fillRow(canvas, 0, 'bar')
    put(canvas, { x: MARGIN, y: 0 }, `DebVisor: ${title}`, 'bar')
    put(canvas, { x: canvas.columns - place.length - MARGIN, y: 0 }, place, 'bar')
    const common = keys ?? 'Tab, arrows: move   Space: choose   Enter: go on   Esc: back   F2: advanced'
    put(canvas, { x: MARGIN, y: canvas.rows - 1 }, common, 'dim')
}

function buttons(canvas: Canvas, view: View, ui: Ui) {
    const first = enterables(view).length
    let x = MARGIN
    view.buttons.forEach(({ label }, i) => {
        const text = `< ${label} >`
        put(canvas, { x, y: canvas.rows - 3 }, text, first + i === ui.focus ? 'focus' : 'plain')
        x += text.length + 2
    })
}

function linesOf(item: Item, how: { width: number; focused: boolean; cursor: number }): Line[] {
    const { width, focused } = how
    if (item.is === 'text') {
        // What belongs to a point of a list stands below its words.
        const hang = item.text.startsWith('- ') ? '  ' : ''
        const [first = '', ...rest] = wrap(item.text, width - hang.length)
        return [first, ...rest.map(text => hang + text)].map(text => ({ parts: [[text, item.style ?? 'plain']], item }))
    }
    if (item.is === 'field') return fieldLines(item, how)
    const [open, close] = item.mark === 'one' ? '()' : '[]'
    const mark = `${open}${item.on ? (item.mark === 'one' ? '*' : 'x') : ' '}${close} `
    const style: Style = focused ? 'focus' : item.danger && item.on ? 'danger' : 'plain'
    const label = wrap(item.label, width - mark.length).map(
        (text, i): Line => ({ parts: [[(i === 0 ? mark : ' '.repeat(mark.length)) + text, style]], item }),
    )
    const note = item.note ? wrap(item.note, width - mark.length) : []
    return [...label, ...note.map((text): Line => ({ parts: [[' '.repeat(mark.length) + text, 'dim']], item }))]
}

function fieldLines(
    item: Extract<Item, { is: 'field' }>,
    { width, focused, cursor }: { width: number; focused: boolean; cursor: number },
): Line[] {
    const room = Math.max(10, Math.min(48, width - LABEL))
    const text = item.secret ? '*'.repeat([...item.value].length) : item.value
    const chars = [...text]
    const at = Math.min(cursor, chars.length)
    // A long text moves so that the cursor stays in sight.
    const from = focused ? Math.max(0, at - room + 1) : 0
    const shown = chars.slice(from, from + room).join('')
    const line: Line = {
        parts: [
            [`${item.label}:`.padEnd(LABEL), 'plain'],
            [shown.padEnd(room, focused ? ' ' : '_'), focused ? 'focus' : 'dim'],
        ],
        item,
        ...(focused ? { cursor: LABEL + at - from } : {}),
    }
    const hint = item.hint ? wrap(item.hint, width - LABEL) : []
    return [line, ...hint.map((words): Line => ({ parts: [[' '.repeat(LABEL) + words, 'dim']], item }))]
}

/** So far that what has the focus can be seen, whole where it fits. */
function scrollTo(
    lines: readonly Line[],
    focused: Item | undefined,
    { scroll, room }: { scroll: number; room: number },
) {
    const most = Math.max(0, lines.length - room)
    const first = lines.findIndex(line => line.item === focused && focused !== undefined)
    if (first < 0) return Math.min(scroll, most)
    const last = lines.findLastIndex(line => line.item === focused)
    // The words above the first question belong to it.
    if (!lines.slice(0, first).some(line => line.item?.is !== 'text') && last < room) return 0
    if (first < scroll) return first
    return Math.min(most, Math.max(scroll, last - room + 1))
}
