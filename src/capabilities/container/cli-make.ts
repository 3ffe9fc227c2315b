// The verbs of `debvisor container` that make, change, remove and clean up.
import { parseSizeBytes } from '../../base/units.ts'
import { ContainerService } from '../../gen/proto/capabilities/container/container_pb.js'
import { carryOut } from '../change.ts'
import { whole } from '../value.ts'
import type { Option, Verb, VerbContext } from '../verb.ts'
import { CONTAINER, mountOf, pairOf, publishOf } from './cli-words.ts'
import { RESTARTS } from './settings.ts'

const LIMITS: Option[] = [
    { name: 'cpus', value: 'CORES', summary: 'most cores that it may use, such as 1.5; 0 for no limit' },
    { name: 'memory', value: 'SIZE', summary: 'most memory that it may use, such as 512M; 0 for no limit' },
    { name: 'processes', value: 'COUNT', summary: 'most processes that it may have; 0 for no limit' },
    { name: 'restart', value: 'POLICY', summary: 'what happens when it ends', choices: RESTARTS },
]

const limitsOf = ({ options }: VerbContext) => ({
    cpuLimit: options.cpus === undefined ? undefined : Number(options.cpus),
    memoryLimitBytes:
        options.memory === undefined ? undefined : options.memory === '0' ? 0n : BigInt(parseSizeBytes(options.memory)),
    processLimit: options.processes === undefined ? undefined : whole(options.processes, '--processes'),
    restart: options.restart,
})

/** Variables from --env and --env-file; a file keeps secrets out of the list of processes. */
async function environmentOf(context: VerbContext): Promise<{ name: string; value: string }[]> {
    const files = await Promise.all((context.lists['env-file'] ?? []).map(path => context.file(path)))
    const lines = files.flatMap(text => text.split('\n')).filter(line => line.trim() !== '' && !line.startsWith('#'))
    return [...lines, ...(context.lists.env ?? [])].map(text => {
        const [name, value] = pairOf(text, '--env')
        return { name, value }
    })
}

export const makeVerbs: Verb[] = [
    {
        words: ['container', 'create'],
        summary: 'make a container of an image, which is pulled where it is not there',
        description:
            'Ports are reached from this node only, and stay so, unless they begin with lan:. ' +
            'What reaches past the container into the node (a path of the node, --privileged, --host-network, ' +
            '--capability) needs the permission container.host.',
        arguments: [
            { name: 'name', summary: 'name of the new container' },
            { name: 'image', summary: 'such as nginx:1.27' },
            {
                name: 'command',
                summary: "what to run instead of the image's own command",
                optional: true,
                repeats: true,
            },
        ],
        options: [
            { name: 'start', summary: 'start it' },
            { name: 'publish', short: 'p', value: '[lan:][HOST:]PORT', summary: 'port to publish', repeats: true },
            {
                name: 'mount',
                short: 'm',
                value: 'VOLUME:PATH[:ro]',
                summary: 'volume, or path of the node',
                repeats: true,
            },
            {
                name: 'env',
                short: 'e',
                value: 'NAME=VALUE',
                summary: 'variable; secrets go into a file',
                repeats: true,
            },
            {
                name: 'env-file',
                value: 'FILE',
                summary: 'file with variables, a line each',
                repeats: true,
                complete: 'file',
            },
            { name: 'network', value: 'NAME', summary: 'network of Docker to put it on', repeats: true },
            { name: 'tag', value: 'TAG', summary: 'tag, for finding and granting', repeats: true },
            { name: 'label', value: 'NAME=VALUE', summary: 'label of Docker', repeats: true },
            ...LIMITS,
            { name: 'entrypoint', value: 'WORD', summary: "instead of the image's own", repeats: true },
            { name: 'hostname', value: 'NAME', summary: 'its host name' },
            { name: 'user', value: 'USER', summary: 'who runs in it' },
            { name: 'work-folder', value: 'PATH', summary: 'where the command begins' },
            { name: 'terminal', summary: 'give it a terminal' },
            { name: 'pull', value: 'WHEN', summary: 'when to pull the image', choices: ['missing', 'always', 'never'] },
            { name: 'privileged', summary: 'let it do on the node whatever root may' },
            { name: 'host-network', summary: "put it on the node's own network" },
            {
                name: 'capability',
                value: 'NAME',
                summary: 'capability of Linux to add, such as NET_ADMIN',
                repeats: true,
            },
        ],
        changes: true,
        examples: [
            {
                line: 'debvisor container create web nginx:1.27 --publish lan:8080:80 --mount site:/usr/share/nginx/html --start',
                note: 'Open to other machines: those that firewall.stacks in node.yaml names.',
            },
        ],
        async run(context) {
            const { args, options, lists } = context
            const environment = await environmentOf(context)
            return carryOut(context, {
                call: dryRun =>
                    context.client(ContainerService).create({
                        ...{ name: args.name, image: args.image, command: lists.command ?? [], environment },
                        ...{ entrypoint: lists.entrypoint ?? [], tags: lists.tag ?? [], networks: lists.network ?? [] },
                        ports: (lists.publish ?? []).map(publishOf),
                        mounts: (lists.mount ?? []).map(mountOf),
                        labels: Object.fromEntries((lists.label ?? []).map(text => pairOf(text, '--label'))),
                        ...limitsOf(context),
                        ...{ hostname: options.hostname, user: options.user, workFolder: options['work-folder'] },
                        ...{ terminal: options.terminal !== undefined, start: options.start !== undefined },
                        ...{ pull: options.pull, privileged: options.privileged !== undefined },
                        ...{ hostNetwork: options['host-network'] !== undefined, capabilities: lists.capability ?? [] },
                        dryRun,
                    }),
            })
        },
    },
    {
        words: ['container', 'set'],
        summary: 'change limits of a container, and what happens when it ends; at once',
        arguments: [CONTAINER],
        options: LIMITS,
        changes: true,
        examples: [{ line: 'debvisor container set web --memory 1G --restart always', note: 'Also while it runs.' }],
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context
                        .client(ContainerService)
                        .update({ container: context.args.container, ...limitsOf(context), dryRun }),
            }),
    },
    {
        words: ['container', 'rename'],
        summary: 'rename a container',
        arguments: [CONTAINER, { name: 'name', summary: 'the new name' }],
        changes: true,
        examples: [{ line: 'debvisor container rename web old-web', note: 'Its id and tags stay.' }],
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context
                        .client(ContainerService)
                        .rename({ container: context.args.container, name: context.args.name, dryRun }),
            }),
    },
    ...(['expose', 'unexpose'] as const).map(
        (word): Verb => ({
            words: ['container', word],
            summary:
                word === 'expose'
                    ? 'open the published ports of a container to other machines'
                    : 'close the published ports of a container to other machines',
            description:
                'Who reaches them is said by firewall.stacks in node.yaml. It holds for this very container: one that ' +
                'is made anew is closed. Ports that were published to this node only stay so.',
            arguments: [CONTAINER],
            changes: true,
            examples: [
                { line: `debvisor container ${word} web`, note: 'debvisor container show says who reaches what.' },
            ],
            run: context =>
                carryOut(context, {
                    call: dryRun =>
                        context
                            .client(ContainerService)
                            .expose({ container: context.args.container, lan: word === 'expose', dryRun }),
                }),
        }),
    ),
    {
        words: ['container', 'remove'],
        summary: 'remove a container with what it wrote outside its volumes',
        arguments: [CONTAINER],
        options: [
            { name: 'force', short: 'f', summary: 'also one that runs' },
            { name: 'volumes', summary: 'its unnamed volumes too' },
        ],
        changes: true,
        examples: [{ line: 'debvisor container remove web --dry-run', note: 'What would go, and which volumes stay?' }],
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(ContainerService).remove({
                        container: context.args.container,
                        force: context.options.force !== undefined,
                        volumes: context.options.volumes !== undefined,
                        dryRun,
                    }),
                consent: context.args.container,
            }),
    },
    {
        words: ['container', 'prune'],
        summary: 'take away what no container uses, after showing it',
        description:
            'Without an option: containers that have ended, images without a name, and networks. What belongs to a ' +
            'stack is left. Only what was shown is removed.',
        options: [
            { name: 'containers', summary: 'containers that have ended' },
            { name: 'images', summary: 'images without a name' },
            { name: 'all-images', summary: 'images with a name too' },
            { name: 'volumes', summary: 'volumes that no container names, with all that is in them' },
            { name: 'networks', summary: 'networks that no container is on' },
        ],
        changes: true,
        examples: [{ line: 'debvisor container prune --all-images --dry-run', note: 'How much would that free?' }],
        run(context) {
            const { options } = context
            const chosen = ['containers', 'images', 'all-images', 'volumes', 'networks'].some(name => options[name])
            const has = (name: string) =>
                chosen ? options[name] !== undefined : name !== 'volumes' && name !== 'all-images'
            return carryOut(context, {
                call: dryRun =>
                    context.client(ContainerService).prune({
                        ...{ containers: has('containers'), images: has('images'), namedImages: has('all-images') },
                        ...{ volumes: has('volumes'), networks: has('networks'), dryRun },
                    }),
                consent: 'prune',
            })
        },
    },
]
