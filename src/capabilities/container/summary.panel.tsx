// What a container is and how it fares: facts, ports and to whom they are open, and the last hour in four charts.
import {
    Button,
    DescriptionList,
    DescriptionListDescription,
    DescriptionListGroup,
    DescriptionListTerm,
    Label,
} from '@patternfly/react-core'
import { type ReactNode, useMemo } from 'react'
import { ContainerService, type Figures } from '../../gen/proto/capabilities/container/container_pb.js'
import { ContainerNetworkService } from '../../gen/proto/capabilities/container/stores_pb.js'
import { act } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { Chart, FiguresLost, useHistory } from '../figures.panel.tsx'
import { bytes, moment, percent, rate } from '../format.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { Quiet, Section } from '../parts.panel.tsx'
import { fill } from '../words.panel.tsx'
import type { TabProps } from './detail.panel.tsx'
import { PortList } from './ports.panel.tsx'
import { covered, isOn } from './store.panel.tsx'
import { healthWord, words } from './words.panel.tsx'

const f = words.facts
const api = clientOf(ContainerService)
const networks = clientOf(ContainerNetworkService)

async function* figuresOf(container: string, signal: AbortSignal): AsyncIterable<Figures | undefined> {
    for await (const { figures } of api.watchFigures({ container }, { signal })) yield figures
}

export default function Summary({ container: one, detail }: TabProps) {
    const may = useMay()
    const running = isOn(one.state)
    const { history, lost } = useHistory(`${one.id} ${running}`, {
        past: async signal => (await api.getFigures({ container: one.id }, { signal })).history,
        next: running ? signal => figuresOf(one.id, signal) : undefined,
    })
    const times = useMemo(() => history.map(h => Number(h.at?.seconds ?? 0n)), [history])
    const series = useMemo(
        () => ({
            cpu: [{ label: words.loadCpu, values: history.map(h => h.cpu) }],
            memory: [{ label: words.loadMemory, values: history.map(h => Number(h.memoryBytes)) }],
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
    const limits = [
        one.cpuLimit > 0 && fill(f.cores, { count: one.cpuLimit }),
        one.memoryLimitBytes > 0n && bytes(one.memoryLimitBytes),
        one.processLimit > 0 && fill(f.processes, { count: one.processLimit }),
    ]
    return (
        <div className="dv-two">
            <Section title={f.title}>
                <DescriptionList isHorizontal isCompact className="dv-facts">
                    {one.problem && <Fact label={f.problem}>{one.problem}</Fact>}
                    <Fact label={words.image}>{one.image}</Fact>
                    <Fact label={f.command}>
                        <code className="dv-anywhere">{one.command}</code>
                    </Fact>
                    {one.health && (
                        <Fact label={f.health}>
                            {healthWord(one.health)}
                            {detail.healthLog.slice(-1).map(line => (
                                <Quiet key={line}>{line}</Quiet>
                            ))}
                        </Fact>
                    )}
                    {one.started && <Fact label={f.started}>{moment(one.started)}</Fact>}
                    {one.finished && <Fact label={f.ended}>{moment(one.finished)}</Fact>}
                    <Fact label={f.policy}>
                        {(words.policies as Record<string, string>)[one.restart] ?? one.restart}
                    </Fact>
                    {one.restarts > 0 && <Fact label={f.restarts}>{one.restarts}</Fact>}
                    <Fact label={f.limits}>{limits.filter(Boolean).join(', ') || f.noLimit}</Fact>
                    {one.ports.length > 0 && (
                        <Fact label={words.ports}>
                            <PortList of={one} />
                        </Fact>
                    )}
                    <Fact label={f.networks}>
                        {detail.addresses.map(address => (
                            <div key={address.network} className="dv-anywhere">
                                {address.network} <span className="dv-quiet">{address.ipv4 || address.ipv6}</span>{' '}
                                {detail.addresses.length > 1 && may('container.update', covered(one)) && (
                                    <Button
                                        variant="link"
                                        isInline
                                        size="sm"
                                        data-action={`leave-${address.network}`}
                                        onClick={() =>
                                            void act(() =>
                                                networks.disconnect({ container: one.id, network: address.network }),
                                            )
                                        }
                                    >
                                        {words.leave}
                                    </Button>
                                )}
                            </div>
                        ))}
                    </Fact>
                    {detail.mounts.length > 0 && (
                        <Fact label={f.mounts}>
                            {detail.mounts.map(mount => (
                                <div key={mount.target} className="dv-anywhere">
                                    {mount.target}{' '}
                                    <span className="dv-quiet">
                                        {[mount.source || mount.type, mount.readOnly && f.readOnly]
                                            .filter(Boolean)
                                            .join(', ')}
                                    </span>
                                </div>
                            ))}
                        </Fact>
                    )}
                    {one.marks.length > 0 && (
                        <Fact label={words.marked}>
                            {one.marks.map(mark => (
                                <Label key={mark} isCompact color="orange" className="dv-tag">
                                    {mark}
                                </Label>
                            ))}
                        </Fact>
                    )}
                    {one.tags.length > 0 && (
                        <Fact label={words.tags}>
                            {one.tags.map(tag => (
                                <Label key={tag} isCompact className="dv-tag">
                                    {tag}
                                </Label>
                            ))}
                        </Fact>
                    )}
                    {one.stack && (
                        <Fact label={f.stack}>{fill(f.service, { stack: one.stack, service: one.service })}</Fact>
                    )}
                    {one.owner && <Fact label={f.owner}>{one.owner}</Fact>}
                    <Fact label={f.id}>
                        <code className="dv-anywhere">{one.id.slice(0, 12)}</code>
                    </Fact>
                </DescriptionList>
            </Section>
            <div>
                {!running && <Quiet>{words.notRunning}</Quiet>}
                {lost && <FiguresLost />}
                <Chart title={words.loadCpu} times={times} series={series.cpu} format={percent} />
                <Chart
                    title={words.loadMemory}
                    times={times}
                    series={series.memory}
                    format={bytes}
                    binary
                    max={one.memoryLimitBytes > 0n ? Number(one.memoryLimitBytes) : undefined}
                />
                <Chart title={words.loadDisk} times={times} series={series.disk} format={rate} binary />
                <Chart title={words.loadNet} times={times} series={series.net} format={rate} binary />
            </div>
        </div>
    )
}

const Fact = (props: { label: string; children: ReactNode }) => (
    <DescriptionListGroup>
        <DescriptionListTerm>{props.label}</DescriptionListTerm>
        <DescriptionListDescription>{props.children}</DescriptionListDescription>
    </DescriptionListGroup>
)
