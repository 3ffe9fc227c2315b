// What this browser remembers for a person: columns, views, what is open in the tree.
import { useCallback, useSyncExternalStore } from 'react'

const listeners = new Set<() => void>()
const values = new Map<string, unknown>()

function read<T>(key: string, fits: (value: unknown) => value is T, otherwise: T): T {
    if (values.has(key)) return values.get(key) as T
    let kept: unknown
    try {
        kept = JSON.parse(window.localStorage.getItem(`debvisor.${key}`) ?? 'null')
    } catch {
        kept = undefined
    }
    const value = fits(kept) ? kept : otherwise
    values.set(key, value)
    return value
}

/** A value under a name; what an older version kept in another shape is passed over. */
export function useKept<T>(key: string, fits: (value: unknown) => value is T, otherwise: T): [T, (value: T) => void] {
    const value = useSyncExternalStore(
        listener => {
            listeners.add(listener)
            return () => listeners.delete(listener)
        },
        () => read(key, fits, otherwise),
    )
    const set = useCallback(
        (next: T) => {
            values.set(key, next)
            try {
                window.localStorage.setItem(`debvisor.${key}`, JSON.stringify(next))
            } catch {
                // Full, or forbidden: then it lasts as long as the page.
            }
            for (const listener of [...listeners]) listener()
        },
        [key],
    )
    return [value, set]
}

export const isTexts = (value: unknown): value is string[] =>
    Array.isArray(value) && value.every(one => typeof one === 'string')
export const isText = (value: unknown): value is string => typeof value === 'string'
export const isFlag = (value: unknown): value is boolean => typeof value === 'boolean'
