// Writes src/gen/libvirt from libvirt's own protocol files: `generate-libvirt [--check] [FOLDER of libvirt's source]`.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { emitConstants, emitProtocol } from './generate-libvirt/emit.ts'
import { readHeaders } from './generate-libvirt/headers.ts'
import { readProtocol } from './generate-libvirt/protocol.ts'
import { fetchSource } from './generate-libvirt/source.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/** The generated files by their path in the repository; the same source gives the same bytes. */
export function generate(folder: string): Map<string, string> {
    const headers = readHeaders(folder)
    const protocol = readProtocol(folder, headers)
    const version = /version:\s*'([^']+)'/.exec(readFileSync(join(folder, 'meson.build'), 'utf8'))?.[1]
    if (!version) throw new Error(`${folder}/meson.build names no version: is it the source of libvirt?`)
    return new Map([
        ['src/gen/libvirt/constants.ts', emitConstants(headers, version)],
        ['src/gen/libvirt/protocol.ts', emitProtocol(protocol, version)],
    ])
}

/** One line a file that differs, with the first differing line of it. */
function differences(files: Map<string, string>): string[] {
    const found: string[] = []
    for (const [path, text] of files) {
        let old = ''
        try {
            old = readFileSync(join(root, path), 'utf8')
        } catch {
            found.push(`${path}: missing`)
            continue
        }
        if (old === text) continue
        const [was, now] = [old.split('\n'), text.split('\n')]
        const at = now.findIndex((line, i) => line !== was[i])
        const line = at < 0 ? now.length : at
        found.push(`${path}:${line + 1}: ${was.length} lines committed, ${now.length} generated`)
        found.push(`  - ${was[line] ?? '(end)'}`, `  + ${now[line] ?? '(end)'}`)
    }
    return found
}

/** Exit code when the source cannot be had here (EX_UNAVAILABLE of sysexits.h): nothing was compared or written. */
export const sourceMissing = 69

async function main(argv: string[]): Promise<number> {
    const check = argv.includes('--check')
    const given = argv.find(word => !word.startsWith('-'))
    const source = given ? { folder: given } : await fetchSource(join(root, '.tools/libvirt-source'))
    if ('unreachable' in source) {
        console.error(`The source of libvirt cannot be had: ${source.unreachable}`)
        return sourceMissing
    }
    const files = generate(source.folder)
    if (check) {
        const found = differences(files)
        for (const line of found) console.error(line)
        if (found.length > 0) console.error('Run `npx tsx scripts/generate-libvirt.ts` and commit the result.')
        return found.length > 0 ? 1 : 0
    }
    for (const [path, text] of files) {
        mkdirSync(dirname(join(root, path)), { recursive: true })
        writeFileSync(join(root, path), text)
        console.log(`${path}: ${text.split('\n').length} lines, ${text.length} bytes`)
    }
    return 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2))
