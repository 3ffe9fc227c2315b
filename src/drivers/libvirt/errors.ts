// libvirt's errors as Faults: its number decides the code, its words become the detail.
import { Fault, type FaultCode } from '../../base/fault.ts'
import { ERROR_DOMAINS, ERROR_NUMBERS, VIR } from '../../gen/libvirt/constants.ts'
import type { NetMessageError } from '../../gen/libvirt/protocol.ts'

/** What libvirt said, kept as the cause of the Fault. */
export interface LibvirtError {
    number: number
    /** `VIR_ERR_NO_DOMAIN` */
    name: string
    /** The part of libvirt it comes from: `VIR_FROM_QEMU`. */
    from: string
    message: string
    strings: (string | null)[]
    /** For system errors the first is errno. */
    integers: [number, number]
    /** The procedure that was called. */
    procedure: string
}

const CODES: Record<number, FaultCode> = {}

function classify(code: FaultCode, names: string): void {
    for (const name of names.trim().split(/\s+/)) CODES[VIR[`VIR_ERR_${name}` as keyof typeof VIR] as number] = code
}

classify(
    'not-found',
    `NO_DOMAIN NO_NETWORK NO_STORAGE_POOL NO_STORAGE_VOL NO_NODE_DEVICE NO_INTERFACE NO_NWFILTER NO_SECRET
    NO_DOMAIN_SNAPSHOT NO_DOMAIN_METADATA NO_NWFILTER_BINDING NO_DOMAIN_CHECKPOINT NO_DOMAIN_BACKUP NO_NETWORK_PORT
    NO_NETWORK_METADATA NO_HOSTNAME DEVICE_MISSING UNKNOWN_HOST`,
)
classify('exists', 'DOM_EXIST NETWORK_EXIST STORAGE_VOL_EXIST NETWORK_PORT_EXIST')
classify('conflict', 'RESOURCE_BUSY BLOCK_COPY_ACTIVE')
classify(
    'precondition',
    `OPERATION_INVALID STORAGE_POOL_BUILT SNAPSHOT_REVERT_RISKY MIGRATE_UNSAFE CPU_INCOMPATIBLE MULTIPLE_DOMAINS
    MULTIPLE_INTERFACES CHECKPOINT_INCONSISTENT MIGRATE_FINISH_OK`,
)
classify(
    'invalid',
    `INVALID_ARG INVALID_DOMAIN INVALID_NETWORK INVALID_STORAGE_POOL INVALID_STORAGE_VOL INVALID_NODE_DEVICE
    INVALID_INTERFACE INVALID_NWFILTER INVALID_SECRET INVALID_DOMAIN_SNAPSHOT INVALID_NWFILTER_BINDING
    INVALID_DOMAIN_CHECKPOINT INVALID_NETWORK_PORT INVALID_MAC XML_ERROR XML_DETAIL XML_INVALID_SCHEMA OS_TYPE NO_NAME
    NO_OS NO_SOURCE NO_TARGET OVERFLOW PARSE_FAILED CONF_SYNTAX`,
)
classify('unsupported', 'NO_SUPPORT CONFIG_UNSUPPORTED ARGUMENT_UNSUPPORTED OPERATION_UNSUPPORTED')
classify('denied', 'OPERATION_DENIED AUTH_FAILED AUTH_CANCELLED AUTH_UNAVAILABLE ACCESS_DENIED')
classify('deadline', 'OPERATION_TIMEOUT AGENT_COMMAND_TIMEOUT')
classify('unavailable', 'AGENT_UNRESPONSIVE AGENT_UNSYNCED NO_CONNECT INVALID_CONN')
classify('cancelled', 'OPERATION_ABORTED')
classify('exhausted', 'NO_MEMORY')

/** errno of a system error, where it says more than 'internal'. */
const ERRNO_CODES: Record<number, FaultCode> = {
    1: 'denied',
    2: 'not-found',
    13: 'denied',
    16: 'conflict',
    17: 'exists',
    28: 'exhausted',
    122: 'exhausted',
}

const WORDS: Partial<Record<FaultCode, { summary: string; fix: string }>> = {
    'not-found': {
        summary: 'libvirt knows no such object',
        fix: 'Look at the list again: it may have been removed or renamed.',
    },
    exists: {
        summary: 'libvirt has such an object already',
        fix: 'Choose another name or UUID, or remove the old one.',
    },
    conflict: { summary: 'The object is in use', fix: 'Wait until what uses it has ended, then try again.' },
    precondition: {
        summary: 'libvirt refuses this in the present state',
        fix: 'Bring the object into the state that the detail names, then try again.',
    },
    invalid: { summary: 'libvirt does not accept the description', fix: 'Correct what the detail names.' },
    unsupported: {
        summary: 'libvirt or QEMU on this node cannot do that',
        fix: 'Leave the option out, or use a node with newer packages.',
    },
    denied: {
        summary: 'libvirt does not allow that',
        fix: 'Check that the service runs as a member of the group libvirt, and the rights of the files named.',
    },
    deadline: {
        summary: 'libvirt waited too long for the virtual machine',
        fix: 'Another operation may be under way, or the guest does not answer: wait, then try again.',
    },
    unavailable: {
        summary: 'What libvirt needs for this does not answer',
        fix: 'For the guest agent: install qemu-guest-agent in the guest and see that it runs.',
    },
    cancelled: { summary: 'The operation was cancelled', fix: '' },
    exhausted: { summary: 'The node ran out of memory or space', fix: 'Free some, then try again.' },
    internal: {
        summary: 'libvirt could not do it',
        fix: 'Read the detail and the log of libvirtd (journalctl -u libvirtd); for a start, the log of the VM in /var/log/libvirt/qemu.',
    },
}

interface Said {
    number: number
    words: RegExp
    code: FaultCode
    summary?: string
    fix?: string
}

/** What libvirt reports by one of its general numbers, and tells apart by its words alone. */
const SAID: Said[] = [
    // A taken name or UUID: virDomainObjListAdd and its kin.
    { number: VIR.VIR_ERR_OPERATION_FAILED, words: /already (exists|defined|in use)/i, code: 'exists' },
    // A daemon that is older than our protocol: virNetServerProgramUnknownError, and remoteDispatch…RegisterAny.
    { number: VIR.VIR_ERR_RPC, words: /unknown procedure/i, code: 'unsupported' },
    { number: VIR.VIR_ERR_INTERNAL_ERROR, words: /unsupported [\w ]*event ID/i, code: 'unsupported' },
    // qemuDomainOpenConsole, without VIR_DOMAIN_CONSOLE_FORCE.
    {
        number: VIR.VIR_ERR_OPERATION_FAILED,
        words: /active console session exists/i,
        code: 'conflict',
        summary: 'Somebody else has the serial console open',
        fix: 'Wait until they leave, or take it over: debvisor vm console VM --force',
    },
]

const saidBy = (error: LibvirtError): Said | undefined =>
    SAID.find(({ number, words }) => number === error.number && words.test(error.message))

function codeOf(error: LibvirtError): FaultCode {
    if (error.number === VIR.VIR_ERR_SYSTEM_ERROR) return ERRNO_CODES[error.integers[0]] ?? 'internal'
    return saidBy(error)?.code ?? CODES[error.number] ?? 'internal'
}

/** The Fault for an error that libvirtd sent as the answer to `procedure`. */
export function faultOf(sent: NetMessageError, procedure: string): Fault {
    const error: LibvirtError = {
        number: sent.code,
        name: ERROR_NUMBERS[sent.code] ?? `VIR_ERR_${sent.code}`,
        from: ERROR_DOMAINS[sent.domain] ?? `VIR_FROM_${sent.domain}`,
        message: sent.message ?? `error ${sent.code}`,
        strings: [sent.str1, sent.str2, sent.str3],
        integers: [sent.int1, sent.int2],
        procedure,
    }
    const code = codeOf(error)
    const words = { ...(WORDS[code] ?? WORDS.internal!), ...saidBy(error) }
    return new Fault(code, { summary: words.summary, detail: error.message, fix: words.fix, cause: error })
}

/** What libvirt itself said, when the Fault came from it. */
export function libvirtErrorOf(thrown: unknown): LibvirtError | undefined {
    const cause = thrown instanceof Fault ? (thrown.cause as Partial<LibvirtError> | undefined) : undefined
    return cause && typeof cause.number === 'number' && cause.name?.startsWith('VIR_')
        ? (cause as LibvirtError)
        : undefined
}

/** The Fault for a socket that cannot be opened. */
export function connectFault(error: NodeJS.ErrnoException, socketPath: string): Fault {
    if (error.code === 'EACCES' || error.code === 'EPERM') {
        return new Fault('denied', {
            summary: 'The socket of libvirtd may not be opened',
            detail: socketPath,
            fix: 'Add the user to the group libvirt, then log in again.',
            cause: error,
        })
    }
    return new Fault('unavailable', {
        summary: 'libvirtd cannot be reached',
        detail: `${socketPath} (${error.code ?? error.message})`,
        fix: 'Start it: systemctl start libvirtd',
        cause: error,
    })
}

/** The Fault for a daemon that takes connections or calls but does not answer them. */
export const hungFault = (detail: string): Fault =>
    new Fault('unavailable', {
        summary: 'libvirtd does not answer',
        detail,
        fix: 'Look at journalctl -u libvirtd; systemctl restart libvirtd does not touch running VMs.',
    })

/** The Fault for a daemon that ended the connection: it went away, or it has more clients than it takes. */
export const closedFault = (socketPath: string): Fault =>
    new Fault('unavailable', {
        summary: 'libvirtd closed the connection',
        detail: socketPath,
        fix: 'If it does not come back: systemctl start libvirtd. If it runs, look at max_clients in libvirtd.conf.',
    })

/** What a caller hears of a call that was under way when the connection ended. */
export function lostFault(procedure: string, reads: boolean, why: Fault): Fault {
    if (reads) {
        return new Fault('unavailable', {
            summary: 'The connection to libvirtd ended before it answered',
            detail: procedure,
            fix: 'Try again in a moment: the connection is made anew by itself.',
            cause: why,
        })
    }
    return new Fault('unknown', {
        summary: 'The connection to libvirtd ended during a change: it may or may not have been made',
        detail: procedure,
        fix: 'Look at the state of the object before trying again.',
        cause: why,
    })
}

/** What a caller hears when its deadline passed: nothing happened, or nobody knows. */
export function lateFault(procedure: string, facts: { reads: boolean; sent: boolean; deadlineMs: number }): Fault {
    if (facts.sent && !facts.reads) {
        return new Fault('unknown', {
            summary: 'libvirtd did not answer in time: the change may or may not be made',
            detail: `${procedure} after ${facts.deadlineMs} ms`,
            fix: 'Look at the state of the object before trying again.',
        })
    }
    return new Fault('deadline', {
        summary: 'libvirtd did not answer in time',
        detail: `${procedure} ${facts.sent ? '' : '(waiting for its turn) '}after ${facts.deadlineMs} ms`,
        fix: 'Try again; if it stays so, look at journalctl -u libvirtd.',
    })
}
