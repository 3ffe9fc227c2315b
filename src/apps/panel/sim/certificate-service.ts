// The simulated certificate: checked in a few words, replaced at once; ACME takes a task.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, type ConnectRouter } from '@connectrpc/connect'
import {
    type Certificate,
    CertificateSchema,
    CertificateService,
} from '../../../gen/proto/capabilities/certificate/certificate_pb.js'
import { needConfirmation, refuse, userOf } from './access.ts'
import type { World } from './world.ts'

const DAY_MS = 86_400_000
const MARKUP = '<img src=x onerror="window.hacked=1">'

export function certificateService(world: World, router: ConnectRouter): void {
    const made = (part: Partial<Certificate>, days: number) =>
        create(CertificateSchema, {
            ...{ serial: '5F2A', key: 'ECDSA P-256' },
            fingerprint: Array.from({ length: 32 }, () =>
                '0123456789ABCDEF'.slice(part.names?.length, (part.names?.length ?? 0) + 2),
            ).join(':'),
            ...{
                notBefore: timestampFromMs(Date.now() - DAY_MS),
                notAfter: timestampFromMs(Date.now() + days * DAY_MS),
            },
            ...(part as object),
        })
    const own = () =>
        made(
            {
                subject: 'CN=node1, O=DebVisor',
                issuer: 'CN=node1, O=DebVisor',
                names: ['node1', 'node1.local', 'localhost'],
            },
            396,
        )
    let certificate = own()
    let source = 'self-signed'
    let names: string[] = []
    const hostile = world.options.hostile ? ` ${MARKUP}` : ''
    const pem = '-----BEGIN CERTIFICATE-----\nMIIBsimulated\n-----END CERTIFICATE-----\n'
    const acme = () => ({
        ...{ directory: 'https://acme-v02.api.letsencrypt.org/directory', email: 'admin@example.org', names },
        next: timestampFromMs(Date.now() + 60 * DAY_MS),
    })
    const begin = (by: string, title: string, wanted: string[]) => {
        const task = world.begin({
            ...{ kind: 'certificate.acme', title, owner: by, durationMs: 800, log: ['Answering the challenge'] },
            effect() {
                names = wanted
                source = 'acme'
                const issuer = `CN=R11, O=Let's Encrypt${hostile}`
                certificate = made({ names, subject: `CN=${names[0]}`, issuer, chain: [issuer] }, 90)
                return undefined
            },
        })
        return { task: task.id, object: '', plan: [], findings: [] }
    }
    const runsOut = {
        ...{ severity: 'warning', code: 'runs-out', at: 'certificate', summary: 'The certificate runs out soon' },
        ...{ detail: 'in 5 days', fix: 'Get a new one in time; one by ACME is renewed by itself.' },
    }
    router.service(CertificateService, {
        get: () => ({
            ...{ certificate, source, pem, nodeNames: ['node1.example.org', 'node1', 'node1.local', 'localhost'] },
            acme: source === 'acme' ? acme() : undefined,
            findings: source === 'own' ? [runsOut] : [],
        }),
        setOwn(request) {
            if (!request.certificate.includes('BEGIN CERTIFICATE'))
                refuse(Code.InvalidArgument, {
                    ...{ code: 'invalid', summary: 'That certificate cannot be used', at: 'certificate' },
                    fix: 'It begins with -----BEGIN CERTIFICATE-----',
                })
            const next = made(
                {
                    subject: 'CN=node1.example.org',
                    issuer: `CN=Example CA${hostile}`,
                    names: ['node1.example.org'],
                    chain: ['CN=Example CA'],
                },
                5,
            )
            if (!request.dryRun) {
                needConfirmation(world, request.confirmationToken)
                certificate = next
                source = 'own'
            }
            return { certificate: next, findings: [runsOut] }
        },
        setSelfSigned(request) {
            needConfirmation(world, request.confirmationToken)
            certificate = own()
            source = 'self-signed'
            return { certificate }
        },
        setAcme(request, context) {
            needConfirmation(world, request.confirmationToken)
            return begin(userOf(context), 'Get a certificate by ACME', request.names)
        },
        renew: (_, context) => begin(userOf(context), 'Renew the certificate of the panel', names),
    })
}
