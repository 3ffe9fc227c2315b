// The completion scripts of the shells. What the node answers is data there: it is never expanded, and quoted when inserted.
import type { Argument, Completion, Option, Verb } from '../../capabilities/verb.ts'
import { GLOBAL_OPTIONS, optionsOf } from './parse.ts'

/** What can stand at one place of the line: words, names of a kind, or nothing that is known. */
interface Place {
    words: readonly string[]
    kind: Completion | ''
}

interface Node {
    path: string
    /** What follows it in the tree of commands. */
    words: string[]
    options: Option[]
    /** The last one goes on where it repeats. */
    places: Place[]
    repeats: boolean
}

const placeOf = (of: Argument | Option): Place => ({ words: of.choices ?? [], kind: of.complete ?? '' })

function nodesOf(verbs: readonly Verb[]): Node[] {
    const tree = new Map<string, Node>()
    const at = (path: string) => {
        if (!tree.has(path)) tree.set(path, { path, words: [], options: [], places: [], repeats: false })
        return tree.get(path)!
    }
    for (const verb of verbs.filter(v => !v.hidden)) {
        const [noun, ...rest] = verb.words
        const word = rest.join('-')
        if (!at('').words.includes(noun)) at('').words.push(noun)
        if (word) at(noun).words.push(word)
        const own = at(word ? `${noun} ${word}` : noun)
        own.options = optionsOf(verb)
        own.places = (verb.arguments ?? []).map(placeOf)
        own.repeats = verb.arguments?.at(-1)?.repeats === true
    }
    return [...tree.values()]
}

const flags = (option: Option) => [`--${option.name}`, ...(option.short ? [`-${option.short}`] : [])]
const isGlobal = (option: Option) => GLOBAL_OPTIONS.includes(option)

/** `case` lines of one node: by number the places of its arguments, by name the options that take a value. */
const caseLines = (node: Node): string[] => [
    `        ${JSON.stringify(node.path)}) choices="${node.words.join(' ')}"; switches="${node.options.map(o => `--${o.name}`).join(' ')}" ;;`,
    ...node.places.map((place, i) => {
        const last = node.repeats && i === node.places.length - 1
        const pattern = last ? `"${node.path} "[0-9]*` : JSON.stringify(`${node.path} ${i}`)
        return `        ${pattern}) choices="${place.words.join(' ')}"; kind="${place.kind}" ;;`
    }),
    ...node.options.filter(o => o.value && !isGlobal(o)).map(o => optionLine(o, node.path)),
]

function optionLine(option: Option, path?: string): string {
    const patterns = flags(option).map(flag => (path === undefined ? `*" ${flag}"` : JSON.stringify(`${path} ${flag}`)))
    const { words, kind } = placeOf(option)
    return `        ${patterns.join('|')}) valued=1; choices="${words.join(' ')}"; kind="${kind}" ;;`
}

/**
 * For bash, and for zsh through its bashcompinit: only what both of them read alike. No variable is called `path`, `words`
 * or `options`, which zsh has for itself.
 */
const shared = (
    shell: string,
    verbs: readonly Verb[],
) => `# Completion of debvisor for ${shell}; made by: debvisor completion ${shell}

# What can stand at a place: sets choices, switches, kind (of names that the node knows), valued (an option with a value).
_debvisor_place() {
    choices="" switches="" kind="" valued=""
    case "$1" in
${[...nodesOf(verbs).flatMap(caseLines), ...GLOBAL_OPTIONS.filter(o => o.value).map(o => optionLine(o))].join('\n')}
    esac
}

# Takes the lines of standard input that begin with $1. They come from others: they are compared and quoted, and never
# expanded, as compgen -W would do.
_debvisor_offer() {
    local line
    while IFS= read -r line; do
        [[ -n "$line" && "$line" == "$1"* ]] || continue
        [[ -n "\${ZSH_VERSION:-}" || "$2" == raw ]] || printf -v line '%q' "$line"
        COMPREPLY+=("$line")
    done
}

_debvisor() {
    local word="\${COMP_WORDS[COMP_CWORD]}" verb="" option="" newline=$'\\n' one i
    local choices switches kind valued
    local -a before
    before=()
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        one="\${COMP_WORDS[i]}"
        if [[ -n "$option" ]]; then
            [[ "$one" == "=" ]] || option=""
        elif [[ "$one" == -* ]]; then
            _debvisor_place "$verb $one"
            [[ -z "$valued" ]] || option="$one"
        else
            _debvisor_place "$verb"
            if [[ -n "$choices" ]]; then verb="\${verb:+$verb }$one"; else before+=("$one"); fi
        fi
    done
    [[ "$word" != "=" || -z "$option" ]] || word=""
    if [[ -n "$option" ]]; then
        _debvisor_place "$verb $option"
    elif [[ "$word" == -* ]]; then
        _debvisor_place "$verb"
        choices="$switches" kind=""
    else
        _debvisor_place "$verb"
        [[ -n "$choices" ]] || _debvisor_place "$verb \${#before[@]}"
    fi
    [[ -z "$choices" ]] || _debvisor_offer "$word" <<< "\${choices// /$newline}"
    case "$kind" in
        "") ;;
        file)
            [[ -n "\${ZSH_VERSION:-}" ]] || compopt -o filenames 2>/dev/null
            _debvisor_offer "" raw <<< "$(compgen -f -- "$word")"
            ;;
        *) _debvisor_offer "$word" <<< "$(debvisor complete "$kind" -- "\${before[@]}" 2>/dev/null)" ;;
    esac
}
complete -F _debvisor debvisor
`

export const bash = (verbs: readonly Verb[]) => shared('bash', verbs)

export const zsh = (verbs: readonly Verb[]) =>
    `#compdef debvisor\nautoload -U +X bashcompinit && bashcompinit\n${shared('zsh', verbs)}`

export const fish = (verbs: readonly Verb[]) =>
    [
        '# Completion of debvisor for fish; made by: debvisor completion fish',
        'complete -c debvisor -f',
        ...nodesOf(verbs).flatMap(node => {
            const path = node.path ? node.path.split(' ') : []
            const seen = path.map(word => `__fish_seen_subcommand_from ${word}`).join('; and ')
            const open = path.length ? `${seen}; and not __fish_seen_subcommand_from ${node.words.join(' ')}` : ''
            const when = path.length ? `-n '${node.words.length ? open : seen}'` : "-n '__fish_use_subcommand'"
            return [
                ...node.words.map(word => `complete -c debvisor ${when} -a ${word}`),
                ...node.options.map(
                    o =>
                        `complete -c debvisor ${when} -l ${o.name}${o.short ? ` -s ${o.short}` : ''}${o.value ? ` ${o.complete === 'file' ? '-r' : '-x'}${fishPlace(placeOf(o))}` : ''}`,
                ),
                ...node.places.map((place, i) => {
                    // The command, its words and what stands before: so many tokens are there already.
                    const count = 1 + path.length + i
                    const here = `-n '${seen}; and test (count (commandline -opc | string match -v -- "-*")) -${node.repeats && i === node.places.length - 1 ? 'ge' : 'eq'} ${count}'`
                    return fishPlace(place) ? `complete -c debvisor ${here}${fishPlace(place)}` : ''
                }),
            ].filter(line => line !== '')
        }),
        '',
    ].join('\n')

/** fish takes each line that a command in -a answers as one word, and expands it no further. */
function fishPlace({ words, kind }: Place): string {
    if (kind === 'file') return ' -F'
    if (kind)
        return ` -a '(debvisor complete ${kind} -- (commandline -opc | string match -v -- "-*")[4..] 2>/dev/null)'`
    return words.length ? ` -a '${words.join(' ')}'` : ''
}
