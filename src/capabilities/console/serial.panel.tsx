// The serial port of a machine: the only file that knows xterm.js.
import { FitAddon } from '@xterm/addon-fit'
import { Terminal } from '@xterm/xterm'
import '@xterm/xterm/css/xterm.css'
import { useEffect, useRef } from 'react'
import { fill } from '../words.panel.tsx'
import type { ScreenProps } from './console.panel.tsx'
import { withStrictStyles } from './strict.panel.tsx'
import { words } from './words.panel.tsx'

/** The code that the daemon closes with when somebody else has the port. */
const IN_USE = 4409

export default function Serial(props: ScreenProps) {
    const box = useRef<HTMLDivElement>(null)
    const { url, protocols, onLink, onHandle } = props
    // biome-ignore lint/correctness/useExhaustiveDependencies: a ticket opens one connection; a new one has a new key
    useEffect(() => {
        const element = box.current
        if (!element) return
        const terminal = new Terminal({
            cursorBlink: true,
            fontFamily: '"Red Hat Mono", "DejaVu Sans Mono", monospace',
            fontSize: 14,
            screenReaderMode: true,
            theme: { background: '#151515', foreground: '#f2f2f2' },
        })
        const fit = new FitAddon()
        terminal.loadAddon(fit)
        const dropStyles = withStrictStyles(() => terminal.open(element))
        fit.fit()
        const sizes = new ResizeObserver(() => fit.fit())
        sizes.observe(element)

        const socket = new WebSocket(url, protocols)
        socket.binaryType = 'arraybuffer'
        const encoder = new TextEncoder()
        const send = (text: string): void => {
            if (socket.readyState === WebSocket.OPEN) socket.send(encoder.encode(text))
        }
        socket.onopen = () => {
            onLink('connected')
            terminal.focus()
            onHandle({ focus: () => terminal.focus(), paste: text => terminal.paste(text) })
        }
        socket.onmessage = event => {
            if (event.data instanceof ArrayBuffer) terminal.write(new Uint8Array(event.data))
        }
        socket.onclose = event => {
            onHandle(undefined)
            if (event.code === IN_USE) props.onInUse(event.reason)
            else onLink('ended')
        }
        const typed = terminal.onData(send)
        return () => {
            onHandle(undefined)
            typed.dispose()
            socket.onclose = null
            socket.onopen = null
            socket.onmessage = null
            socket.close()
            sizes.disconnect()
            terminal.dispose()
            dropStyles()
        }
    }, [])
    return (
        <div
            ref={box}
            className="dv-screen dv-terminal"
            role="application"
            aria-label={fill(words.terminal, { name: props.name })}
        />
    )
}
