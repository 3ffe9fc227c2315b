// What people write on the command line about stacks, and how stacks stand in tables.
import { timestampDate } from '@bufbuild/protobuf/wkt'
import { Fault } from '../../base/fault.ts'
import { type Stack, State } from '../../gen/proto/capabilities/stack/stack_pb.js'
import type { Argument, Option, VerbContext } from '../verb.ts'

/** A variable of a request. */
export interface Given {
    name: string
    value?: string
    secret?: boolean
    kept?: boolean
}

export const STACK: Argument = { name: 'stack', summary: 'name', complete: 'stack' }

export const STATES: Record<State, string> = {
    [State.STATE_UNSPECIFIED]: 'unknown',
    [State.DOWN]: 'down',
    [State.PARTLY]: 'partly',
    [State.RUNNING]: 'running',
    [State.STOPPED]: 'stopped',
}

export const stateWord = ({ state, running, containers }: Stack): string =>
    state === State.DOWN ? STATES[state] : `${STATES[state]} (${running} of ${containers})`

/** Which version is written, and which one runs. */
export function versionWord({ managed, version, applied, unfinished }: Stack): string {
    if (!managed) return 'not taken in'
    const parts = [`${version} written`]
    if (applied !== version || unfinished) parts.push(applied ? `${applied} runs` : 'none runs')
    if (unfinished) parts.push(`${unfinished} was begun and did not end`)
    return parts.length === 1 ? String(version) : parts.join(', ')
}

export const timeWord = (at: Stack['changed']): string => (at ? timestampDate(at).toLocaleString() : '')

export const VARIABLES: Option[] = [
    { name: 'set', value: 'NAME=VALUE', summary: 'variable of the file', repeats: true },
    {
        name: 'secret',
        value: 'NAME',
        summary: 'secret, which is asked for, or read as the next line of a pipe',
        repeats: true,
    },
    { name: 'env-file', value: 'FILE', summary: 'file with variables, a line each', repeats: true, complete: 'file' },
    { name: 'secret-file', value: 'FILE', summary: 'file with secrets, a line each', repeats: true, complete: 'file' },
]

/** What --set, --secret and the files say, later ones first. @throws Fault `invalid` */
export async function variablesOf(context: VerbContext): Promise<Given[]> {
    const { lists } = context
    const read = async (paths: string[] = []) => (await Promise.all(paths.map(path => context.file(path)))).join('\n')
    const linesOf = (text: string) => text.split('\n').filter(line => line.trim() !== '' && !line.startsWith('#'))
    const pairs = (lines: string[], secret: boolean, at: string) =>
        lines.map(line => {
            const end = line.indexOf('=')
            if (end > 0) return { name: line.slice(0, end).trim(), value: line.slice(end + 1), secret }
            throw new Fault('invalid', {
                summary: 'That is not a variable',
                // What stands there may be a secret.
                detail: secret ? '' : JSON.stringify(line.slice(0, 40)),
                at,
                fix: 'Write it such as NAME=VALUE.',
            })
        })
    const asked: Given[] = []
    for (const name of lists.secret ?? [])
        asked.push({ name, value: await context.secret(`Value of ${name}: `), secret: true })
    const all = [
        ...pairs(linesOf(await read(lists['env-file'])), false, '--env-file'),
        ...pairs(linesOf(await read(lists['secret-file'])), true, '--secret-file'),
        ...pairs(lists.set ?? [], false, '--set'),
        ...asked,
    ]
    return [...new Map(all.map(one => [one.name, one])).values()]
}
