// Shell completion from the same data as help: words and options are in the script, names are asked of the node.
import { Fault } from '../../base/fault.ts'
import type { Completion, Verb } from '../../capabilities/verb.ts'
import { IdentityService } from '../../gen/proto/capabilities/identity/identity_pb.js'
import { ImageService } from '../../gen/proto/capabilities/image/image_pb.js'
import { NetworkService } from '../../gen/proto/capabilities/network/network_pb.js'
import { TaskService } from '../../gen/proto/capabilities/task/task_pb.js'
import { VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { manPage } from './man.ts'
import { optionsOf } from './parse.ts'

type Ask = Parameters<Verb['run']>[0]

const NAMES: Record<Exclude<Completion, 'file' | 'snapshot'>, (ask: Ask) => Promise<string[]>> = {
    vm: async ask => (await ask.client(VmService).list({})).vms.map(vm => vm.name),
    pool: async ask => (await ask.client(ImageService).listPools({})).pools.map(pool => pool.name),
    volume: async ask => (await ask.client(ImageService).listVolumes({})).volumes.map(v => `${v.pool}/${v.name}`),
    network: async ask => (await ask.client(NetworkService).list({})).networks.map(network => network.name),
    task: async ask => (await ask.client(TaskService).list({})).tasks.map(task => task.id),
    user: async ask => (await ask.client(IdentityService).listUsers({})).users.map(user => user.name),
    token: async ask => (await ask.client(IdentityService).listTokens({})).tokens.map(token => token.id),
}

/** `completion`, `man` and the hidden `complete` that the script calls. */
export const completionVerbs = (all: () => readonly Verb[]): Verb[] => [
    {
        words: ['completion'],
        summary: 'print the completion script of a shell',
        arguments: [{ name: 'shell', summary: 'bash, zsh or fish' }],
        examples: [
            {
                line: 'debvisor completion bash > /etc/bash_completion.d/debvisor',
                note: 'For all users of this machine.',
            },
        ],
        async run({ args }) {
            const script = { bash, zsh, fish }[args.shell as 'bash']
            if (!script)
                throw new Fault('invalid', {
                    summary: 'There is no completion for that shell',
                    detail: args.shell,
                    fix: 'Use bash, zsh or fish.',
                })
            const text = script(all())
            return { kind: 'text', text, json: text }
        },
    },
    {
        words: ['man'],
        summary: 'print the manual page of debvisor, or of one of its commands',
        arguments: [{ name: 'command', summary: 'such as vm', optional: true }],
        examples: [{ line: 'debvisor man vm | man -l -', note: 'Read it at once.' }],
        async run({ args }) {
            const text = manPage(all(), args.command)
            return { kind: 'text', text, json: text }
        },
    },
    {
        words: ['complete'],
        summary: 'names of one kind, a line each (for completion scripts)',
        arguments: [{ name: 'kind', summary: Object.keys(NAMES).join(', ') }],
        async run(context) {
            const names = await NAMES[context.args.kind as keyof typeof NAMES]?.(context)
            const text = (names ?? []).join('\n')
            return { kind: 'text', text, json: names ?? [] }
        },
    },
]

interface Node {
    path: string
    words: string[]
    options: string[]
    kinds: Completion[]
}

function nodes(verbs: readonly Verb[]): Node[] {
    const tree = new Map<string, Node>()
    const at = (path: string) => {
        if (!tree.has(path)) tree.set(path, { path, words: [], options: [], kinds: [] })
        return tree.get(path)!
    }
    for (const verb of verbs) {
        const [noun, ...rest] = verb.words
        const word = rest.join('-')
        if (!at('').words.includes(noun)) at('').words.push(noun)
        if (word) at(noun).words.push(word)
        const own = at(word ? `${noun} ${word}` : noun)
        own.options = optionsOf(verb).map(o => `--${o.name}`)
        own.kinds = (verb.arguments ?? []).flatMap(a => a.complete ?? [])
    }
    return [...tree.values()]
}

const bash = (verbs: readonly Verb[]) => `# Completion of debvisor for bash; made by: debvisor completion bash
_debvisor() {
    local word="\${COMP_WORDS[COMP_CWORD]}" path="" i
    for ((i = 1; i < COMP_CWORD && i < 3; i++)); do
        [[ "\${COMP_WORDS[i]}" == -* ]] && break
        path="\${path:+$path }\${COMP_WORDS[i]}"
    done
    local words="" options="" kinds=""
    case "$path" in
${nodes(verbs)
    .map(
        n =>
            `        ${JSON.stringify(n.path)}) words="${n.words.join(' ')}"; options="${n.options.join(' ')}"; kinds="${n.kinds.join(' ')}" ;;`,
    )
    .join('\n')}
    esac
    if [[ "$word" == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$word"))
        return
    fi
    local kind
    for kind in $kinds; do
        case "$kind" in
            file) COMPREPLY+=($(compgen -f -- "$word")) ;;
            *) words="$words $(debvisor complete "$kind" 2>/dev/null)" ;;
        esac
    done
    COMPREPLY+=($(compgen -W "$words" -- "$word"))
}
complete -F _debvisor debvisor
`

const zsh = (verbs: readonly Verb[]) =>
    `#compdef debvisor\nautoload -U +X bashcompinit && bashcompinit\n${bash(verbs).replace('for bash; made by: debvisor completion bash', 'for zsh; made by: debvisor completion zsh')}`

const fish = (verbs: readonly Verb[]) =>
    [
        '# Completion of debvisor for fish; made by: debvisor completion fish',
        'complete -c debvisor -f',
        ...nodes(verbs).flatMap(n => {
            const path = n.path ? n.path.split(' ') : []
            const when = path.length
                ? `-n '__fish_seen_subcommand_from ${path.at(-1)}${path.length > 1 ? `; and __fish_seen_subcommand_from ${path[0]}` : ''}'`
                : "-n '__fish_use_subcommand'"
            return [
                ...n.words.map(word => `complete -c debvisor ${when} -a ${word}`),
                ...n.options.map(option => `complete -c debvisor ${when} -l ${option.slice(2)}`),
                ...n.kinds.map(kind =>
                    kind === 'file'
                        ? `complete -c debvisor ${when} -F`
                        : `complete -c debvisor ${when} -a '(debvisor complete ${kind} 2>/dev/null)'`,
                ),
            ]
        }),
        '',
    ].join('\n')
