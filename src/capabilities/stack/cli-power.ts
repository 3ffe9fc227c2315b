// The verbs of `debvisor stack` that bring up, take down, scale, open, roll back and remove.
import { StackService } from '../../gen/proto/capabilities/stack/stack_pb.js'
import { carryOut } from '../change.ts'
import { whole } from '../value.ts'
import type { Verb } from '../verb.ts'
import { STACK } from './cli-words.ts'

export const powerVerbs: Verb[] = [
    {
        words: ['stack', 'up'],
        summary: 'make what runs be what the newest version of the file says',
        description: 'With --dry-run it says what would be made, made anew and removed, and which volumes stay.',
        arguments: [STACK],
        options: [{ name: 'pull', summary: 'pull the images anew' }],
        changes: true,
        examples: [
            { line: 'debvisor stack up shop --dry-run', note: 'The plan alone.' },
            { line: 'debvisor stack up shop --pull', note: 'An update of the images.' },
        ],
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context
                        .client(StackService)
                        .up({ stack: context.args.stack, pull: context.options.pull !== undefined, dryRun }),
            }),
    },
    {
        words: ['stack', 'down'],
        summary: 'stop and remove the containers of a stack; its volumes stay',
        arguments: [STACK],
        changes: true,
        examples: [{ line: 'debvisor stack down shop', note: 'The file and its history stay, too.' }],
        run: context =>
            carryOut(context, {
                call: dryRun => context.client(StackService).down({ stack: context.args.stack, dryRun }),
            }),
    },
    {
        words: ['stack', 'pull'],
        summary: 'pull the images of a stack anew',
        description: 'What runs stays as it is; debvisor stack up makes containers of the newer images.',
        arguments: [STACK],
        changes: true,
        examples: [{ line: 'debvisor stack pull shop', note: 'Then: debvisor stack up shop --dry-run' }],
        run: context =>
            carryOut(context, {
                call: dryRun => context.client(StackService).pull({ stack: context.args.stack, dryRun }),
            }),
    },
    {
        words: ['stack', 'scale'],
        summary: 'say how many containers a service has',
        arguments: [
            STACK,
            { name: 'service', summary: 'name of the service' },
            { name: 'count', summary: 'how many; 0 for none' },
        ],
        changes: true,
        examples: [{ line: 'debvisor stack scale shop web 3', note: 'A new version, which is brought up.' }],
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(StackService).scale({
                        ...{ stack: context.args.stack, service: context.args.service, dryRun },
                        count: whole(context.args.count ?? '', 'count', { most: 100 }),
                    }),
            }),
    },
    ...(['expose', 'unexpose'] as const).map(
        (word): Verb => ({
            words: ['stack', word],
            summary:
                word === 'expose'
                    ? 'open the published ports of a service to other machines'
                    : 'close the published ports of a service to other machines',
            description: 'It is written into the file as a new version, which is brought up.',
            arguments: [STACK, { name: 'service', summary: 'otherwise all services', optional: true }],
            changes: true,
            examples: [{ line: `debvisor stack ${word} shop web`, note: 'debvisor stack show says who reaches what.' }],
            run: context =>
                carryOut(context, {
                    call: dryRun =>
                        context.client(StackService).expose({
                            ...{ stack: context.args.stack, service: context.args.service ?? '' },
                            ...{ lan: word === 'expose', dryRun },
                        }),
                }),
        }),
    ),
    {
        words: ['stack', 'rollback'],
        summary: 'bring a stack back to an older version of its file and variables',
        description: 'It becomes a new version. What volumes hold stays as it is now.',
        arguments: [STACK, { name: 'version', summary: 'number, as debvisor stack history tells it' }],
        changes: true,
        examples: [{ line: 'debvisor stack rollback shop 2 --dry-run', note: 'What it would change.' }],
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(StackService).rollback({
                        ...{ stack: context.args.stack, dryRun },
                        version: whole(context.args.version ?? '', 'version', { least: 1 }),
                    }),
            }),
    },
    {
        words: ['stack', 'remove'],
        summary: 'remove a stack with its containers, file and history; its volumes stay unless they are named',
        arguments: [STACK],
        options: [
            {
                name: 'volume',
                value: 'NAME',
                summary: 'volume of it that is removed too, with all that is in it',
                repeats: true,
                complete: 'container-volume',
            },
        ],
        changes: true,
        examples: [
            { line: 'debvisor stack remove shop --dry-run', note: 'What would go, and which volumes stay.' },
            { line: 'debvisor stack remove shop --volume shop_data', note: 'Its name has to be typed.' },
        ],
        run: context =>
            carryOut(context, {
                consent: context.args.stack,
                call: dryRun =>
                    context.client(StackService).remove({
                        ...{ stack: context.args.stack, volumes: context.lists.volume ?? [], dryRun },
                    }),
            }),
    },
]
