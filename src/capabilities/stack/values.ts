// Variables and secrets of a stack, which stand apart from its file: checked, and as Compose reads them. Pure.
import { Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'

export interface Value {
    name: string
    value: string
    /** Its value leaves the node in no answer. */
    secret: boolean
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,99}$/
const VALUE_MAX = 32 * 1024
const MOST = 500

/** @throws Fault `invalid` with all that is wrong; no value stands in it */
export function checkValues(values: readonly Value[]): void {
    const findings: Finding[] = []
    const wrong = (summary: string, detail: string, fix: string) =>
        findings.push({ severity: 'error', code: 'invalid', at: 'environment', summary, detail, fix })
    const seen = new Set<string>()
    for (const { name, value } of values) {
        if (!NAME.test(name))
            wrong(
                'That cannot be the name of a variable',
                JSON.stringify(name.slice(0, 80)),
                'Use letters, digits and underscores, and no digit first.',
            )
        else if (seen.has(name)) wrong('A variable is named twice', name, 'Leave one of them out.')
        // Compose reads its own settings by such names.
        else if (/^(COMPOSE|DOCKER)_/.test(name))
            wrong('The name of a variable is one of Compose itself', name, 'Choose another name.')
        seen.add(name)
        if (value.length > VALUE_MAX || value.includes('\0'))
            wrong('The value of a variable cannot be kept', name, 'Use at most 32 KiB of text.')
    }
    if (values.length > MOST) wrong('There are too many variables', String(values.length), `Use at most ${MOST}.`)
    if (findings.length > 0)
        throw new Fault('invalid', {
            summary: 'The variables cannot be used like this',
            detail: findings.map(({ summary, detail }) => `${summary}: ${detail}`).join('; '),
            fix: findings[0]!.fix,
            at: 'environment',
            findings,
        })
}

/** Between double quotes these mean something else to Compose. */
const ESCAPES: Record<string, string> = { '\\': '\\\\', '"': '\\"', $: '\\$', '\n': '\\n', '\r': '\\r' }

/** The text of a file for `--env-file`. */
export const valuesText = (values: readonly Value[]): string =>
    values.map(({ name, value }) => `${name}="${value.replace(/[\\"$\n\r]/g, found => ESCAPES[found]!)}"\n`).join('')

/** The text without the values of secrets: for what a tool said of its input. */
export function withoutSecrets(text: string, values: readonly Value[]): string {
    // A value of one or two characters would take the sense out of every sentence, and tells nothing by itself.
    const secrets = values.filter(({ secret, value }) => secret && value.length > 2).map(({ value }) => value)
    return secrets.sort((a, b) => b.length - a.length).reduce((left, one) => left.replaceAll(one, '[hidden]'), text)
}
