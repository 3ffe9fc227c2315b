// A login shell of root at a terminal, for one administrator who has confirmed; its bytes come by an upgraded connection.
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { type Duplex, Readable, Writable } from 'node:stream'
import { asFault, Fault } from '../../base/fault.ts'
import { createTickets } from '../../capabilities/tickets.ts'
import type { Clock, Log, System, Terminal } from '../../ports/ports.ts'
import type { Person } from './confirm.ts'

/** Where the upgrade is asked for; the ticket is in a header, as paths end up in logs. */
export const SHELL_PATH = '/shell'
export const SHELL_PROTOCOL = 'debvisor-shell'
export const SHELL_TICKET = 'x-debvisor-ticket'
/** At once, of all people. */
const MOST = 20
const MOST_CELLS = 1000

/**
 * Root's own login shell, by su: what a login at the console gives, with the session that PAM makes of it. This service
 * is spared when memory runs out; what is started in the shell is not to be (choom).
 */
const LOGIN = ['choom', '-n', '0', '--', 'su', '--login', '--whitelist-environment=DEBVISOR_USER', 'root'] as const

export interface Shells {
    /** @throws Fault `exhausted` */
    issue(person: Person): { shell: string; ticket: string }
    resize(shell: string, size: { columns: number; rows: number }): Promise<void>
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
    close(): void
}

export function createShells({ system, clock, log }: { system: System; clock: Clock; log: Log }): Shells {
    const tickets = createTickets<{ user: string; from: string; shell: string }>(clock)
    const open = new Map<string, Terminal>()

    function begin(request: IncomingMessage, socket: Duplex, head: Buffer): void {
        const given = request.headers[SHELL_TICKET]
        const { user, from, shell } = tickets.redeem(typeof given === 'string' ? given : '')
        const terminal = system.openTerminal(LOGIN, { TERM: 'xterm-256color', DEBVISOR_USER: user })
        open.set(shell, terminal)
        log.info('a shell of root begins', { user, from, shell })
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${SHELL_PROTOCOL}\r\n\r\n`)
        if (head.length > 0) socket.unshift(head)
        const end = () => terminal.end()
        // An HTTP server's connections stay half open: the end of what is typed is the end of the shell, too.
        socket.on('error', end).on('end', end).on('close', end)
        Readable.from(terminal.output).on('error', end).pipe(socket)
        socket.pipe(keyboard(terminal))
        void terminal.ended.then(exitCode => {
            open.delete(shell)
            log.info('a shell of root has ended', { user, from, shell, exitCode })
            socket.end()
        })
    }

    return {
        issue({ user, from }) {
            if (open.size >= MOST)
                throw new Fault('exhausted', {
                    summary: 'Too many shells of root are open',
                    detail: `${open.size}`,
                    fix: 'End one of them first.',
                })
            const shell = randomBytes(8).toString('hex')
            return { shell, ticket: tickets.issue({ user, from, shell }) }
        },
        async resize(shell, { columns, rows }) {
            const fits = (cells: number) => Number.isInteger(cells) && cells > 0 && cells < MOST_CELLS
            if (fits(columns) && fits(rows)) await open.get(shell)?.resize({ columns, rows })
        },
        upgrade(request, socket, head) {
            socket.on('error', () => socket.destroy())
            try {
                if (request.url !== SHELL_PATH) throw new Fault('not-found', { summary: 'There is nothing here' })
                begin(request, socket, head)
            } catch (thrown) {
                log.warn('a shell of root was refused', { why: asFault(thrown).summary })
                socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
            }
        },
        close() {
            for (const terminal of open.values()) terminal.end()
        },
    }
}

const keyboard = (terminal: Terminal) =>
    new Writable({
        write: (typed: Buffer, _encoding, taken) => void terminal.write(typed).then(() => taken(), taken),
        final(done) {
            terminal.finish()
            done()
        },
    })
