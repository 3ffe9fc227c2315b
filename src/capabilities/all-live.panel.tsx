// Several live lists looked at together: drawn again at most so often, however many changes come.
import { useEffect, useMemo, useState } from 'react'
import type { Live, Snapshot } from './live.panel.tsx'

/** Follows the lists while it is used; the number is another one whenever something came, at most once in `everyMs`. */
export function useAllLive(lists: readonly Live<unknown>[], everyMs: number): number {
    const [turn, setTurn] = useState(0)
    useEffect(() => {
        let timer: ReturnType<typeof setTimeout> | undefined
        let last = 0
        const changed = (): void => {
            if (timer !== undefined) return
            const waitMs = Math.max(0, last + everyMs - Date.now())
            timer = setTimeout(() => {
                timer = undefined
                last = Date.now()
                setTurn(n => n + 1)
            }, waitMs)
        }
        const stops = lists.map(list => list.subscribe(changed))
        changed()
        return () => {
            clearTimeout(timer)
            for (const stop of stops) stop()
        }
    }, [lists, everyMs])
    return turn
}

/** What a list holds, looked at at most once in `everyMs`. */
export function useSampled<T>(list: Live<T>, everyMs = 1_000): Snapshot<T> {
    const lists = useMemo(() => [list], [list])
    useAllLive(lists, everyMs)
    return list.get()
}
