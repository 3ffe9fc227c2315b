// The secret of the first login: taken out of the URL's fragment before anything else can see it.

/** The secret, if the address was `/#/first/<secret>`; the address bar and the history forget it at once. */
export function takeFirstSecret(): string {
    const match = /^#\/first\/([\w-]+)$/.exec(window.location.hash)
    if (!match) return ''
    window.history.replaceState(null, '', '/')
    return match[1] ?? ''
}
