// Filters that stand in the address, so that a page as it is shown can be linked to and gone back to.
import { useNavigate, useRouterState } from '@tanstack/react-router'
import { useCallback, useEffect, useRef, useState } from 'react'

export type Filters<K extends string> = Record<K, string>

/** The named parts of the address after `?`, empty where they are not there; setting some leaves the others. */
export function useFilters<K extends string>(keys: readonly K[]): [Filters<K>, (part: Partial<Filters<K>>) => void] {
    const search = useRouterState({ select: s => s.location.search as Record<string, unknown> })
    const navigate = useNavigate()
    const values = {} as Filters<K>
    for (const key of keys) values[key] = search[key] === undefined ? '' : String(search[key])
    const set = useCallback(
        (part: Partial<Filters<K>>) =>
            void navigate({
                to: '.',
                replace: true,
                search: ((before: Record<string, unknown>) => {
                    const next: Record<string, unknown> = { ...before }
                    for (const [key, value] of Object.entries(part)) next[key] = value === '' ? undefined : value
                    return next
                }) as never,
            }),
        [navigate],
    )
    return [values, set]
}

const SETTLE_MS = 250

/** A text that is typed: shown at once, put into the address when the typing pauses, and taken from there when that changes. */
export function useTyped(there: string, put: (text: string) => void): [string, (text: string) => void] {
    const [text, setText] = useState(there)
    const sent = useRef(there)
    const send = useRef(put)
    send.current = put
    useEffect(() => {
        if (there === sent.current) return
        sent.current = there
        setText(there)
    }, [there])
    useEffect(() => {
        if (text === sent.current) return
        const timer = setTimeout(() => {
            sent.current = text
            send.current(text)
        }, SETTLE_MS)
        return () => clearTimeout(timer)
    }, [text])
    return [text, setText]
}
