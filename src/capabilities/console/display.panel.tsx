// The display of a machine: the only file that knows noVNC.
import RFB from '@novnc/novnc'
import { useEffect, useRef } from 'react'
import { untilSilence } from '../pulse.panel.tsx'
import { fill } from '../words.panel.tsx'
import type { ScreenProps } from './console.panel.tsx'
import { words } from './words.panel.tsx'

/** The X keysym of a character: Latin-1 is itself, the rest is Unicode by rule, newline is Return. */
export function keysymOf(character: string): number {
    const code = character.codePointAt(0) ?? 0
    if (character === '\n') return 0xff0d
    if (character === '\t') return 0xff09
    return code < 0x100 ? code : 0x01000000 + code
}

/** X keysyms of keys that are no character. (X11/keysymdef.h) */
const keysyms: Record<string, number> = {
    Ctrl: 0xffe3,
    Alt: 0xffe9,
    Super: 0xffeb,
    Tab: 0xff09,
    Backspace: 0xff08,
    Print: 0xff61,
    ...Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`F${n + 1}`, 0xffbe + n])),
}

export default function Display(props: ScreenProps) {
    const box = useRef<HTMLDivElement>(null)
    const { url, protocols, onLink, onHandle } = props
    // biome-ignore lint/correctness/useExhaustiveDependencies: a ticket opens one connection; a new one has a new key
    useEffect(() => {
        if (!box.current) return
        const rfb = new RFB(box.current, url, { wsProtocols: protocols })
        rfb.scaleViewport = true
        rfb.background = 'transparent'
        // Both still come after this screen is gone, when the next one may be connected already.
        let gone = false
        rfb.addEventListener('connect', () => {
            if (gone) return
            onLink('connected')
            rfb.focus()
            onHandle({
                focus: () => rfb.focus(),
                ctrlAltDel: () => rfb.sendCtrlAltDel(),
                press(keys) {
                    const symbols = keys.map(key => keysyms[key] ?? keysymOf(key))
                    for (const symbol of symbols) rfb.sendKey(symbol, null, true)
                    for (const symbol of [...symbols].reverse()) rfb.sendKey(symbol, null, false)
                },
                scale(fit) {
                    rfb.scaleViewport = fit
                    // Dot by dot, what does not fit is reached by dragging.
                    rfb.clipViewport = !fit
                    rfb.dragViewport = !fit
                },
                paste(text) {
                    for (const character of text.replace(/\r\n?/g, '\n')) rfb.sendKey(keysymOf(character), null)
                },
            })
        })
        let left = false
        const leave = (): void => {
            if (!left) rfb.disconnect()
            left = true
        }
        const ended = (): void => {
            if (gone) return
            gone = true
            stopListening()
            onLink('ended')
            onHandle(undefined)
        }
        rfb.addEventListener('disconnect', ended)
        // Its WebSocket would wait a while before it says so itself.
        const stopListening = untilSilence(() => {
            ended()
            leave()
        })
        return () => {
            gone = true
            stopListening()
            onHandle(undefined)
            leave()
        }
    }, [])
    return (
        <div ref={box} className="dv-screen" role="application" aria-label={fill(words.screen, { name: props.name })} />
    )
}
