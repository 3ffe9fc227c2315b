// Doing something: every action answers at once, says what went wrong in the server's words, and follows its task.

import type { ReactNode } from 'react'
import { useSyncExternalStore } from 'react'
import type { Finding } from '../gen/proto/capabilities/debvisor_pb.js'
import { type Trouble, troubleOf } from './client.panel.tsx'

export interface Notice {
    id: number
    kind: 'success' | 'info' | 'warning' | 'danger'
    title: string
    detail: string
    fix: string
}

function store<T>(initial: T) {
    let value = initial
    const listeners = new Set<() => void>()
    return {
        get: (): T => value,
        set(next: T): void {
            value = next
            for (const listener of [...listeners]) listener()
        },
        subscribe(listener: () => void): () => void {
            listeners.add(listener)
            return () => listeners.delete(listener)
        },
    }
}

const notices = store<readonly Notice[]>([])
const dialogs = store<readonly { id: number; element: ReactNode }[]>([])
let nextId = 1

export const useNotices = (): readonly Notice[] => useSyncExternalStore(notices.subscribe, notices.get)
export const useDialogs = () => useSyncExternalStore(dialogs.subscribe, dialogs.get)

export function notify(kind: Notice['kind'], title: string, more: { detail?: string; fix?: string } = {}): void {
    const notice = { id: nextId++, kind, title, detail: more.detail ?? '', fix: more.fix ?? '' }
    notices.set([...notices.get().filter(n => n.title !== title || n.detail !== notice.detail), notice].slice(-4))
}

export const dismiss = (id: number): void => notices.set(notices.get().filter(n => n.id !== id))

export const notifyTrouble = (trouble: Trouble): void =>
    notify('danger', trouble.summary, { detail: trouble.detail, fix: trouble.fix })

/** Shows a dialog over the page; it gets a function that closes it. */
export function openDialog(draw: (close: () => void) => ReactNode): void {
    const id = nextId++
    const close = (): void => dialogs.set(dialogs.get().filter(d => d.id !== id))
    dialogs.set([...dialogs.get(), { id, element: draw(close) }])
}

/** Ids of the tasks begun in this window: their failures are shown as notices. */
export const begunHere = new Set<string>()

/** Takes note of an answer: its task is followed, its findings are shown. */
export function begun(answer: { task?: string; findings?: Finding[] } | undefined): void {
    if (answer?.task) begunHere.add(answer.task)
    for (const finding of answer?.findings ?? []) {
        notify(
            finding.severity === 'error' ? 'danger' : finding.severity === 'warning' ? 'warning' : 'info',
            finding.summary,
            {
                detail: finding.detail,
                fix: finding.fix,
            },
        )
    }
}

/** Runs a call that changes something; trouble becomes a notice. True when it was accepted. */
export async function act(run: () => Promise<unknown>, done?: string): Promise<boolean> {
    try {
        begun((await run()) as { task?: string })
        if (done) notify('success', done)
        return true
    } catch (thrown) {
        notifyTrouble(troubleOf(thrown))
        return false
    }
}
