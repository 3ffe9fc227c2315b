// A screen as cells: drawn whole in memory, and sent as what has changed, so that a serial port keeps up.

export type Style = 'plain' | 'bar' | 'focus' | 'dim' | 'strong' | 'danger' | 'good'

export interface Size {
    columns: number
    rows: number
}

export interface Canvas extends Size {
    /** A character and a style for each cell, row by row. */
    cells: [string, Style][]
    /** Where the cursor stands; hidden without. */
    cursor?: { x: number; y: number }
}

export const blank = ({ columns, rows }: Size): Canvas => ({
    ...{ columns, rows },
    cells: Array.from({ length: columns * rows }, () => [' ', 'plain']),
})

/** What does not fit in the row is cut off; below ASCII only a space is shown for what would move the cursor. */
export function put(canvas: Canvas, at: { x: number; y: number }, text: string, style: Style = 'plain'): void {
    if (at.y < 0 || at.y >= canvas.rows) return
    let x = at.x
    for (const char of text) {
        if (x >= canvas.columns) return
        if (x >= 0) canvas.cells[at.y * canvas.columns + x] = [char < ' ' || char === '\u007f' ? ' ' : char, style]
        x++
    }
}

export const fillRow = (canvas: Canvas, y: number, style: Style): void =>
    put(canvas, { x: 0, y }, ' '.repeat(canvas.columns), style)

/** Select Graphic Rendition; a terminal without colours gets bold and reverse alone. */
const COLOURED: Record<Style, string> = {
    ...{ plain: '0', bar: '0;1;37;44', focus: '0;30;46', dim: '0;36', strong: '0;1', danger: '0;1;31', good: '0;32' },
}
const PLAIN: Record<Style, string> = {
    ...{ plain: '0', bar: '0;7', focus: '0;7', dim: '0', strong: '0;1', danger: '0;1', good: '0' },
}

/** Terminals of the kind vt100 and vt220 have no colours; everything that is common today has. */
export const hasColours = (term: string | undefined): boolean => !/^(vt\d|dumb|unknown|$)/.test(term ?? '')

/** What to send so that a terminal that shows `before` shows `now`; undefined: it shows anything. */
export function changes(before: Canvas | undefined, now: Canvas, colours: boolean): string {
    const codes = colours ? COLOURED : PLAIN
    const whole = !before || before.columns !== now.columns || before.rows !== now.rows
    let out = whole ? '\u001b[0m\u001b[2J' : ''
    let style: Style | undefined
    let at = -1
    // A terminal may begin a new line by itself behind the last cell of the screen, and then all moves up.
    const last = now.cells.length - 1
    now.cells.forEach((cell, i) => {
        const old = whole ? ([' ', 'plain'] as const) : before.cells[i]!
        if ((cell[0] === old[0] && cell[1] === old[1]) || i === last) return
        if (i !== at || i % now.columns === 0)
            out += `\u001b[${Math.floor(i / now.columns) + 1};${(i % now.columns) + 1}H`
        if (cell[1] !== style) out += `\u001b[${codes[cell[1]]}m`
        style = cell[1]
        out += cell[0]
        at = i + 1
    })
    if (style !== undefined && style !== 'plain') out += '\u001b[0m'
    const { cursor } = now
    return out + (cursor ? `\u001b[${cursor.y + 1};${cursor.x + 1}H\u001b[?25h` : '\u001b[?25l')
}

/** Broken between words, so that no line is longer; a word that is longer itself is cut. */
export function wrap(text: string, width: number): string[] {
    const lines: string[] = []
    for (const paragraph of text.split('\n')) {
        let line = ''
        for (const word of paragraph.split(' ')) {
            let rest = word
            if (line && line.length + 1 + rest.length > width) {
                lines.push(line)
                line = ''
            }
            while (rest.length > width) {
                lines.push(rest.slice(0, width))
                rest = rest.slice(width)
            }
            line = line ? `${line} ${rest}` : rest
        }
        lines.push(line)
    }
    return lines
}
