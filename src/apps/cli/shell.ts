// A shell of root on the node in this terminal, for administrators who have just confirmed who they are.
import { confirmed } from '../../capabilities/confirm.ts'
import type { Verb, VerbContext } from '../../capabilities/verb.ts'
import { ShellService } from '../../gen/proto/capabilities/shell/shell_pb.js'
import type { Target } from './connect.ts'
import { openSocket } from './http.ts'
import type { Io } from './io.ts'
import { joinTerminal } from './terminal.ts'

export const shellVerbs = (io: Io, target: (options: VerbContext['options']) => Target): Verb[] => [
    {
        words: ['node', 'shell'],
        summary: 'open a shell of root on the node in this terminal; exit leaves',
        description:
            'Asks for your password, and for a one-time password where you have a second factor. From a pipe the first ' +
            'line is the password, and the rest is what the shell reads.',
        examples: [
            { line: 'debvisor node shell --server https://node1:8443', note: 'As administrator, from elsewhere.' },
        ],
        async run(context) {
            const at = target(context.options)
            // Root on the node's own socket is told that they have one, and is asked for nothing before.
            const confirmationToken = 'socket' in at ? '' : await confirmed(context)
            const { path, ticket } = await context.client(ShellService).open({ confirmationToken })
            const socket = await openSocket(at, path, ['debvisor.console', `ticket.${ticket}`])
            const typed = io.stdin.isTTY ? undefined : await context.file('-')
            const reason = await joinTerminal(io, socket, { typed })
            io.stderr.write(`\r\nThe shell was closed${reason ? `: ${reason}` : ''}.\r\n`)
            return { kind: 'nothing' }
        },
    },
]
