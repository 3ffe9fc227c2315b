// The certificate of the panel and API as a capability: shown, replaced, got by ACME, and renewed by itself.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import type { TaskObject, Tasks } from '../../engine/task.ts'
import {
    CertificateSchema,
    CertificateService,
    type SetAcmeRequest,
} from '../../gen/proto/capabilities/certificate/certificate_pb.js'
import type { Clock, Log, System } from '../../ports/ports.ts'
import { beginChange } from '../begin.ts'
import { type Caller, callerOf } from '../caller.ts'
import type { Capability } from '../capability.ts'
import { type AcmeSettings, createAcme, nextTryMs } from './acme.ts'
import { type AcmeWant, checkAcme, LETS_ENCRYPT } from './acme-spec.ts'
import { checkPair, facts, type Pair } from './pair.ts'
import { type Certificates, isOurs, ownNames } from './store.ts'

export interface CertificateDeps {
    certificates: Certificates
    /** Where the pair is, and what ACME keeps. */
    folder: string
    /** TCP port at which a challenge is answered while it runs. */
    challengePort: number
    tasks: Tasks
    system: System
    clock: Clock
    log: Log
    /** Why no connection can be made with a pair; empty where it can. */
    unusable(pair: Pair): string
    /** @throws Fault `denied` unless the caller has confirmed lately who they are */
    needConfirmation(caller: Caller, token: string): Promise<void>
    /** Told of what nobody asked for: for the audit record. */
    onRenewal(event: { fingerprint: string; result: 'done' | 'failed' }): void
}

const LOOK_MS = 10 * 60_000
const ITSELF = 'debvisor'
const OBJECT: TaskObject = { kind: 'certificate', id: '', name: 'panel' }

export function createCertificate(deps: CertificateDeps): Capability {
    const { certificates, clock, log, system, tasks } = deps
    const acme = createAcme({ ...deps, port: deps.challengePort })
    const nodeNames = () => ownNames(system.hostname())
    const about = () => ({ nowMs: clock.now(), nodeNames: nodeNames(), unusable: deps.unusable })
    const shownNow = () => message(certificates.current().certPem)
    const now = () => acme.get(certificates.current())
    let renewing: Promise<unknown> | undefined

    const confirmed = (caller: Caller, token: string) =>
        // Root of the node, at its own socket, has no password here and needs none.
        caller.via === 'root' ? Promise.resolve() : deps.needConfirmation(caller, token)

    /** What ACME gave is checked like what a person gives. */
    async function use(pair: Pair): Promise<void> {
        refuseErrors(checkPair(pair, about()), 'The certificate that the authority gave cannot be used')
        await certificates.put(pair)
    }

    async function renewWhenDue(): Promise<void> {
        await certificates.look()
        const settings = await now()
        const life = facts(certificates.current().certPem)
        if (!settings || !life || renewing || clock.now() < nextTryMs(life, settings)) return
        const { settled } = await tasks.begin(
            { kind: 'certificate.renew', title: 'Renew the certificate of the panel', owner: ITSELF, on: OBJECT },
            task => acme.again(settings, use, task.signal),
        )
        renewing = settled.then(({ state }) => {
            renewing = undefined
            const { fingerprint } = certificates.current()
            deps.onRenewal({ fingerprint, result: state === 'done' ? 'done' : 'failed' })
        })
        await renewing
    }
    const look = () =>
        void renewWhenDue().catch(thrown => log.error('the certificate could not be looked after', { err: thrown }))
    let stop = () => {}

    return {
        name: 'certificate',
        services: router =>
            router.service(CertificateService, {
                async get() {
                    const { certPem } = certificates.current()
                    const settings = await now()
                    const source = settings ? 'acme' : isOurs(certPem) ? 'self-signed' : 'own'
                    return {
                        ...{ certificate: shownNow(), source, pem: certPem, nodeNames: nodeNames() },
                        acme: settings && acmeMessage(settings, certPem),
                        findings: findingsNow({ certPem, settings }),
                    }
                },
                async setOwn(request, context) {
                    const pair = { certPem: request.certificate, keyPem: request.privateKey }
                    const findings = checkPair(pair, about())
                    refuseErrors(findings, 'That certificate cannot be used')
                    if (!request.dryRun) {
                        await confirmed(callerOf(context), request.confirmationToken)
                        await certificates.put(pair)
                        await acme.forget()
                    }
                    return { certificate: message(pair.certPem), findings }
                },
                async setSelfSigned(request, context) {
                    await confirmed(callerOf(context), request.confirmationToken)
                    await certificates.selfSign()
                    await acme.forget()
                    return { certificate: shownNow() }
                },
                async setAcme(request, context) {
                    const caller = callerOf(context)
                    const want = wantOf(request)
                    refuseErrors(checkAcme(want), 'A certificate cannot be asked for like this')
                    if (!request.dryRun) await confirmed(caller, request.confirmationToken)
                    const change = {
                        ...{ kind: 'certificate.acme', title: 'Get a certificate by ACME', cancellable: true },
                        plan: planOf(want, deps.challengePort),
                        work: ({ signal }: { signal: AbortSignal }) => acme.first(want, use, signal),
                    }
                    return beginChange(OBJECT, change, { tasks, owner: caller.user, dryRun: request.dryRun })
                },
                async renew({ dryRun }, context) {
                    const settings = await now()
                    if (!settings) throw noAcme()
                    const change = {
                        ...{
                            kind: 'certificate.renew',
                            title: 'Renew the certificate of the panel',
                            cancellable: true,
                        },
                        plan: [{ sentence: `Get a new certificate for ${settings.names.join(', ')}` }],
                        work: ({ signal }: { signal: AbortSignal }) => acme.again(settings, use, signal),
                    }
                    return beginChange(OBJECT, change, { tasks, owner: callerOf(context).user, dryRun })
                },
            }),
        async start() {
            await acme.sweep()
            look()
            stop = clock.every(LOOK_MS, look)
        },
        async close() {
            stop()
            await renewing
        },
    }

    /** What is worth knowing of the one that is shown. */
    function findingsNow({ certPem, settings }: { certPem: string; settings: AcmeSettings | undefined }): Finding[] {
        const { keyPem } = certificates.current()
        const found = isOurs(certPem) ? [] : checkPair({ certPem, keyPem }, about())
        const { problem } = settings ?? {}
        if (problem)
            found.unshift({
                ...{
                    severity: 'warning',
                    code: 'renewal-failed',
                    at: 'acme',
                    summary: 'The certificate could not be renewed',
                },
                detail: [problem.summary, problem.detail].filter(Boolean).join(': '),
                fix: problem.fix,
            })
        return found
    }
}

const wantOf = (request: SetAcmeRequest): AcmeWant => ({
    directory: request.directory.trim() || LETS_ENCRYPT,
    names: [...new Set(request.names.map(name => name.trim().toLowerCase()).filter(Boolean))],
    email: request.email.trim(),
    agree: request.agree,
    eabKeyId: request.eabKeyId.trim(),
    eabSecret: request.eabSecret.trim(),
    caBundle: request.caBundle,
    dns: request.dns && {
        server: request.dns.server.trim(),
        port: request.dns.port || 53,
        keyName: request.dns.keyName.trim(),
        algorithm: request.dns.algorithm.trim().toLowerCase() || 'hmac-sha256',
        keySecret: request.dns.keySecret.trim(),
        waitSeconds: request.dns.waitSeconds || 30,
    },
})

const planOf = (want: AcmeWant, port: number) => [
    { sentence: `Make an account at ${new URL(want.directory).host}` },
    {
        sentence: want.dns
            ? `Put a record for each of ${want.names.join(', ')} into the DNS at ${want.dns.server} while the authority looks, and take it out again`
            : `Answer at TCP port ${port} while the authority looks whether ${want.names.join(', ')} is this node`,
    },
    { sentence: 'Show the new certificate; the one before stays until then' },
]

function refuseErrors(findings: Finding[], summary: string): void {
    const errors = findings.filter(one => one.severity === 'error')
    const [first] = errors
    if (first) throw new Fault('invalid', { summary, findings: errors, at: first.at, fix: 'Mend what is said below.' })
}

function message(pem: string) {
    const seen = facts(pem)
    if (!seen) throw new Fault('internal', { summary: 'The certificate that is shown cannot be read' })
    const { leaf: _, notBeforeMs, notAfterMs, ...rest } = seen
    return create(CertificateSchema, {
        ...rest,
        notBefore: timestampFromMs(notBeforeMs),
        notAfter: timestampFromMs(notAfterMs),
    })
}

function acmeMessage(settings: AcmeSettings, certPem: string) {
    const { directory, email, names, failures, problem, dns } = settings
    const life = facts(certPem)
    const next = life && timestampFromMs(nextTryMs(life, settings))
    return {
        ...{ directory, email, names, failures, next },
        ...{ dnsServer: dns?.server ?? '', dnsKeyName: dns?.keyName ?? '' },
        problem: problem && { ...problem, findings: [] },
    }
}

const noAcme = () =>
    new Fault('precondition', {
        summary: 'The certificate that is shown is not one by ACME',
        fix: 'Set ACME up first: debvisor certificate acme NAME…',
    })
