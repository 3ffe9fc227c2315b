// What a failed call means here: the node's own Fault, or what the connection's trouble says.
import { Code, ConnectError } from '@connectrpc/connect'
import { asFault, Fault, type FaultCode } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import { ProblemSchema } from '../../gen/proto/capabilities/debvisor_pb.js'

/** The Fault that a server sent, or what the connection's own trouble means. */
export function faultOf(thrown: unknown): Fault {
    if (!(thrown instanceof ConnectError)) return asFault(thrown)
    const problem = thrown.findDetails(ProblemSchema)[0]
    if (problem) {
        const { summary, detail, fix, at } = problem
        const findings = problem.findings.map(f => ({ ...f, severity: f.severity as Finding['severity'] }))
        return new Fault(problem.code as FaultCode, { summary, detail, fix, at, findings, cause: thrown })
    }
    if (thrown.code === Code.Unavailable || thrown.code === Code.Unknown || thrown.code === Code.Internal) {
        return new Fault('unavailable', {
            summary: 'The node cannot be reached',
            detail: thrown.rawMessage,
            fix: 'See whether debvisor-rpcd runs there, and whether the address and certificate are right.',
            cause: thrown,
        })
    }
    return new Fault('invalid', { summary: 'The call was refused', detail: thrown.rawMessage, cause: thrown })
}
