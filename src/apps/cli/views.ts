// Views as text: aligned tables and records for people, JSON for programs; whatever comes from outside is made harmless.
import type { View, ViewFinding } from '../../capabilities/verb.ts'

export interface Look {
    json: boolean
    wide: boolean
    colour: boolean
    /** Columns of the terminal; 0 where it is none. */
    width: number
    dryRun: boolean
}

const paint = (look: Look, code: number, text: string) => (look.colour ? `\u001b[${code}m${text}\u001b[0m` : text)
const BOLD = 1
const DIM = 2
const RED = 31
const YELLOW = 33

/** Control characters (a name could hold terminal commands) become visible marks. */
export const harmless = (text: string): string =>
    text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd').replace(/\n/g, ' ⏎ ')

/** The text of a view, ending in a newline; empty for nothing. */
export function render(view: View, look: Look): string {
    if (view.kind === 'nothing') return ''
    if (look.json) return `${JSON.stringify(view.json, null, look.width ? 2 : 0)}\n`
    switch (view.kind) {
        case 'table':
            return table(view, look)
        case 'record':
            return record(view.fields, look)
        case 'text':
            return view.text.endsWith('\n') || view.text === '' ? view.text : `${view.text}\n`
        case 'plan':
            return plan(view, look)
    }
}

function table(view: Extract<View, { kind: 'table' }>, look: Look): string {
    if (view.rows.length === 0) return `${view.empty ?? 'Nothing here.'}\n`
    const columns = view.columns.filter(c => look.wide || !c.wide)
    const cells = view.rows.map(row => columns.map(c => harmless(String(row[c.key] ?? ''))))
    const widths = columns.map((c, i) => Math.max(displayWidth(c.label), ...cells.map(r => displayWidth(r[i]!))))
    const line = (texts: string[]) =>
        texts
            .map((text, i) => {
                const gap = ' '.repeat(widths[i]! - displayWidth(text))
                return columns[i]!.align === 'right' ? gap + text : text + gap
            })
            .join('  ')
            .trimEnd()
    return `${paint(look, BOLD, line(columns.map(c => c.label)))}\n${cells.map(line).join('\n')}\n`
}

function record(fields: { label: string; value: string }[], look: Look): string {
    const width = Math.max(...fields.map(f => displayWidth(f.label)))
    const indent = `\n${' '.repeat(width + 2)}`
    return fields
        .map(({ label, value }) => {
            const gap = ' '.repeat(width - displayWidth(label))
            return `${paint(look, DIM, label)}${gap}  ${value.split('\n').map(harmless).join(indent)}\n`
        })
        .join('')
}

function plan(view: Extract<View, { kind: 'plan' }>, look: Look): string {
    const lead = look.dryRun ? 'Would be done:' : ''
    const steps = view.sentences.map(({ text, destroys }) => {
        const mark = destroys ? paint(look, RED, '  ✗') : '  ·'
        return `${mark} ${harmless(text)}${destroys ? paint(look, RED, `  [destroys ${harmless(destroys)}]`) : ''}`
    })
    const lines = [
        ...(lead && steps.length ? [lead] : []),
        ...(look.dryRun ? steps : []),
        ...view.findings.map(f => finding(f, look)),
    ]
    if (look.dryRun && steps.length === 0) lines.unshift('Nothing to do.')
    return lines.length ? `${lines.join('\n')}\n` : ''
}

export function finding({ severity, summary, detail, fix, at }: ViewFinding, look: Look): string {
    const colour = severity === 'error' ? RED : YELLOW
    const where = at ? `${at}: ` : ''
    const said = `${paint(look, colour, `${severity}:`)} ${harmless(where + summary)}${detail ? ` (${harmless(detail)})` : ''}`
    return fix ? `${said}\n    ${harmless(fix)}` : said
}

/** Rows that a text takes on a terminal of that many columns, where long lines go on in the next row. */
export const rowsOf = (text: string, columns: number): number =>
    text
        .split('\n')
        .slice(0, -1)
        .map(line => Math.max(1, columns ? Math.ceil(displayWidth(line.replace(/\u001b\[\d+m/g, '')) / columns) : 1))
        .reduce((sum, rows) => sum + rows, 0)

/** Columns that a text takes: wide East Asian characters and emoji take two, combining marks none. */
export function displayWidth(text: string): number {
    let width = 0
    for (const char of text) {
        if (/\p{Mark}|\u200d|\ufe0f/u.test(char)) continue
        width +=
            /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/u.test(
                char,
            )
                ? 2
                : 1
    }
    return width
}
