// Style elements under a strict Content-Security-Policy: what a library writes into them becomes a style sheet object.

/**
 * Runs what makes `<style>` elements, which `style-src 'self'` leaves without effect: their text goes into constructed
 * sheets instead, which the policy allows. Answers how to take those away again. (xterm.js 6.0 has `documentOverride`
 * for its document, but its viewport takes the window's own.)
 */
export function withStrictStyles(run: () => void): () => void {
    const sheets = new Set<CSSStyleSheet>()
    const native = document.createElement.bind(document)
    const styleElement = (): HTMLElement => {
        const sheet = new CSSStyleSheet()
        sheets.add(sheet)
        document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet]
        return Object.defineProperty(native('template'), 'textContent', {
            get: () => '',
            set: (text: string) => sheet.replaceSync(text),
        })
    }
    const strict = (name: string, options?: ElementCreationOptions): HTMLElement =>
        name === 'style' ? styleElement() : native(name, options)
    document.createElement = strict as typeof document.createElement
    try {
        run()
    } finally {
        // What is left is the prototype's own.
        Reflect.deleteProperty(document, 'createElement')
    }
    return () => {
        document.adoptedStyleSheets = document.adoptedStyleSheets.filter(sheet => !sheets.has(sheet))
    }
}
