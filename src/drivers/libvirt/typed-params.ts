// libvirt's typed parameters as plain objects, and the calls that want to be asked twice for them.
import { Fault } from '../../base/fault.ts'
import { VIR } from '../../gen/libvirt/constants.ts'
import type { Calls, TypedParam, TypedParamValue } from '../../gen/libvirt/protocol.ts'
import type { Call } from './calls.ts'

/** What a parameter may be; the daemon refuses the wrong width, so numbers name theirs: `uint(5)`. */
export type ParamInput = string | boolean | TypedParamValue
export type ParamValue = string | boolean | number | bigint

export const int = (value: number): TypedParamValue => ({ type: VIR.VIR_TYPED_PARAM_INT, value })
export const uint = (value: number): TypedParamValue => ({ type: VIR.VIR_TYPED_PARAM_UINT, value })
export const llong = (value: bigint | number): TypedParamValue => ({
    type: VIR.VIR_TYPED_PARAM_LLONG,
    value: BigInt(value),
})
export const ullong = (value: bigint | number): TypedParamValue => ({
    type: VIR.VIR_TYPED_PARAM_ULLONG,
    value: BigInt(value),
})
export const double = (value: number): TypedParamValue => ({ type: VIR.VIR_TYPED_PARAM_DOUBLE, value })

/** Typed parameters from an object; what is undefined is left out. @throws Fault `invalid` for a bare number */
export function toParams(values: Record<string, ParamInput | undefined>): TypedParam[] {
    const params: TypedParam[] = []
    for (const [field, value] of Object.entries(values)) {
        if (value === undefined) continue
        if (typeof value === 'string') params.push({ field, value: { type: VIR.VIR_TYPED_PARAM_STRING, value } })
        else if (typeof value === 'boolean') {
            params.push({ field, value: { type: VIR.VIR_TYPED_PARAM_BOOLEAN, value: value ? 1 : 0 } })
        } else if (typeof value === 'object') params.push({ field, value })
        else {
            throw new Fault('invalid', {
                summary: 'A parameter of libvirt has no width',
                detail: `${field} is a bare ${typeof value}`,
                fix: 'Say int(), uint(), llong(), ullong() or double(), as the documentation of the parameter does.',
                at: field,
            })
        }
    }
    return params
}

/** A list of parameters as an object; a name that comes twice keeps its last value (see `paramList`). */
export function fromParams(params: readonly TypedParam[]): Record<string, ParamValue> {
    const values: Record<string, ParamValue> = {}
    for (const { field, value } of params) values[field] = plain(value)
    return values
}

/** The values of one name, in order, for parameters that may come more than once. */
export const paramList = (params: readonly TypedParam[], field: string): ParamValue[] =>
    params.filter(param => param.field === field).map(param => plain(param.value))

const plain = (value: TypedParamValue): ParamValue =>
    value.type === VIR.VIR_TYPED_PARAM_BOOLEAN ? value.value !== 0 : value.value

/** The calls that answer parameters when they are told how many there are. */
export type CountedCall =
    | 'domainGetSchedulerParametersFlags'
    | 'domainGetBlkioParameters'
    | 'domainGetMemoryParameters'
    | 'domainGetNumaParameters'
    | 'domainGetInterfaceParameters'
    | 'domainGetBlockIoTune'
    | 'domainBlockStatsFlags'
    | 'nodeGetMemoryParameters'

/**
 * The parameters of one of these calls. The first call asks for their number, the second for them; and strings are left
 * out in silence unless VIR_TYPED_PARAM_STRING_OKAY is said, which libvirt's own library does for its callers.
 */
export async function readParams<N extends CountedCall>(
    call: Call,
    name: N,
    args: Omit<Calls[N][0], 'nparams'>,
): Promise<Record<string, ParamValue>> {
    const flags = (args.flags ?? 0) | VIR.VIR_TYPED_PARAM_STRING_OKAY
    const ask = call as (name: CountedCall, args: object) => Promise<{ params: TypedParam[]; nparams: number }>
    const { nparams } = await ask(name, { ...args, nparams: 0, flags })
    if (nparams === 0) return {}
    return fromParams((await ask(name, { ...args, nparams, flags })).params)
}
