// Manual pages from the same data as help, in roff.
import { Fault } from '../../base/fault.ts'
import type { Option, Verb } from '../../capabilities/verb.ts'
import { CHANGE_OPTIONS, EXIT_CODES, GLOBAL_OPTIONS, WATCH_OPTIONS } from './parse.ts'

const esc = (text: string) =>
    text
        .replace(/\\/g, '\\e')
        .replace(/-/g, '\\-')
        .replace(/^([.'])/gm, '\\&$1')

/** debvisor(1), or debvisor-<noun>(1) for the verbs of one noun. @throws Fault `not-found` for no such command */
export function manPage(all: readonly Verb[], noun?: string): string {
    const verbs = all.filter(v => !v.hidden)
    const shown = noun ? verbs.filter(v => v.words[0] === noun) : verbs
    if (shown.length === 0) {
        throw new Fault('not-found', {
            summary: 'There is no such command',
            detail: noun,
            fix: 'debvisor --help lists them.',
        })
    }
    const name = noun ? `debvisor-${noun}` : 'debvisor'
    const lines = [
        `.TH ${name.toUpperCase()} 1 "" DebVisor "DebVisor manual"`,
        '.SH NAME',
        `${esc(name)} \\- ${noun ? `commands on ${esc(noun)}` : 'run virtual machines on a node'}`,
        '.SH SYNOPSIS',
        ...shown.flatMap(v => ['.br', synopsis(v)]),
    ]
    if (noun) lines.push('.SH COMMANDS', ...shown.flatMap(verbText))
    else {
        const nouns = [...new Set(verbs.map(v => v.words[0]))]
        lines.push(
            '.SH DESCRIPTION',
            'Each command has a page of its own:',
            ...nouns.flatMap(n => ['.br', `.BR ${esc(`debvisor-${n}`)} (1)`]),
        )
    }
    lines.push(
        '.SH COMMON OPTIONS',
        ...GLOBAL_OPTIONS.flatMap(optionText),
        '.SS Of commands that change something',
        ...CHANGE_OPTIONS.flatMap(optionText),
        '.SS Of commands that can watch',
        ...WATCH_OPTIONS.flatMap(optionText),
        '.SH EXIT STATUS',
        ...EXIT_CODES.flatMap(([code, text]) => ['.TP', `.B ${code}`, esc(text)]),
        '.SH ENVIRONMENT',
        '.TP',
        '.B DEBVISOR_SOCKET',
        'Path of the local socket of debvisor\\-rpcd, where no option says how to reach the node.',
        '.SH FILES',
        '.TP',
        '.I ~/.config/debvisor/login.json',
        'What debvisor login keeps: the address of the node, a token, and the certificate that was accepted.',
    )
    return `${lines.join('\n')}\n`
}

function synopsis(verb: Verb): string {
    const [noun, ...rest] = verb.words
    const args = (verb.arguments ?? []).map(a => {
        const name = `\\fI${esc(a.name)}\\fR${a.repeats ? '...' : ''}`
        return a.optional ? `[${name}]` : name
    })
    return `\\fBdebvisor ${esc([noun, rest.join('-')].filter(Boolean).join(' '))}\\fR ${[...args, '[\\fIoptions\\fR]'].join(' ')}`
}

const verbText = (verb: Verb): string[] => [
    `.SS ${esc(verb.words.join(' '))}`,
    esc(`${verb.summary[0]!.toUpperCase()}${verb.summary.slice(1)}.`),
    ...(verb.description ? ['.PP', esc(verb.description)] : []),
    ...(verb.arguments ?? []).flatMap(a => [
        '.TP',
        `.I ${esc(a.name)}`,
        esc(a.summary + (a.choices ? ` (${a.choices.join(', ')})` : '')),
    ]),
    ...(verb.options ?? []).flatMap(optionText),
    ...(verb.examples ?? []).flatMap(e => ['.PP', '.EX', esc(e.line), '.EE', esc(e.note)]),
]

const optionText = (option: Option): string[] => [
    '.TP',
    `.BR ${option.short ? `\\-${option.short} ", " ` : ''}\\-\\-${esc(option.name)}${option.value ? ` " ${esc(option.value)}"` : ''}`,
    esc(
        option.summary +
            (option.choices ? ` (${option.choices.join(', ')})` : '') +
            (option.default ? `; default: ${option.default}` : ''),
    ),
]
