// The Engine's refusals as Faults: its status decides the code, its words become the detail.
import { Fault, type FaultCode } from '../../base/fault.ts'

const CODES: Record<number, FaultCode> = {
    400: 'invalid',
    401: 'denied',
    403: 'denied',
    404: 'not-found',
    406: 'unsupported',
    409: 'conflict',
    500: 'precondition',
    501: 'unsupported',
    503: 'unavailable',
}

interface Words {
    summary: string
    fix: string
}

const WORDS: Partial<Record<FaultCode, Words>> = {
    invalid: { summary: 'Docker does not accept the description', fix: 'Correct what the detail names.' },
    denied: { summary: 'Docker does not allow that', fix: 'Look at the rights that the detail names.' },
    'not-found': {
        summary: 'Docker knows no such object',
        fix: 'Look at the list again: it may have been removed or renamed.',
    },
    conflict: { summary: 'The object is in use', fix: 'Remove what uses it first, or wait until that has ended.' },
    precondition: { summary: 'Docker could not do it', fix: 'Correct what the detail names, then try again.' },
    unsupported: { summary: 'Docker on this node cannot do that', fix: 'Leave it out, or use a newer Docker.' },
    unavailable: { summary: 'Docker is not ready for that', fix: 'Wait a moment, then try again.' },
}

interface Said extends Words {
    words: RegExp
    code: FaultCode
}

/** What the Engine tells apart by its words alone; the first that fits. */
const SAID: Said[] = [
    {
        words: /is already in use by container/,
        code: 'exists',
        summary: 'There is a container of that name',
        fix: 'Choose another name, or remove the other container.',
    },
    {
        words: /port is already allocated|address already in use/,
        code: 'conflict',
        summary: 'The port is taken',
        fix: 'Publish another port, or stop what listens on this one.',
    },
    {
        words: /no space left on device/,
        code: 'exhausted',
        summary: 'The disk of Docker is full',
        fix: 'Remove what is not needed: debvisor container prune --dry-run shows what that would free.',
    },
    {
        words: /unauthorized|authentication required|denied: |no basic auth|incorrect username or password/i,
        code: 'denied',
        summary: 'The registry does not let us in',
        fix: 'Check the name of the image and the credentials of its registry.',
    },
    {
        words: /manifest unknown|manifest for .* not found|repository .* not found|name unknown/,
        code: 'not-found',
        summary: 'The registry has no such image',
        fix: 'Check the name and the tag of the image.',
    },
    {
        words: /no such host|connection refused|i\/o timeout|network is unreachable|TLS handshake|context deadline exceeded|server gave HTTP response to HTTPS client|x509:/i,
        code: 'unavailable',
        summary: 'The registry cannot be reached',
        fix: "Check its name, the node's network, and the registry's certificate.",
    },
    {
        words: /No such image/,
        code: 'not-found',
        summary: 'The image is not on this node',
        fix: 'Pull it first.',
    },
    {
        words: /executable file not found|no such file or directory: unknown|permission denied: unknown/,
        code: 'precondition',
        summary: 'The command cannot be run in the container',
        fix: 'Name a program that is in the image.',
    },
    {
        words: /is not running|is not paused|is already paused|is paused|is restarting/,
        code: 'precondition',
        summary: 'The state of the container does not allow that',
        fix: 'Look at its state, then try again.',
    },
]

const MESSAGE_CHARACTERS = 400

/** The Fault for an answer that is none; `message` is what the Engine said. */
export function refusal(status: number, message: string): Fault {
    const detail = oneLine(message)
    const said = SAID.find(({ words }) => words.test(message))
    if (said) return new Fault(said.code, { summary: said.summary, detail, fix: said.fix })
    const code = CODES[status] ?? (status >= 500 ? 'precondition' : 'invalid')
    return new Fault(code, { ...WORDS[code]!, detail })
}

/** The Fault for an error inside a stream of progress, which has no status. */
export const refusedInStream = (message: string): Fault => refusal(500, message)

/** The Fault for a connection that failed; `effect` where the request may have been carried out all the same. */
export function unreachable(thrown: NodeJS.ErrnoException, socketPath: string, effect = false): Fault {
    const missing = thrown.code === 'ENOENT' || thrown.code === 'ECONNREFUSED'
    if (missing || thrown.code === 'EACCES') {
        return new Fault('unavailable', {
            summary: thrown.code === 'EACCES' ? 'Docker does not let this service in' : 'Docker does not run here',
            detail: `${socketPath}: ${thrown.code}`,
            fix:
                thrown.code === 'EACCES'
                    ? 'Put the user of debvisor-rpcd into the group docker, and restart the service.'
                    : 'Start it with: systemctl start docker. Where it is not installed, set docker in the node document.',
            cause: thrown,
        })
    }
    return new Fault(effect ? 'unknown' : 'unavailable', {
        summary: effect ? 'Docker went away in the middle; it may have happened' : 'Docker went away in the middle',
        detail: thrown.code ?? thrown.message,
        fix: 'Look at the state, then try again.',
        cause: thrown,
    })
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim().slice(0, MESSAGE_CHARACTERS)
