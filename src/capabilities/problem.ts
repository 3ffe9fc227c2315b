// Faults on the wire: one closed table of codes, a Problem beside every error, and the way back.
import { create } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { asFault, Fault, type FaultCode, type Problem, problemOf } from '../base/fault.ts'
import type { Finding } from '../base/finding.ts'
import { ProblemSchema, type Problem as WireProblem } from '../gen/proto/capabilities/debvisor_pb.js'

const CODES: Record<FaultCode, Code> = {
    invalid: Code.InvalidArgument,
    'not-found': Code.NotFound,
    exists: Code.AlreadyExists,
    conflict: Code.Aborted,
    denied: Code.PermissionDenied,
    unauthenticated: Code.Unauthenticated,
    precondition: Code.FailedPrecondition,
    unsupported: Code.Unimplemented,
    exhausted: Code.ResourceExhausted,
    unavailable: Code.Unavailable,
    cancelled: Code.Canceled,
    deadline: Code.DeadlineExceeded,
    unknown: Code.Unknown,
    internal: Code.Internal,
}

/** What may leave the daemon: the words of a Fault; of anything else only that it happened, its words are in the log. */
export function toldProblem(thrown: unknown): Problem {
    const problem = problemOf(asFault(thrown))
    return thrown instanceof Fault ? problem : { ...problem, detail: '' }
}

/** The error of a call. */
export function connectError(thrown: unknown): ConnectError {
    if (thrown instanceof ConnectError) return thrown
    const problem = create(ProblemSchema, toldProblem(thrown))
    const message = problem.detail ? `${problem.summary}: ${problem.detail}` : problem.summary
    return new ConnectError(
        message,
        CODES[problem.code as FaultCode],
        undefined,
        [{ desc: ProblemSchema, value: problem }],
        thrown,
    )
}

/** The Fault that the other side sent; undefined where the connection itself was the trouble. */
export function sentFault(thrown: unknown): Fault | undefined {
    const problem = thrown instanceof ConnectError ? thrown.findDetails(ProblemSchema)[0] : undefined
    return problem && faultOfProblem(problem, thrown)
}

export function faultOfProblem(problem: WireProblem, cause?: unknown): Fault {
    const { code, summary, detail, fix, at } = problem
    const findings = problem.findings.map(one => ({ ...one, severity: one.severity as Finding['severity'] }))
    return new Fault(code as FaultCode, { summary, detail, fix, at, findings, cause })
}
