// The verb that brings what a stack wrote to this terminal.
import { STACK } from '../../capabilities/stack/cli-words.ts'
import type { Verb } from '../../capabilities/verb.ts'
import { StackService } from '../../gen/proto/capabilities/stack/stack_pb.js'
import type { Io } from './io.ts'
import { LOG_OPTIONS, showLogs } from './logs.ts'

export const stackVerbs = (io: Io): Verb[] => [
    {
        words: ['stack', 'logs'],
        summary: 'show what the containers of a stack wrote',
        description: 'Each line with its container before it. With --follow until Ctrl-C.',
        arguments: [STACK],
        options: [{ name: 'service', value: 'NAME', summary: 'only of this service', repeats: true }, ...LOG_OPTIONS],
        examples: [{ line: 'debvisor stack logs shop --follow --tail 20', note: 'All services together.' }],
        run: context =>
            showLogs(context, io, (asked, how) =>
                context
                    .client(StackService)
                    .watchLogs({ ...asked, stack: context.args.stack, services: context.lists.service ?? [] }, how),
            ),
    },
]
