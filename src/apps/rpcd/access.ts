// The one gate before every handler: the method's permission (none: refused), the audit record, and faults made words.
import { type DescMethod, getOption, hasOption, toJson } from '@bufbuild/protobuf'
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, type Interceptor, type StreamRequest, type UnaryRequest } from '@connectrpc/connect'
import { asFault, Fault } from '../../base/fault.ts'
import { redact } from '../../base/redact.ts'
import { type AuditSink, viaWords } from '../../capabilities/audit/audit.ts'
import { type Caller, callerKey, type Guarded } from '../../capabilities/caller.ts'
import { isDangerous } from '../../capabilities/dangerous.ts'
import { type Access, access as accessOption } from '../../gen/proto/capabilities/debvisor_pb.js'
import type { Clock, Log } from '../../ports/ports.ts'
import { connectError } from './errors.ts'
import { notLoggedIn } from './listen.ts'
import { guardStream } from './stream.ts'

export interface AccessDeps {
    audit: AuditSink
    /** The object that a reference in a request names, by the field's name (`vm`); undefined when there is none. */
    resolve(kind: string, ref: string): Promise<(Guarded & { name: string }) | undefined>
    /** @throws Fault `denied` at `confirmation` unless the caller has confirmed lately who they are */
    needConfirmation(caller: Caller, token: string, permission?: string): void
    clock: Clock
    log: Log
}

/** The rule of a method, or undefined for one that nobody may call. */
export const accessOf = (method: DescMethod): Access | undefined =>
    hasOption(method, accessOption) ? getOption(method, accessOption) : undefined

const changes = (method: DescMethod) => method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS

export function accessInterceptor(deps: AccessDeps): Interceptor {
    const deny = denials(deps)
    return next => async request => {
        const caller = request.contextValues.get(callerKey)
        const rule = accessOf(request.method)
        /** Says what went wrong where it is to be said, and answers what the caller hears. */
        const failed = (thrown: unknown): ConnectError => {
            // A caller who has left hears nothing, and what that broke is no failure of ours.
            const isOurs =
                thrown instanceof ConnectError ? thrown.code === Code.Internal : asFault(thrown).code === 'internal'
            if (isOurs && !request.signal.aborted)
                deps.log.error('a call failed unexpectedly', { method: request.method.name, err: thrown })
            return connectError(thrown)
        }
        try {
            const [message, through] = await firstMessage(request)
            const object = await gate(deps, rule, caller, message)
            // The handler gets what the gate looked at, not a name that may mean another by now.
            if (rule?.on && object) message[rule.on] = object.id
            if (isDangerous(request.method, message))
                deps.needConfirmation(caller, String(message.confirmationToken ?? ''), rule?.permission)
            const pass = () => next(through)
            const response =
                !changes(request.method) || !rule || rule.open || message.dryRun === true
                    ? await pass()
                    : await audited(deps, rule, caller, { method: request.method, message, object }, pass)
            if (!response.stream || !rule) return response
            const may = () => stillMay(deps, rule, caller, object)
            return { ...response, message: guardStream<never>(response.message as never, { ...deps, may, failed }) }
        } catch (thrown) {
            if (!(thrown instanceof ConnectError) && asFault(thrown).code === 'denied')
                await deny(rule, caller, request.method)
            throw failed(thrown)
        }
    }
}

/** The gate's question again, while a stream goes on: of the object as it is now. Filtered handlers ask themselves. */
async function stillMay(deps: AccessDeps, rule: Access, caller: Caller, before: Guarded | undefined): Promise<boolean> {
    if (rule.open || rule.local || rule.self || rule.filtered) return true
    const object = before && rule.on ? ((await deps.resolve(rule.on, before.id)) ?? before) : undefined
    return caller.may(rule.permission, object)
}

type Plain = Record<string, unknown>
type Through = UnaryRequest | StreamRequest

/** A server stream has its one message behind an iterator: read it, and hand it on unchanged. */
async function firstMessage(request: Through): Promise<[Plain, Through]> {
    if (!request.stream) return [request.message as unknown as Plain, request]
    if (request.method.methodKind !== 'server_streaming') return [{}, request]
    for await (const message of request.message) {
        async function* once() {
            yield message
        }
        return [message as unknown as Plain, { ...request, message: once() }]
    }
    throw new Fault('invalid', { summary: 'The request has no message', fix: 'Send one message.' })
}

async function gate(deps: AccessDeps, rule: Access | undefined, caller: Caller, message: Plain) {
    if (!rule) throw new Fault('denied', { summary: 'Nobody may call this method', detail: 'it names no permission' })
    if (rule.open) return undefined
    if (caller.via === 'nobody') {
        throw notLoggedIn()
    }
    if (rule.local && caller.via !== 'root') {
        throw new Fault('denied', {
            summary: 'Only root of the node may do this',
            fix: 'Run the command as root on the node.',
        })
    }
    if (rule.self || rule.filtered) return undefined
    if (!rule.on) {
        caller.need(rule.permission)
        return undefined
    }
    const ref = String(message[rule.on] ?? '')
    if (ref === '')
        throw new Fault('invalid', {
            summary: 'The request does not say what it is about',
            at: rule.on,
            fix: `Set ${rule.on}.`,
        })
    // Who may do it to none of them learns nothing of which exist: an unknown object is refused like a hidden one.
    const object = await deps.resolve(rule.on, ref)
    caller.need(rule.permission, object)
    if (!object) {
        throw new Fault('not-found', {
            summary: `There is no such ${rule.on === 'vm' ? 'VM' : rule.on}`,
            detail: JSON.stringify(ref.slice(0, 80)),
            at: rule.on,
            fix: `List them with: debvisor ${rule.on} list`,
        })
    }
    return object
}

interface Call {
    method: DescMethod
    message: Plain
    object: (Guarded & { name: string }) | undefined
}

/** Intent before effect, result after it; when no intent can be written, only what stops things goes on. */
async function audited<T>(
    deps: AccessDeps,
    rule: Access,
    caller: Caller,
    call: Call,
    effect: () => Promise<T>,
): Promise<T> {
    const words = {
        who: caller.user,
        from: caller.from,
        via: viaWords(caller),
        what: `${call.method.parent.typeName.split('.').at(-3)}.${call.method.name}`,
        ...(call.object ? { onId: call.object.id, onName: call.object.name } : objectOf(call.message)),
        detail: call.method.methodKind === 'unary' ? requestWords(call) : undefined,
    }
    let intent: number | undefined
    try {
        intent = await deps.audit.intent(words)
    } catch (thrown) {
        if (!rule.stops) throw thrown
        deps.log.error('a stopping call goes on without its audit record', { what: words.what, who: words.who })
    }
    const say = async (record: (number: number) => Promise<void>) => {
        if (intent === undefined) return
        await record(intent).catch(thrown =>
            deps.log.error('the result of a call could not be recorded', { what: words.what, err: thrown }),
        )
    }
    try {
        const response = await effect()
        const { task, object } = (response as { message?: { task?: unknown; object?: unknown } }).message ?? {}
        const made = typeof object === 'string' ? object : undefined
        await say(number =>
            typeof task === 'string' && task !== ''
                ? deps.audit.begun(number, task, made)
                : deps.audit.close(number, { result: 'done' }),
        )
        return response
    } catch (thrown) {
        const { code, summary, detail, at } = asFault(thrown)
        await say(number => deps.audit.close(number, { result: 'failed', detail: { code, summary, detail, at } }))
        throw thrown
    }
}

/** What a request without a VM is about, by the words that it has for it. */
function objectOf(message: Plain): { onId: string; onName: string } {
    const word = (...fields: string[]) =>
        fields.map(field => message[field]).find((value): value is string => typeof value === 'string' && value !== '')
    const [pool, thing] = [word('pool'), word('volume', 'name')]
    const onName =
        pool && thing ? `${pool}/${thing}` : (thing ?? pool ?? word('network', 'user', 'vm', 'tag', 'reference') ?? '')
    return { onId: word('id', 'upload') ?? '', onName }
}

const requestWords = (call: Call) => redact(toJson(call.method.input, call.message as never))

const DENIAL_EVERY_MS = 60_000
const DENIALS_KEPT = 1000

/** Records denials, the same one once a minute with how often it came: who asks in a loop must not fill the disk. */
function denials(deps: AccessDeps) {
    const last = new Map<string, { atMs: number; since: number }>()
    return async (rule: Access | undefined, caller: Caller, method: DescMethod): Promise<void> => {
        const what = rule?.permission || `${method.parent.typeName}/${method.name}`
        const key = `${caller.user} ${caller.from} ${method.parent.typeName}/${method.name}`
        const nowMs = performance.now()
        const before = last.get(key)
        if (before && nowMs - before.atMs < DENIAL_EVERY_MS) {
            before.since++
            return
        }
        if (last.size >= DENIALS_KEPT) last.delete(last.keys().next().value!)
        last.set(key, { atMs: nowMs, since: 0 })
        const detail = { method: method.name, ...(before?.since ? { since: `${before.since} more before` } : {}) }
        await deps.audit
            .event({ who: caller.user, from: caller.from, via: viaWords(caller), what, detail, result: 'denied' })
            .catch(thrown => deps.log.error('a denial could not be recorded', { what, err: thrown }))
    }
}
