// What the panel may do in a browser: its own files and calls, and nothing made of text.

/**
 * The Content-Security-Policy of every answer. Trusted Types, where the browser has them (Chromium does): no script can
 * come of a string, and no policy may be made that would let one; the panel and its libraries need none.
 */
export const CONTENT_SECURITY_POLICY = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
].join('; ')
