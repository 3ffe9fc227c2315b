// What a terminal sends for keys, taken apart: of the Linux console, of xterm, and of a vt220 on a serial port.

export type Key =
    | { kind: 'text'; text: string }
    | { kind: 'up' | 'down' | 'left' | 'right' | 'home' | 'end' | 'pageUp' | 'pageDown' }
    | { kind: 'enter' | 'tab' | 'backTab' | 'backspace' | 'delete' | 'escape' | 'interrupt' | 'redraw' }
    | { kind: 'function'; number: number }
    /** The terminal says how large it is. */
    | { kind: 'size'; columns: number; rows: number }

const FINAL: Record<string, Key> = {
    ...{ A: { kind: 'up' }, B: { kind: 'down' }, C: { kind: 'right' }, D: { kind: 'left' } },
    ...{ H: { kind: 'home' }, F: { kind: 'end' }, Z: { kind: 'backTab' } },
    ...{ P: { kind: 'function', number: 1 }, Q: { kind: 'function', number: 2 }, R: { kind: 'function', number: 3 } },
    S: { kind: 'function', number: 4 },
}
const TILDE: Record<string, Key> = {
    ...{ 1: { kind: 'home' }, 7: { kind: 'home' }, 4: { kind: 'end' }, 8: { kind: 'end' } },
    ...{ 3: { kind: 'delete' }, 5: { kind: 'pageUp' }, 6: { kind: 'pageDown' } },
    ...{ 11: { kind: 'function', number: 1 }, 12: { kind: 'function', number: 2 } },
    ...{ 13: { kind: 'function', number: 3 }, 14: { kind: 'function', number: 4 } },
}
const CONTROL: Record<string, Key> = {
    ...{ '\r': { kind: 'enter' }, '\n': { kind: 'enter' }, '\t': { kind: 'tab' }, '\u007f': { kind: 'backspace' } },
    ...{ '\b': { kind: 'backspace' }, '\u0003': { kind: 'interrupt' }, '\f': { kind: 'redraw' } },
}

/** Takes what has come so far; answers the keys, and what may be the beginning of one. */
export function keysIn(given: string): { keys: Key[]; rest: string } {
    const keys: Key[] = []
    let rest = given
    while (rest !== '') {
        if (rest[0] !== '\u001b') {
            const char = String.fromCodePoint(rest.codePointAt(0)!)
            rest = rest.slice(char.length)
            const known = CONTROL[char]
            if (known) keys.push(known)
            else if (char >= ' ') keys.push({ kind: 'text', text: char })
            continue
        }
        // CSI, SS3, and the Linux console's own way for its function keys.
        const found = /^\u001b(?:\[\[([A-E])|\[([0-9;]*)([A-Za-z~])|O([A-Za-z]))/.exec(rest)
        if (found) {
            rest = rest.slice(found[0].length)
            keys.push(...keyOf(found))
        } else if (/^\u001b(?:\[[0-9;[]*|O)?$/.test(rest)) return { keys, rest }
        else {
            rest = rest.slice(1)
            keys.push({ kind: 'escape' })
        }
    }
    return { keys, rest }
}

function keyOf([, linux, parameters = '', final = '', single]: RegExpExecArray): Key[] {
    if (linux) return [{ kind: 'function', number: linux.charCodeAt(0) - 64 }]
    if (single) return FINAL[single] ? [FINAL[single]] : []
    const [first = '', second = ''] = parameters.split(';')
    if (final === 'R' && second) return [{ kind: 'size', rows: Number(first), columns: Number(second) }]
    const key = final === '~' ? TILDE[first] : FINAL[final]
    return key ? [key] : []
}
