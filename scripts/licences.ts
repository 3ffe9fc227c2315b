// Which packages of others are inside what was built, with the text of their licences, which has to be handed on.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A package that was bundled. */
export interface Part {
    name: string
    version: string
    /** SPDX expression, as its package.json says. */
    licence: string
    text: string
}

const listPath = (name: string) => `dist/${name}.parts.json`

/** Notes what is inside one of the things that were built. */
export const noteLicences = (name: string, parts: Part[]): void =>
    writeFileSync(listPath(name), `${JSON.stringify(parts, null, 1)}\n`)

/** What was noted of several of them, each package once, in order. */
export function allParts(names: readonly string[]): Part[] {
    const parts = names.flatMap(name => JSON.parse(readFileSync(listPath(name), 'utf8')) as Part[])
    const byKey = new Map(parts.map(part => [`${part.name}@${part.version}`, part]))
    return [...byKey.keys()].sort().map(key => byKey.get(key)!)
}

/** The packages that paths of modules lie in. @throws Error for one that does not say its licence */
export function partsOf(inputs: readonly string[]): Part[] {
    const folders = new Set(inputs.flatMap(path => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []))
    return [...folders].sort().map(folder => {
        const about = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>
        const { name, version, license } = about
        if (typeof license !== 'string') throw new Error(`${folder}/package.json does not say its licence`)
        return { name: String(name), version: String(version), licence: license, text: textIn(folder) }
    })
}

function textIn(folder: string): string {
    const file = readdirSync(folder).find(name => /^(licen[cs]e|copying)(\.|-|$)/i.test(name))
    return file && existsSync(join(folder, file)) ? readFileSync(join(folder, file), 'utf8').trim() : ''
}

/** One text for people: every package with its licence. */
export const licencesText = (parts: readonly Part[]): string =>
    [
        'These packages of others are inside the programs and the panel of DebVisor.\n',
        ...parts.map(({ name, version, licence, text }) => {
            const title = `${name} ${version} (${licence})`
            return `${title}\n${'-'.repeat(title.length)}\n\n${text || 'Its package holds no text of the licence.'}\n`
        }),
    ].join('\n')
