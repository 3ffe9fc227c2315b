// Shows pages and follows the keys: through the questions, forwards and back, and out of them again.
import { type Choices, defaultChoices, type Found } from '../../capabilities/install/choices.ts'
import { begin, press, type View } from './form.ts'
import { draw } from './layout.ts'
import { advanced, type Page, questions, viewOf } from './pages.ts'
import type { Terminal } from './terminal.ts'

/** How many pages there are before the plan, and with it. */
export const PAGES = questions.length + 1
const LAST = 'Nothing has been written to any disk.'

/** Shows a page until a button is pressed, or F2; answers its id. Ctrl-C asks whether to leave. */
export async function ask(
    terminal: Terminal,
    view: () => View,
    on: {
        change?(event: { kind: 'toggle'; id: string } | { kind: 'edit'; id: string; value: string }): void
        leave?: string
    } = {},
): Promise<string> {
    let ui = begin(view())
    for (;;) {
        const now = view()
        const drawn = draw(now, ui, terminal.size())
        ui = { ...ui, scroll: drawn.scroll }
        terminal.show(drawn.canvas)
        const key = await terminal.next()
        if (key.kind === 'tick' || key.kind === 'resized' || key.kind === 'size') continue
        if (key.kind === 'redraw') terminal.forget()
        else if (key.kind === 'interrupt') {
            if (on.leave !== undefined && (await sure(terminal, on.leave))) return 'leave'
        } else if (key.kind === 'function') {
            if (key.number === 2 && now.buttons.some(({ id }) => id === 'advanced')) return 'advanced'
        } else {
            const { ui: next, event } = press(now, ui, key)
            ui = next
            if (event?.kind === 'press') return event.id
            if (event) on.change?.(event)
        }
    }
}

/** Leaving has to be chosen. */
export async function sure(terminal: Terminal, words: string): Promise<boolean> {
    const view: View = {
        ...{ title: 'Leave?', place: '', items: [{ is: 'text', text: words }] },
        buttons: [
            { id: 'yes', label: 'Leave' },
            { id: 'no', label: 'Go on' },
        ],
        ...{ keys: 'Arrows: move   Enter: choose' },
    }
    return (await ask(terminal, () => view)) === 'yes'
}

/** Asks all, or goes on at the last page where choices are given. Undefined: the person left. */
export async function askAll(terminal: Terminal, found: Found, before?: Choices): Promise<Choices | undefined> {
    let choices = before ?? defaultChoices(found)
    let at = before ? questions.length - 1 : 0
    while (at < questions.length) {
        const answer = await askPage(terminal, questions[at]!, choices, found, `${at + 1} of ${PAGES}`)
        choices = answer.choices
        if (answer.button === 'leave') {
            if (await sure(terminal, `The installer is left. ${LAST}`)) return undefined
        } else if (answer.button === 'advanced') choices = await askAdvanced(terminal, choices, found)
        else at += answer.button === 'next' ? 1 : -1
    }
    return choices
}

/** Until what was answered can be used, or the person goes elsewhere. */
async function askPage(terminal: Terminal, page: Page, before: Choices, found: Found, place: string) {
    let choices = before
    let trouble: string | undefined
    for (;;) {
        const button = await ask(
            terminal,
            () => viewOf(page, choices, found, { place, ...(trouble ? { trouble } : {}) }),
            {
                leave: `The installer is left. ${LAST}`,
                change: event => {
                    choices = page.change(choices, event, found)
                    trouble = undefined
                },
            },
        )
        trouble = button === 'next' ? page.wrong?.(choices, found) : undefined
        if (!trouble) return { choices, button }
    }
}

/** Changed where it was kept. */
export async function askAdvanced(terminal: Terminal, before: Choices, found: Found): Promise<Choices> {
    const { choices, button } = await askPage(terminal, advanced, before, found, '')
    return button === 'next' ? choices : before
}
