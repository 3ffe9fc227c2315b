// The ways to another certificate: one's own, one by ACME, the node's own; each confirmed by who asks.
import { Button, ExpandableSection } from '@patternfly/react-core'
import { useRef, useState } from 'react'
import { CertificateService, type SetOwnResponse } from '../../gen/proto/capabilities/certificate/certificate_pb.js'
import { notify } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { useConfirmation } from '../confirm.panel.tsx'
import { CheckField, ChoiceField, TextField } from '../fields.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { FindingNote } from '../parts.panel.tsx'
import { ALGORITHMS } from './algorithms.ts'
import { Facts } from './certificate.panel.tsx'
import { words } from './words.panel.tsx'

const api = clientOf(CertificateService)
const KEY = ['certificate']

/** Checked first, shown second: what was read is what is used. */
export function OwnDialog({ close }: { close: () => void }) {
    const [certificate, setCertificate] = useState('')
    const [privateKey, setPrivateKey] = useState('')
    const [checked, setChecked] = useState<SetOwnResponse>()
    const confirmation = useConfirmation()
    const askAgain = useAskAgain()
    const complete = certificate.trim() !== '' && privateKey.trim() !== ''
    return (
        <FormDialog
            wide
            title={words.ownTitle}
            description={words.ownText}
            submit={checked ? words.use : words.check}
            close={close}
            stays={!checked}
            disabled={!complete || (checked !== undefined && confirmation.missing)}
            run={async () => {
                if (!checked) return setChecked(await api.setOwn({ certificate, privateKey, dryRun: true }))
                await confirmation.with(confirmationToken => api.setOwn({ certificate, privateKey, confirmationToken }))
                notify('success', words.inUse)
                askAgain(KEY)
            }}
        >
            {!checked && (
                <>
                    <PemField
                        name="certificate"
                        label={words.certificate}
                        help={words.certificateHelp}
                        value={certificate}
                        change={setCertificate}
                    />
                    <PemField
                        name="private_key"
                        label={words.privateKey}
                        help={words.privateKeyHelp}
                        value={privateKey}
                        change={setPrivateKey}
                    />
                </>
            )}
            {checked?.certificate && (
                <>
                    <div className="dv-head-row">
                        <strong>{words.checked}</strong>
                        <Button variant="link" isInline onClick={() => setChecked(undefined)}>
                            {words.other}
                        </Button>
                    </div>
                    <Facts certificate={checked.certificate} />
                    {checked.findings.map(finding => (
                        <FindingNote key={finding.code} finding={finding} />
                    ))}
                    {confirmation.field}
                </>
            )}
        </FormDialog>
    )
}

const MOST_BYTES = 200_000

function PemField(props: { name: string; label: string; help: string; value: string; change: (text: string) => void }) {
    const input = useRef<HTMLInputElement>(null)
    return (
        <div>
            <TextField {...props} long rows={4} required />
            <input
                ref={input}
                type="file"
                hidden
                aria-label={`${words.fromFile}: ${props.label}`}
                data-file={props.name}
                onChange={event => {
                    const file = event.target.files?.[0]
                    if (file) void file.slice(0, MOST_BYTES).text().then(props.change)
                    event.target.value = ''
                }}
            />
            <Button variant="link" isInline onClick={() => input.current?.click()}>
                {words.fromFile}
            </Button>
        </div>
    )
}

export function SelfSignedDialog({ close }: { close: () => void }) {
    const confirmation = useConfirmation()
    const askAgain = useAskAgain()
    return (
        <FormDialog
            title={words.selfTitle}
            description={words.selfText}
            submit={words.selfSign}
            close={close}
            disabled={confirmation.missing}
            run={async () => {
                await confirmation.with(confirmationToken => api.setSelfSigned({ confirmationToken }))
                notify('success', words.inUse)
                askAgain(KEY)
            }}
        >
            {confirmation.field}
        </FormDialog>
    )
}

/** The names that the node has, less those that no authority gives a certificate for. */
const likely = (names: readonly string[]): string =>
    names.filter(name => name.includes('.') && !name.endsWith('.local')).join('\n')

export function AcmeDialog(props: { names: readonly string[]; close: () => void }) {
    const [names, setNames] = useState(likely(props.names))
    const [email, setEmail] = useState('')
    const [agree, setAgree] = useState(false)
    const [open, setOpen] = useState(false)
    const [directory, setDirectory] = useState('')
    const [caBundle, setCaBundle] = useState('')
    const [eabKeyId, setEabKeyId] = useState('')
    const [eabSecret, setEabSecret] = useState('')
    const [challenge, setChallenge] = useState<'http' | 'dns'>('http')
    const [dns, setDns] = useState(NO_DNS)
    const confirmation = useConfirmation()
    return (
        <FormDialog
            wide
            title={words.acmeTitle}
            description={words.acmeText[challenge]}
            submit={words.get}
            close={props.close}
            disabled={
                names.trim() === '' ||
                !agree ||
                confirmation.missing ||
                (challenge === 'dns' && Object.values(dns).includes(''))
            }
            run={() =>
                confirmation.with(confirmationToken =>
                    api.setAcme({
                        ...{ names: names.split(/\s+/).filter(Boolean), email, agree, directory, caBundle },
                        ...{ eabKeyId, eabSecret, confirmationToken },
                        dns: challenge === 'dns' ? dnsOf(dns) : undefined,
                    }),
                )
            }
        >
            <TextField
                name="names"
                label={words.acmeNames}
                help={words.acmeNamesHelp[challenge]}
                long
                rows={2}
                required
                value={names}
                change={setNames}
            />
            <ChoiceField
                name="challenge"
                label={words.challenge}
                value={challenge}
                change={value => setChallenge(value as typeof challenge)}
                choices={(['http', 'dns'] as const).map(one => ({ value: one, label: words.challenges[one] }))}
            />
            {challenge === 'dns' && <DnsFields of={dns} change={setDns} />}
            <TextField name="email" label={words.email} help={words.emailHelp} value={email} change={setEmail} />
            <ExpandableSection
                toggleText={words.advanced}
                isExpanded={open}
                onToggle={(_e, now) => setOpen(now)}
                isIndented
            >
                <div className="dv-fields">
                    <TextField
                        name="directory"
                        label={words.directory}
                        help={words.directoryHelp}
                        type="url"
                        placeholder="https://"
                        value={directory}
                        change={setDirectory}
                    />
                    <TextField
                        name="ca_bundle"
                        label={words.caBundle}
                        help={words.caBundleHelp}
                        long
                        value={caBundle}
                        change={setCaBundle}
                    />
                    <TextField name="eab_key_id" label={words.eabKeyId} value={eabKeyId} change={setEabKeyId} />
                    <TextField
                        name="eab_secret"
                        label={words.eabSecret}
                        help={words.eabHelp}
                        type="password"
                        complete="off"
                        value={eabSecret}
                        change={setEabSecret}
                    />
                </div>
            </ExpandableSection>
            <CheckField name="agree" label={words.agree} value={agree} change={setAgree} />
            {confirmation.field}
        </FormDialog>
    )
}

const NO_DNS = { server: '', keyName: '', algorithm: 'hmac-sha256', keySecret: '', waitSeconds: '30' }
type Dns = typeof NO_DNS

/** The server may have its port behind a `#`, as BIND writes it. */
function dnsOf({ server, waitSeconds, ...rest }: Dns) {
    const [address = '', port] = server.trim().split('#')
    return { ...rest, server: address, port: Number(port ?? 0) || 0, waitSeconds: Number(waitSeconds) || 0 }
}

function DnsFields({ of, change }: { of: Dns; change: (of: Dns) => void }) {
    const field = (name: keyof Dns) => ({
        name,
        value: of[name],
        change: (value: string) => change({ ...of, [name]: value }),
    })
    return (
        <>
            <TextField {...field('server')} label={words.dns.server} help={words.dns.serverHelp} required />
            <TextField {...field('keyName')} label={words.dns.keyName} help={words.dns.keyNameHelp} required />
            <ChoiceField
                {...field('algorithm')}
                label={words.dns.algorithm}
                choices={ALGORITHMS.map(one => ({ value: one, label: one }))}
            />
            <TextField
                {...field('keySecret')}
                label={words.dns.keySecret}
                help={words.dns.keySecretHelp}
                type="password"
                complete="off"
                required
            />
            <TextField {...field('waitSeconds')} label={words.dns.wait} help={words.dns.waitHelp} required />
        </>
    )
}
