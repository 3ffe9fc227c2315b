// Verbs into commander's commands: one shape for every verb, so that help and behaviour are the same everywhere.
import { Command, Argument as CommanderArgument, Option as CommanderOption } from 'commander'
import { VERSION } from '../../base/version.ts'
import type { Option, Verb } from '../../capabilities/verb.ts'

/** What a command line says, once it is parsed. */
export interface Parsed {
    verb: Verb
    args: Record<string, string>
    lists: Record<string, string[]>
    options: Record<string, string | undefined>
}

export const EXIT_CODES: readonly (readonly [number, string])[] = [
    [0, 'done, or nothing to do'],
    [1, 'failed, or refused (a wrong size or name too), or left before it had ended'],
    [2, 'changes are pending (--check)'],
    [3, 'refused for want of consent'],
    [64, 'the command line cannot be read: an unknown command or option, something missing, or none of the choices'],
]

export const GLOBAL_OPTIONS: Option[] = [
    { name: 'json', summary: 'print data for programs instead of text' },
    { name: 'wide', summary: 'show all columns' },
    { name: 'server', value: 'URL', summary: 'the node to talk to, such as https://node1:8443' },
    { name: 'token-file', value: 'FILE', summary: 'file with an API token', complete: 'file' },
    { name: 'socket', value: 'PATH', summary: "the node's own socket (root only)", complete: 'file' },
    { name: 'verbose', summary: 'say more when something fails' },
    { name: 'log-file', value: 'FILE', summary: 'append what is done and how it ended', complete: 'file' },
]
export const CHANGE_OPTIONS: Option[] = [
    { name: 'dry-run', summary: 'show what would be done, and change nothing' },
    { name: 'check', summary: 'like --dry-run, and end with 2 when there is something to do' },
    { name: 'yes', short: 'y', summary: 'agree to everything that is asked' },
    { name: 'no-wait', summary: 'begin the task and do not wait for its end' },
]
export const WATCH_OPTIONS: Option[] = [{ name: 'watch', short: 'w', summary: 'show changes as they come' }]

/** All options of a verb, its own first. */
export const optionsOf = (verb: Verb): Option[] => [
    ...(verb.options ?? []),
    ...(verb.watches ? WATCH_OPTIONS : []),
    ...(verb.changes ? CHANGE_OPTIONS : []),
    ...GLOBAL_OPTIONS,
]

export interface Topic {
    name: string
    summary: string
}

/** The whole command; `onVerb` is called with what was parsed. Errors and help are thrown as commander's own. */
export function program(
    verbs: readonly Verb[],
    topics: readonly Topic[],
    onVerb: (parsed: Parsed) => void,
    write: { out(text: string): void; err(text: string): void },
): Command {
    const root = new Command('debvisor')
        .description('Run containers and virtual machines on this node.')
        .version(VERSION, '--version', 'print the version')
        .helpCommand('help [command]', 'explain a command')
        .showSuggestionAfterError()
        .showHelpAfterError('(debvisor --help lists the commands)')
        .exitOverride()
        .configureOutput({ writeOut: write.out, writeErr: write.err })
        .addHelpText(
            'after',
            `\nExit codes:\n${EXIT_CODES.map(([code, text]) => `  ${code}`.padEnd(6) + text).join('\n')}`,
        )
    const groups = new Map<string, Command>()
    for (const verb of verbs) {
        const [noun, ...rest] = verb.words
        if (rest.length === 0) {
            build(root.command(noun, { hidden: verb.hidden === true }), verb, onVerb)
            continue
        }
        let group = groups.get(noun)
        if (!group) {
            group = root
                .command(noun)
                .summary(topics.find(t => t.name === noun)?.summary ?? '')
                .helpCommand(false)
            group.description(topics.find(t => t.name === noun)?.summary ?? '')
            groups.set(noun, group)
        }
        build(group.command(rest.join('-')), verb, onVerb)
    }
    return root
}

function build(command: Command, verb: Verb, onVerb: (parsed: Parsed) => void): void {
    command
        .summary(verb.summary)
        .description([`${sentence(verb.summary)}`, verb.description].filter(Boolean).join('\n\n'))
    for (const argument of verb.arguments ?? []) {
        const name = argument.repeats ? `${argument.name}...` : argument.name
        const made = new CommanderArgument(argument.optional ? `[${name}]` : `<${name}>`, argument.summary)
        if (argument.choices) made.choices(argument.choices)
        command.addArgument(made)
    }
    for (const option of optionsOf(verb)) {
        const flag = `${option.short ? `-${option.short}, ` : ''}--${option.name}${option.value ? ` <${option.value}>` : ''}`
        const made = new CommanderOption(flag, option.summary + (option.default ? ` (default: ${option.default})` : ''))
        if (option.choices) made.choices([...option.choices])
        if (option.repeats) made.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value])
        command.addOption(made)
    }
    if (verb.examples?.length) {
        command.addHelpText(
            'after',
            `\nExamples:\n${verb.examples.map(e => `  ${e.line}\n      ${e.note}`).join('\n')}`,
        )
    }
    command.action((...given: unknown[]) => {
        const values = given.slice(0, (verb.arguments ?? []).length)
        const parsed: Parsed = { verb, args: {}, lists: {}, options: {} }
        verb.arguments?.forEach((argument, i) => {
            const value = values[i]
            if (Array.isArray(value)) parsed.lists[argument.name] = value
            else if (value !== undefined) parsed.args[argument.name] = String(value)
        })
        const options = command.opts()
        for (const option of optionsOf(verb)) {
            // commander keeps --no-x as x: false.
            const key = camel(option.name)
            const value = option.name.startsWith('no-')
                ? options[camel(option.name.slice(3))] === false || undefined
                : options[key]
            if (value === undefined) continue
            if (Array.isArray(value)) parsed.lists[option.name] = value
            else parsed.options[option.name] = String(value)
        }
        onVerb(parsed)
    })
}

const camel = (name: string) => name.replace(/-(\w)/g, (_, c: string) => c.toUpperCase())
const sentence = (text: string) => `${text[0]!.toUpperCase()}${text.slice(1)}.`
