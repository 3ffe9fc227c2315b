// Faults on plain HTTP: a status for every code. (On the wire of calls: capabilities/problem.ts.)
import type { FaultCode } from '../../base/fault.ts'
import { toldProblem } from '../../capabilities/problem.ts'

export { connectError } from '../../capabilities/problem.ts'

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

/** A status and a JSON body with the Problem's fields. */
export function httpProblem(thrown: unknown): { status: number; body: string } {
    const problem = toldProblem(thrown)
    return { status: HTTP[problem.code] ?? 500, body: `${JSON.stringify(problem)}\n` }
}
