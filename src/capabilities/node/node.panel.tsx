// This machine: what it is, what runs on it, how busy it is, and what needs attention.
import {
    DescriptionList,
    DescriptionListDescription,
    DescriptionListGroup,
    DescriptionListTerm,
    Label,
} from '@patternfly/react-core'
import { type ReactNode, useEffect, useMemo, useRef } from 'react'
import type { Load } from '../../gen/proto/capabilities/node/node_pb.js'
import { troubleOf } from '../client.panel.tsx'
import { Chart, FiguresLost } from '../figures.panel.tsx'
import { bytes, moment, percent, rate } from '../format.panel.tsx'
import { FindingNote, Loading, PageBody, Quiet, Section, TroubleNote } from '../parts.panel.tsx'
import { fill } from '../words.panel.tsx'
import { useLoad } from './load.panel.tsx'
import { useFacts } from './overview.panel.tsx'
import { NodeTabs } from './tabs.panel.tsx'
import { words } from './words.panel.tsx'

export default function NodePage() {
    const figures = useLoad()
    const query = useFacts()
    // Figures that come again are the sign of a node, or a daemon, that was away: its facts may differ by now.
    const { refetch } = query
    const { lost } = figures
    const wasLost = useRef(false)
    useEffect(() => {
        if (wasLost.current && !lost) void refetch()
        wasLost.current = lost
    }, [lost, refetch])
    if (query.isError && !query.data)
        return (
            <PageBody>
                <TroubleNote trouble={troubleOf(query.error)} retry={() => void query.refetch()} />
            </PageBody>
        )
    const facts = query.data
    if (!facts) return <Loading />
    return (
        <NodeTabs>
            <Section title={words.attention}>
                {facts.findings.length === 0 && <Quiet>{words.allWell}</Quiet>}
                {facts.findings.map(finding => (
                    <FindingNote key={finding.code + finding.at} finding={finding} />
                ))}
            </Section>
            <div className="dv-two">
                <div>
                    <Section title={words.facts}>
                        <DescriptionList isHorizontal isCompact className="dv-facts">
                            <Fact label={words.os}>{facts.os}</Fact>
                            <Fact label={words.kernel}>
                                {facts.kernel} {facts.architecture}
                            </Fact>
                            <Fact label={words.cpu}>
                                {facts.cpuModel}
                                <div className="dv-quiet">
                                    {fill(words.cpuText, {
                                        cpus: facts.cpus,
                                        sockets: facts.sockets,
                                        cores: facts.coresPerSocket,
                                        threads: facts.threadsPerCore,
                                    })}
                                </div>
                            </Fact>
                            <Fact label={words.memory}>{bytes(facts.memoryBytes)}</Fact>
                            <Fact label={words.up}>{moment(facts.booted)}</Fact>
                            <Fact label={words.accelerator}>{facts.accelerator === 'kvm' ? words.kvm : words.tcg}</Fact>
                            <Fact label={words.can}>
                                {[
                                    facts.uefi && words.uefi,
                                    facts.secureBoot && words.secureBoot,
                                    facts.tpm && words.tpm,
                                ]
                                    .filter(Boolean)
                                    .join(', ') || '–'}
                            </Fact>
                            <Fact label={words.version}>{facts.debvisorVersion}</Fact>
                            <Fact label={words.libvirt}>{facts.libvirtVersion}</Fact>
                            <Fact label={words.qemu}>{facts.qemuVersion}</Fact>
                        </DescriptionList>
                    </Section>
                    <Section title={words.services}>
                        <DescriptionList isHorizontal isCompact className="dv-facts">
                            {facts.services.map(service => (
                                <Fact key={service.name} label={service.name}>
                                    <Label isCompact color={service.up ? 'green' : 'red'} data-service={service.name}>
                                        {service.up ? words.isUp : words.isDown}
                                    </Label>{' '}
                                    <span className="dv-quiet">{service.detail}</span>
                                </Fact>
                            ))}
                        </DescriptionList>
                    </Section>
                </div>
                <Section title={words.load}>
                    <LoadCharts {...figures} total={Number(facts.memoryBytes)} />
                </Section>
            </div>
        </NodeTabs>
    )
}

function LoadCharts({ history, lost, total }: { history: readonly Load[]; lost: boolean; total: number }) {
    const times = useMemo(() => history.map(h => Number(h.at?.seconds ?? 0n)), [history])
    const series = useMemo(
        () => ({
            cpu: [{ label: words.cpu, values: history.map(h => h.cpu) }],
            memory: [{ label: words.memory, values: history.map(h => Number(h.memoryUsedBytes)) }],
            disk: [
                { label: words.read, values: history.map(h => Number(h.diskReadBytesPerSecond)) },
                { label: words.write, values: history.map(h => Number(h.diskWriteBytesPerSecond)) },
            ],
            net: [
                { label: words.received, values: history.map(h => Number(h.netRxBytesPerSecond)) },
                { label: words.sent, values: history.map(h => Number(h.netTxBytesPerSecond)) },
            ],
        }),
        [history],
    )
    return (
        <>
            {lost && <FiguresLost />}
            <Chart title={words.cpu} times={times} series={series.cpu} format={percent} max={1} />
            <Chart title={words.memory} times={times} series={series.memory} format={bytes} max={total} binary />
            <Chart title={words.disk} times={times} series={series.disk} format={rate} binary />
            <Chart title={words.network} times={times} series={series.net} format={rate} binary />
        </>
    )
}

const Fact = (props: { label: string; children: ReactNode }) => (
    <DescriptionListGroup>
        <DescriptionListTerm>{props.label}</DescriptionListTerm>
        <DescriptionListDescription>{props.children}</DescriptionListDescription>
    </DescriptionListGroup>
)
