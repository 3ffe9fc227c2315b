// A page of questions as data: what it looks like on a screen of a given size, and what a key does to it.
import type { Key } from './keys.ts'

export type Item =
    | { is: 'text'; text: string; style?: 'plain' | 'dim' | 'strong' | 'danger' | 'good' }
    /** `one` of several, or any of `many`. */
    | { is: 'choice'; id: string; label: string; note?: string; mark: 'one' | 'many'; on: boolean; danger?: boolean }
    | { is: 'field'; id: string; label: string; value: string; secret?: boolean; hint?: string }

export interface Button {
    id: string
    label: string
}

export interface View {
    title: string
    /** Such as `2 of 6`. */
    place: string
    items: Item[]
    buttons: Button[]
    /** What is wrong with what was answered. */
    trouble?: string
    /** What keys do, beyond the common ones. */
    keys?: string
    /** The button that Enter presses on a page without questions; the last one unless told. */
    first?: string
}

/** What a person does on a page, without what it means. */
export interface Ui {
    /** Index among the items that can be entered, then the buttons. */
    focus: number
    /** In the text of the field. */
    cursor: number
    scroll: number
}

export type Event =
    | { kind: 'toggle'; id: string }
    | { kind: 'edit'; id: string; value: string }
    | { kind: 'press'; id: string }

export type Enterable = Extract<Item, { id: string }>
export const enterables = ({ items }: View): Enterable[] => items.filter(item => item.is !== 'text')

/** Where a page begins: at its first question, else at the button that Enter should press. */
export function begin(view: View): Ui {
    const questions = enterables(view)
    const chosen = questions.findIndex(item => item.is === 'choice' && item.on)
    const at = view.buttons.findIndex(({ id }) => id === view.first)
    const focus = questions.length > 0 ? Math.max(0, chosen) : at >= 0 ? at : view.buttons.length - 1
    return place(view, { focus, cursor: 0, scroll: 0 }, focus)
}

/** Answers the page as it is afterwards, and what was done, if anything. */
export function press(view: View, ui: Ui, key: Key): { ui: Ui; event?: Event } {
    const questions = enterables(view)
    const item = questions[ui.focus]
    const count = questions.length + view.buttons.length
    const move = (focus: number) => ({ ui: place(view, ui, Math.max(0, Math.min(count - 1, focus))) })
    const onButton = ui.focus >= questions.length
    switch (key.kind) {
        case 'tab':
            return move((ui.focus + 1) % count)
        case 'backTab':
            return move((ui.focus + count - 1) % count)
        case 'down':
            // Without questions the text is what one moves through.
            if (questions.length === 0) return { ui: { ...ui, scroll: ui.scroll + 1 } }
            return onButton ? { ui } : move(ui.focus + 1)
        case 'up':
            if (questions.length === 0) return { ui: { ...ui, scroll: Math.max(0, ui.scroll - 1) } }
            return move(onButton ? questions.length - 1 : ui.focus - 1)
        case 'pageDown':
            return { ui: { ...ui, scroll: ui.scroll + 10 } }
        case 'pageUp':
            return { ui: { ...ui, scroll: Math.max(0, ui.scroll - 10) } }
        case 'escape':
            return view.buttons.some(({ id }) => id === 'back') ? { ui, event: { kind: 'press', id: 'back' } } : { ui }
        default:
    }
    if (onButton) return onButtons(view, ui, key)
    if (item?.is === 'field') return onField(view, ui, item, key)
    if (item && (key.kind === 'enter' || (key.kind === 'text' && key.text === ' '))) {
        // Of several, what is under the cursor is what Enter means; boxes are ticked by Space alone.
        if (item.mark === 'one' || key.kind === 'text') {
            const next = key.kind === 'enter' ? move(questions.length + view.buttons.length - 1).ui : ui
            return { ui: next, event: { kind: 'toggle', id: item.id } }
        }
        return move(count - 1)
    }
    return { ui }
}

function onButtons(view: View, ui: Ui, key: Key): { ui: Ui; event?: Event } {
    const first = enterables(view).length
    if (key.kind === 'left') return { ui: { ...ui, focus: Math.max(first, ui.focus - 1) } }
    if (key.kind === 'right') return { ui: { ...ui, focus: Math.min(first + view.buttons.length - 1, ui.focus + 1) } }
    const pressed = key.kind === 'enter' || (key.kind === 'text' && key.text === ' ')
    const button = view.buttons[ui.focus - first]
    return pressed && button ? { ui, event: { kind: 'press', id: button.id } } : { ui }
}

function onField(view: View, ui: Ui, item: Extract<Item, { is: 'field' }>, key: Key): { ui: Ui; event?: Event } {
    const chars = [...item.value]
    const at = Math.min(ui.cursor, chars.length)
    const edit = (before: string[], after: string[]): { ui: Ui; event: Event } => ({
        ui: { ...ui, cursor: before.length },
        event: { kind: 'edit', id: item.id, value: [...before, ...after].join('') },
    })
    switch (key.kind) {
        case 'text':
            return edit([...chars.slice(0, at), key.text], chars.slice(at))
        case 'backspace':
            return edit(chars.slice(0, Math.max(0, at - 1)), chars.slice(at))
        case 'delete':
            return edit(chars.slice(0, at), chars.slice(at + 1))
        case 'left':
            return { ui: { ...ui, cursor: Math.max(0, at - 1) } }
        case 'right':
            return { ui: { ...ui, cursor: Math.min(chars.length, at + 1) } }
        case 'home':
            return { ui: { ...ui, cursor: 0 } }
        case 'end':
            return { ui: { ...ui, cursor: chars.length } }
        case 'enter': {
            const questions = enterables(view).length
            const next = ui.focus + 1 < questions ? ui.focus + 1 : questions + view.buttons.length - 1
            return { ui: place(view, ui, next) }
        }
        default:
            return { ui }
    }
}

/** The focus at its new place, with the cursor behind what stands there. */
function place(view: View, ui: Ui, focus: number): Ui {
    const item = enterables(view)[focus]
    return { ...ui, focus, cursor: item?.is === 'field' ? [...item.value].length : 0 }
}
