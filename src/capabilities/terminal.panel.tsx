// A terminal over a WebSocket: the only file that knows xterm.js.
import { FitAddon } from '@xterm/addon-fit'
import { Terminal as Xterm } from '@xterm/xterm'
import '@xterm/xterm/css/xterm.css'
import { useEffect, useRef } from 'react'
import { untilSilence } from './pulse.panel.tsx'
import { withStrictStyles } from './strict.panel.tsx'

/** As browsers have it where nobody closed the connection in due form. */
const SILENT = 1006

export interface TerminalHandle {
    paste(text: string): void
    focus(): void
}

export interface TerminalProps {
    /** What it is, for screen readers. */
    label: string
    url: string
    protocols: string[]
    /** The other side is told how large the terminal is. */
    tellsSize?: boolean
    onOpen(): void
    /** `code` and `reason` as the server closed it. */
    onClose(code: number, reason: string): void
    onHandle(handle: TerminalHandle | undefined): void
}

export function Terminal(props: TerminalProps) {
    const box = useRef<HTMLDivElement>(null)
    const { url, protocols, tellsSize, onOpen, onClose, onHandle } = props
    // biome-ignore lint/correctness/useExhaustiveDependencies: a ticket opens one connection; a new one has a new key
    useEffect(() => {
        const element = box.current
        if (!element) return
        const terminal = new Xterm({
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

        const socket = new WebSocket(url, protocols)
        socket.binaryType = 'arraybuffer'
        const encoder = new TextEncoder()
        const send = (text: string): void => {
            if (socket.readyState === WebSocket.OPEN) socket.send(encoder.encode(text))
        }
        const tellSize = (): void => {
            if (!tellsSize || socket.readyState !== WebSocket.OPEN) return
            socket.send(JSON.stringify({ columns: terminal.cols, rows: terminal.rows }))
        }
        const sizes = new ResizeObserver(() => {
            fit.fit()
            tellSize()
        })
        sizes.observe(element)
        socket.onopen = () => {
            onOpen()
            tellSize()
            terminal.focus()
            onHandle({ focus: () => terminal.focus(), paste: text => terminal.paste(text) })
        }
        socket.onmessage = event => {
            if (event.data instanceof ArrayBuffer) terminal.write(new Uint8Array(event.data))
        }
        const closed = (code: number, reason: string): void => {
            // A socket over a dead network would wait a while before it says so itself.
            socket.onclose = null
            socket.onmessage = null
            stopListening()
            socket.close()
            onHandle(undefined)
            onClose(code, reason)
        }
        socket.onclose = event => closed(event.code, event.reason)
        const stopListening = untilSilence(() => closed(SILENT, ''))
        const typed = terminal.onData(send)
        return () => {
            onHandle(undefined)
            stopListening()
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
    return <div ref={box} className="dv-screen dv-terminal" role="application" aria-label={props.label} />
}
