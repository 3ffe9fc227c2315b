// Light, dark, or as the system has it; remembered by this browser.
import { useSyncExternalStore } from 'react'

export type Theme = 'system' | 'light' | 'dark'
const KEY = 'debvisor.theme'
const listeners = new Set<() => void>()
const system = window.matchMedia('(prefers-color-scheme: dark)')

export function theme(): Theme {
    const kept = window.localStorage.getItem(KEY)
    return kept === 'light' || kept === 'dark' ? kept : 'system'
}

/** Puts the theme on the page; again whenever the system changes its mind. */
export function applyTheme(): void {
    const draw = (): void => {
        const dark = theme() === 'dark' || (theme() === 'system' && system.matches)
        document.documentElement.classList.toggle('pf-v6-theme-dark', dark)
    }
    draw()
    system.addEventListener('change', draw)
    listeners.add(draw)
}

export function setTheme(next: Theme): void {
    window.localStorage.setItem(KEY, next)
    for (const listener of [...listeners]) listener()
}

export const useTheme = (): Theme =>
    useSyncExternalStore(listener => {
        listeners.add(listener)
        return () => listeners.delete(listener)
    }, theme)
