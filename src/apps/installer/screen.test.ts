// Keys as terminals send them, pages as they are drawn, and how little is sent of what has changed.
import { describe, expect, it } from 'vitest'
import { blank, changes, hasColours, put, wrap } from './canvas.ts'
import { begin, enterables, press, type Ui, type View } from './form.ts'
import { type Key, keysIn } from './keys.ts'
import { draw } from './layout.ts'

describe('keys', () => {
    it.each([
        ['of xterm', '\u001b[A\u001bOP\u001b[Z', ['up', 'function', 'backTab']],
        ['of the Linux console', '\u001b[[B\u001b[1~\u001b[3~', ['function', 'home', 'delete']],
        ['of a vt220', '\u001b[12~\u001bOB\u007f', ['function', 'down', 'backspace']],
        ['with modifiers', '\u001b[1;5C', ['right']],
        ['that nobody needs', '\u001b[24~a', ['text']],
        ['typed and pasted', 'aé\r\t\u0003', ['text', 'text', 'enter', 'tab', 'interrupt']],
        ['escape before a letter', '\u001bx', ['escape', 'text']],
    ])('%s', (_, sent, kinds) => {
        expect(keysIn(sent).keys.map(({ kind }) => kind)).toEqual(kinds)
        expect(keysIn(sent).rest).toBe('')
    })

    it('waits for the rest of one that is not whole', () => {
        for (const half of ['\u001b', '\u001b[', '\u001b[1', '\u001b[[', '\u001bO'])
            expect(keysIn(`a${half}`)).toEqual({ keys: [{ kind: 'text', text: 'a' }], rest: half })
    })

    it('hears how large a terminal is', () => {
        expect(keysIn('\u001b[24;80R').keys).toEqual([{ kind: 'size', rows: 24, columns: 80 }])
    })
})

describe('what is sent', () => {
    const size = { columns: 10, rows: 3 }
    it('is only what has changed', () => {
        const [before, now] = [blank(size), blank(size)]
        put(before, { x: 0, y: 0 }, 'Password')
        put(now, { x: 0, y: 0 }, 'Passwort')
        expect(changes(before, now, true)).toBe('\u001b[1;8H\u001b[0mt\u001b[?25l')
        expect(changes(now, now, true)).toBe('\u001b[?25l')
    })

    it('never draws the last cell, behind which a terminal would scroll', () => {
        const now = blank(size)
        put(now, { x: 0, y: 2 }, 'x'.repeat(10))
        expect(changes(undefined, now, false)).toContain('\u001b[3;1H\u001b[0mxxxxxxxxx\u001b[')
    })

    it('lets nothing of a disk’s name steer the terminal', () => {
        const now = blank(size)
        put(now, { x: 0, y: 0 }, 'a\u001b[2Jb')
        expect(changes(undefined, now, false)).not.toContain('a\u001b[2Jb')
    })

    it('has colours where the terminal has them', () => {
        expect(['linux', 'xterm-256color', 'screen'].map(hasColours)).toEqual([true, true, true])
        expect(['vt100', 'vt220', 'dumb', undefined].map(hasColours)).toEqual([false, false, false, false])
    })
})

it('breaks lines between words, and words that are longer than a line', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three'])
    expect(wrap('/dev/disk/by-id/x', 6)).toEqual(['/dev/d', 'isk/by', '-id/x'])
    expect(wrap('a\n\nb', 5)).toEqual(['a', '', 'b'])
})

describe('a page', () => {
    const view: View = {
        ...{ title: 'Page', place: '1 of 2' },
        items: [
            { is: 'text', text: 'Words.' },
            { is: 'choice', mark: 'one', id: 'a', label: 'A', on: true },
            { is: 'choice', mark: 'one', id: 'b', label: 'B', on: false },
            { is: 'field', id: 'f', label: 'Name', value: 'ann' },
        ],
        buttons: [
            { id: 'back', label: 'Back' },
            { id: 'next', label: 'Next' },
        ],
    }
    const typedInto = (ui: Ui, ...keys: Key[]) =>
        keys.reduce<{ ui: Ui; events: object[] }>(
            (so, key) => {
                const { ui, event } = press(view, so.ui, key)
                return { ui, events: [...so.events, ...(event ? [event] : [])] }
            },
            { ui, events: [] },
        )
    const key = (kind: 'down' | 'enter' | 'tab' | 'backTab' | 'left' | 'backspace' | 'escape'): Key => ({ kind })
    const typed = (text: string): Key => ({ kind: 'text', text })

    it('begins at what is chosen; Enter means what is under it, and goes to Next', () => {
        expect(begin(view).focus).toBe(0)
        const { events } = typedInto(begin(view), key('down'), key('enter'), key('enter'))
        expect(events).toEqual([
            { kind: 'toggle', id: 'b' },
            { kind: 'press', id: 'next' },
        ])
    })

    it('edits a text where the cursor is', () => {
        const ui = typedInto(begin(view), key('down'), key('down')).ui
        expect(ui).toMatchObject({ focus: 2, cursor: 3 })
        expect(typedInto(ui, key('left'), typed('x')).events).toEqual([{ kind: 'edit', id: 'f', value: 'anxn' }])
        expect(typedInto(ui, key('backspace')).events).toEqual([{ kind: 'edit', id: 'f', value: 'an' }])
    })

    it('goes round by Tab, and back by Escape', () => {
        const tabs = enterables(view).length + view.buttons.length
        expect(typedInto(begin(view), ...Array.from({ length: tabs }, () => key('tab'))).ui.focus).toBe(0)
        expect(typedInto(begin(view), key('backTab')).ui.focus).toBe(tabs - 1)
        expect(typedInto(begin(view), key('escape')).events).toEqual([{ kind: 'press', id: 'back' }])
    })

    it.each([
        [80, 24],
        [80, 25],
        [40, 10],
        [10, 3],
        [200, 60],
    ])('fits a screen of %i by %i', (columns, rows) => {
        const many = {
            ...view,
            items: Array.from({ length: 40 }, (_, i) => ({ ...view.items[1]!, id: `c${i}`, label: `Disk ${i}` })),
        }
        const last = { ...begin(many as View), focus: 39 }
        const { canvas } = draw(many as View, last, { columns, rows })
        expect(canvas.cells.length).toBe(canvas.columns * canvas.rows)
        const text = canvas.cells.map(([char]) => char).join('')
        expect(text).toContain('Disk 39')
        expect(text).toContain('< Next >')
    })

    it('shows no password', () => {
        const secret: View = {
            ...view,
            items: [{ is: 'field', id: 'p', label: 'Password', value: 'sesame', secret: true }],
        }
        const text = draw(secret, begin(secret), { columns: 80, rows: 24 })
            .canvas.cells.map(([char]) => char)
            .join('')
        expect(text).toContain('******')
        expect(text).not.toContain('sesame')
    })
})
