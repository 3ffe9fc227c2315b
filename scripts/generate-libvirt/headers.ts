// Reads libvirt's public headers: enums, string macros, and the names of functions with their true capitals.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Headers {
    /** VIR_… to its number or text, in the order of the headers. */
    constants: Map<string, number | string>
    /** The members of each enum, by the enum's type name. */
    enums: Map<string, Map<string, number>>
    /** `domaingetxmldesc` to `domainGetXMLDesc`. */
    functions: Map<string, string>
}

/** Comments out, lines that C joins with a backslash joined. */
export const stripComments = (text: string): string => text.replace(/\\\n/g, ' ').replace(/\/\*[\s\S]*?\*\//g, ' ')

/** The value of a C constant expression of numbers, known names, `<<`, `|`, `+`, `-` and parentheses. */
export function evaluate(expression: string, known: ReadonlyMap<string, number | string>): number {
    const plain = expression
        .replace(/\b(0x[0-9a-fA-F]+|\d+)[uUlL]*\b/g, '$1')
        .replace(/\b[A-Za-z_]\w*\b/g, name => (/^0x/.test(name) ? name : String(known.get(name) ?? `?${name}`)))
    if (!/^[\s\d()<|+\-xa-fA-F]+$/.test(plain)) throw new Error(`not a constant expression: ${expression}`)
    return Number(new Function(`return (${plain})`)())
}

function readEnums(text: string, headers: Headers): void {
    for (const [, body = '', type = ''] of text.matchAll(/typedef enum\s*\{([\s\S]*?)\}\s*(\w+);/g)) {
        const members = new Map<string, number>()
        headers.enums.set(type, members)
        let value = -1
        for (const item of body.replace(/^\s*#.*$/gm, '').split(/,(?![^(]*\))/)) {
            const match = /^(\w+)\s*(?:G_\w+|VIR_DEPRECATED)?\s*(?:=\s*([\s\S]+))?$/.exec(item.trim())
            if (!match?.[1]) continue
            value = match[2] ? evaluate(match[2], headers.constants) : value + 1
            members.set(match[1], value)
            headers.constants.set(match[1], value)
        }
    }
}

function readMacros(text: string, headers: Headers): void {
    for (const [, name = '', value = ''] of text.matchAll(/^[ \t]*#\s*define\s+(VIR_\w+)[ \t]+(\S.*?)\s*$/gm)) {
        if (headers.constants.has(name)) continue
        if (/^"[^"]*"$/.test(value)) headers.constants.set(name, JSON.parse(value))
        else if (/^\(?[\d\s+]+(LL)?\)?$/.test(value)) headers.constants.set(name, evaluate(value, headers.constants))
    }
}

export function readHeaders(folder: string): Headers {
    const include = join(folder, 'include/libvirt')
    // In the order of libvirt.h, since later headers use constants of earlier ones.
    const main = readFileSync(join(include, 'libvirt.h'), 'utf8')
    const files = [...main.matchAll(/#\s*include <libvirt\/([\w-]+\.h)>/g)]
        .map(([, file = '']) => (file === 'libvirt-common.h' ? 'libvirt-common.h.in' : file))
        .concat('libvirt-qemu.h', 'virterror.h')
    const headers: Headers = { constants: new Map(), enums: new Map(), functions: new Map() }
    for (const file of files) {
        const text = stripComments(readFileSync(join(include, file), 'utf8'))
        readMacros(text, headers)
        readEnums(text, headers)
        for (const [, name = ''] of text.matchAll(/\bvir([A-Z]\w+)\s*\(/g)) {
            headers.functions.set(
                name.toLowerCase(),
                name.replace(/^[A-Z]/, first => first.toLowerCase()),
            )
        }
    }
    return headers
}
