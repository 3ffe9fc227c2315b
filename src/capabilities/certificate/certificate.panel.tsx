// The tab of the node with the certificate that is shown, and the ways to another one.

import { timestampDate } from '@bufbuild/protobuf/wkt'
import {
    Button,
    DescriptionList,
    DescriptionListDescription,
    DescriptionListGroup,
    DescriptionListTerm,
} from '@patternfly/react-core'
import type { ReactNode } from 'react'
import { type Certificate, CertificateService } from '../../gen/proto/capabilities/certificate/certificate_pb.js'
import { act, openDialog } from '../act.panel.tsx'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { moment } from '../format.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { CopyBlock, FindingNote, Loading, Section, TroubleNote } from '../parts.panel.tsx'
import { fill, plural } from '../words.panel.tsx'
import { AcmeDialog, OwnDialog, SelfSignedDialog } from './dialogs.panel.tsx'
import { useCertificate } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const DAY_MS = 86_400_000

export default function CertificateTab() {
    const may = useMay()
    const query = useCertificate()
    const { data } = query
    if (query.isError && !data)
        return <TroubleNote trouble={troubleOf(query.error)} retry={() => void query.refetch()} />
    if (!data?.certificate) return <Loading />
    const { acme, source, nodeNames } = data
    return (
        <>
            {data.findings.map(finding => (
                <FindingNote key={finding.code + finding.at} finding={finding} />
            ))}
            <Section
                title={words.shown}
                actions={
                    may('certificate.manage') && (
                        <>
                            <Button
                                variant={source === 'self-signed' ? 'primary' : 'secondary'}
                                data-action="use-acme"
                                onClick={() => openDialog(close => <AcmeDialog names={nodeNames} close={close} />)}
                            >
                                {words.setAcme}
                            </Button>
                            <Button
                                variant="secondary"
                                data-action="use-own"
                                onClick={() => openDialog(close => <OwnDialog close={close} />)}
                            >
                                {words.setOwn}
                            </Button>
                            {source !== 'self-signed' && (
                                <Button
                                    variant="link"
                                    data-action="self-signed"
                                    onClick={() => openDialog(close => <SelfSignedDialog close={close} />)}
                                >
                                    {words.selfSign}
                                </Button>
                            )}
                        </>
                    )
                }
            >
                <p data-source={source} className="dv-gap">
                    {(words.sources as Record<string, string>)[source] ?? source}
                </p>
                <Facts certificate={data.certificate} />
            </Section>
            {acme && (
                <Section
                    title={words.acme}
                    actions={
                        may('certificate.manage') && (
                            <Button
                                variant="secondary"
                                data-action="renew"
                                onClick={() => void act(() => clientOf(CertificateService).renew({}))}
                            >
                                {words.renew}
                            </Button>
                        )
                    }
                >
                    <List>
                        <Fact label={words.directory}>{acme.directory}</Fact>
                        {acme.email && <Fact label={words.email}>{acme.email}</Fact>}
                        {acme.dnsServer && (
                            <Fact label={words.dnsServer}>{`${acme.dnsServer} (${acme.dnsKeyName})`}</Fact>
                        )}
                        <Fact label={words.next}>{moment(acme.next)}</Fact>
                    </List>
                </Section>
            )}
            <CopyBlock label={words.pem} text={data.pem.trim()} />
        </>
    )
}

const List = ({ children }: { children: ReactNode }) => (
    <DescriptionList isHorizontal isCompact className="dv-facts dv-wide-facts">
        {children}
    </DescriptionList>
)

const Fact = ({ label, children }: { label: string; children: ReactNode }) => (
    <DescriptionListGroup>
        <DescriptionListTerm>{label}</DescriptionListTerm>
        <DescriptionListDescription className="dv-anywhere">{children}</DescriptionListDescription>
    </DescriptionListGroup>
)

/** What a certificate says of itself; text, whatever stands in it. */
export function Facts({ certificate: one }: { certificate: Certificate }) {
    const untilMs = one.notAfter ? timestampDate(one.notAfter).getTime() : 0
    const days = Math.floor((untilMs - Date.now()) / DAY_MS)
    return (
        <div data-certificate={one.fingerprint}>
            <List>
                <Fact label={words.names}>{one.names.join(', ')}</Fact>
                <Fact label={words.issuer}>{one.issuer}</Fact>
                <Fact label={words.valid}>
                    {fill(words.validText, { from: moment(one.notBefore), until: moment(one.notAfter) })}
                    <div className="dv-quiet">{days < 0 ? words.over : plural(words.daysLeft, days)}</div>
                </Fact>
                <Fact label={words.fingerprint}>
                    <code>{one.fingerprint}</code>
                </Fact>
                <Fact label={words.key}>{one.key}</Fact>
                {one.chain.length > 0 && (
                    <Fact label={words.chain}>
                        {one.chain.map(name => (
                            <div key={name}>{name}</div>
                        ))}
                    </Fact>
                )}
            </List>
        </div>
    )
}
