// Faults on the wire: one closed table of codes, and a Problem beside every error.
import { create } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { asFault, Fault, type FaultCode, type Problem, problemOf } from '../../base/fault.ts'
import { ProblemSchema } from '../../gen/proto/capabilities/debvisor_pb.js'

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

const HTTP: Partial<Record<FaultCode, number>> = {
    invalid: 400,
    unauthenticated: 401,
    denied: 403,
    'not-found': 404,
    exists: 409,
    conflict: 409,
    precondition: 412,
    exhausted: 507,
    unsupported: 501,
    unavailable: 503,
    deadline: 504,
}

/** What may leave the daemon: the words of a Fault; of anything else only that it happened, its words are in the log. */
function told(thrown: unknown): Problem {
    const problem = problemOf(asFault(thrown))
    return thrown instanceof Fault ? problem : { ...problem, detail: '' }
}

/** The error of a call. */
export function connectError(thrown: unknown): ConnectError {
    if (thrown instanceof ConnectError) return thrown
    const problem = create(ProblemSchema, told(thrown))
    const message = problem.detail ? `${problem.summary}: ${problem.detail}` : problem.summary
    return new ConnectError(
        message,
        CODES[problem.code as FaultCode],
        undefined,
        [{ desc: ProblemSchema, value: problem }],
        thrown,
    )
}

/** The same for plain HTTP routes: a status and a JSON body with the Problem's fields. */
export function httpProblem(thrown: unknown): { status: number; body: string } {
    const problem = told(thrown)
    return { status: HTTP[problem.code] ?? 500, body: `${JSON.stringify(problem)}\n` }
}
