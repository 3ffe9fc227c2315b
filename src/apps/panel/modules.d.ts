// Types of what comes without: noVNC's client, and what the build makes.
declare module '@novnc/novnc' {
    export default class RFB extends EventTarget {
        constructor(target: HTMLElement, url: string, options?: { wsProtocols?: string[]; shared?: boolean })
        scaleViewport: boolean
        resizeSession: boolean
        clipViewport: boolean
        dragViewport: boolean
        viewOnly: boolean
        background: string
        focus(): void
        disconnect(): void
        sendCtrlAltDel(): void
        sendKey(keysym: number, code: string | null, down?: boolean): void
        clipboardPasteFrom(text: string): void
    }
}

// What the panel is built of: made at build time (vite.config.ts).
declare module 'virtual:licences' {
    const parts: readonly { name: string; version: string; licence: string }[]
    export default parts
}
