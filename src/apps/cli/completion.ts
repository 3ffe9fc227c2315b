// Shell completion from the same data as help: words and options are in the script, names are asked of the node.
import { Fault } from '../../base/fault.ts'
import type { Completion, Verb } from '../../capabilities/verb.ts'
import { ContainerService } from '../../gen/proto/capabilities/container/container_pb.js'
import {
    ContainerImageService,
    ContainerNetworkService,
    ContainerVolumeService,
} from '../../gen/proto/capabilities/container/stores_pb.js'
import { IdentityService } from '../../gen/proto/capabilities/identity/identity_pb.js'
import { ImageService } from '../../gen/proto/capabilities/image/image_pb.js'
import { NetworkService } from '../../gen/proto/capabilities/network/network_pb.js'
import { StackService } from '../../gen/proto/capabilities/stack/stack_pb.js'
import { TaskService } from '../../gen/proto/capabilities/task/task_pb.js'
import { VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { bash, fish, zsh } from './completion-scripts.ts'
import { manPage } from './man.ts'

type Ask = Parameters<Verb['run']>[0]

/** `before` is what stands on the line before the word: of a snapshot and of a disk, first the VM. */
const NAMES: Record<Exclude<Completion, 'file'>, (ask: Ask, before: readonly string[]) => Promise<string[]>> = {
    vm: async ask => (await ask.client(VmService).list({})).vms.map(vm => vm.name),
    container: async ask => (await ask.client(ContainerService).list({})).containers.map(one => one.name),
    stack: async ask => (await ask.client(StackService).list({})).stacks.map(one => one.name),
    'container-image': async ask =>
        (await ask.client(ContainerImageService).list({})).images.flatMap(image => image.references),
    'container-volume': async ask =>
        (await ask.client(ContainerVolumeService).list({})).volumes.map(volume => volume.name),
    'container-network': async ask =>
        (await ask.client(ContainerNetworkService).list({})).networks.map(network => network.name),
    disk: async (ask, [vm]) => ((await ask.client(VmService).get({ vm })).detail?.disks ?? []).map(disk => disk.target),
    snapshot: async (ask, [vm]) => (await ask.client(VmService).listSnapshots({ vm })).snapshots.map(s => s.name),
    pool: async ask => (await ask.client(ImageService).listPools({})).pools.map(pool => pool.name),
    volume: async ask => (await ask.client(ImageService).listVolumes({})).volumes.map(v => `${v.pool}/${v.name}`),
    network: async ask => (await ask.client(NetworkService).list({})).networks.map(network => network.name),
    task: async ask => (await ask.client(TaskService).list({})).tasks.map(task => task.id),
    user: async ask => (await ask.client(IdentityService).listUsers({})).users.map(user => user.name),
    token: async ask => (await ask.client(IdentityService).listTokens({})).tokens.map(token => token.id),
    grant: async ask => (await ask.client(IdentityService).listGrants({})).grants.map(grant => grant.id),
    session: async ask => (await ask.client(IdentityService).listSessions({})).sessions.map(session => session.id),
}

/** `completion`, `man` and the hidden `complete` that the scripts call. */
export const completionVerbs = (all: () => readonly Verb[]): Verb[] => [
    {
        words: ['completion'],
        summary: 'print the completion script of a shell',
        arguments: [{ name: 'shell', summary: 'the shell', choices: ['bash', 'zsh', 'fish'] }],
        examples: [
            {
                line: 'debvisor completion bash > /etc/bash_completion.d/debvisor',
                note: 'For all users of this machine.',
            },
        ],
        async run({ args }) {
            const text = { bash, zsh, fish }[args.shell as 'bash'](all())
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
        summary: 'names of one kind, a line each',
        hidden: true,
        arguments: [
            { name: 'kind', summary: Object.keys(NAMES).join(', ') },
            { name: 'before', summary: 'the arguments that stand before it', optional: true, repeats: true },
        ],
        async run(context) {
            const { kind } = context.args
            if (!kind || !Object.hasOwn(NAMES, kind))
                throw new Fault('invalid', { summary: 'There is no such kind of name', detail: kind })
            const names = await NAMES[kind as keyof typeof NAMES](context, context.lists.before ?? [])
            // A line each, and nothing that talks to the terminal.
            const clean = names.filter(name => !/\p{Cc}/u.test(name))
            return { kind: 'text', text: clean.map(name => `${name}\n`).join(''), json: clean }
        },
    },
]
