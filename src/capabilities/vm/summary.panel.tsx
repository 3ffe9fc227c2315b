// What a machine is and how it fares: facts, addresses and the last hour in four charts.
import {
    Button,
    DescriptionList,
    DescriptionListDescription,
    DescriptionListGroup,
    DescriptionListTerm,
    Label,
} from '@patternfly/react-core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { type ReactNode, useMemo, useState } from 'react'
import { type Figures, type GetGuestResponse, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { openDialog } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { TextField } from '../fields.panel.tsx'
import { Chart, FiguresLost, useHistory } from '../figures.panel.tsx'
import { bytes, moment, percent, rate } from '../format.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { Meter, Quiet, Section } from '../parts.panel.tsx'
import { common, fill, plural } from '../words.panel.tsx'
import type { VmTabProps } from './detail.panel.tsx'
import { isOn } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const f = words.facts

const api = clientOf(VmService)

async function* figuresOf(vm: string, signal: AbortSignal): AsyncIterable<Figures | undefined> {
    for await (const { figures } of api.watchFigures({ vm }, { signal })) yield figures
}

export default function Summary({ vm, detail }: VmTabProps) {
    const running = isOn(vm.state)
    const { history, lost } = useHistory(`${vm.uuid} ${running}`, {
        past: async signal => (await api.getFigures({ vm: vm.uuid }, { signal })).history,
        next: running ? signal => figuresOf(vm.uuid, signal) : undefined,
    })
    const guest = useQuery({
        queryKey: ['guest', vm.uuid, vm.state],
        queryFn: ({ signal }) => api.getGuest({ vm: vm.uuid }, { signal }),
        enabled: running,
        // The one thing that is asked for again and again: what a guest's agent knows, nobody tells.
        refetchInterval: 15_000,
        placeholderData: keepPreviousData,
    })
    const times = useMemo(() => history.map(h => Number(h.at?.seconds ?? 0n)), [history])
    const series = useMemo(
        () => ({
            cpu: [{ label: words.loadCpu, values: history.map(h => h.cpu) }],
            memory: [{ label: words.loadMemory, values: history.map(h => Number(h.memoryUsedBytes)) }],
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
        <div className="dv-two">
            <div>
                <Section title={f.title}>
                    <DescriptionList isHorizontal isCompact className="dv-facts">
                        {vm.description && <Fact label={f.description}>{vm.description}</Fact>}
                        <Fact label={f.size}>
                            {plural(f.vcpus, vm.vcpus)} · {bytes(vm.memoryBytes)}
                        </Fact>
                        {running && guest.data && <Guest guest={guest.data} />}
                        {running && <Fact label={f.agent}>{agentWord(detail)}</Fact>}
                        {vm.started && running && <Fact label={f.started}>{moment(vm.started)}</Fact>}
                        {vm.tags.length > 0 && (
                            <Fact label={words.tags}>
                                {vm.tags.map(tag => (
                                    <Label key={tag} isCompact className="dv-tag">
                                        {tag}
                                    </Label>
                                ))}
                            </Fact>
                        )}
                        <Fact label={f.firmware}>
                            {[
                                vm.firmware === 'uefi' ? words.set.uefi : words.set.bios,
                                detail.secureBoot && words.set.secureBoot,
                                detail.tpm && words.set.tpm,
                            ]
                                .filter(Boolean)
                                .join(', ')}
                        </Fact>
                        <Fact label={f.runs}>{detail.virtType === 'kvm' ? f.kvm : f.tcg}</Fact>
                        {detail.snapshots > 0 && <Fact label={f.snapshots}>{detail.snapshots}</Fact>}
                        {vm.owner && <Fact label={f.owner}>{vm.owner}</Fact>}
                        <Fact label={f.uuid}>
                            <code className="dv-anywhere">{vm.uuid}</code>
                        </Fact>
                    </DescriptionList>
                </Section>
                <Notes vm={vm} detail={detail} />
            </div>
            <div>
                {!running && <Quiet>{words.notRunning}</Quiet>}
                {lost && <FiguresLost />}
                <Chart title={words.loadCpu} times={times} series={series.cpu} format={percent} max={1} />
                <Chart
                    title={words.loadMemory}
                    times={times}
                    series={series.memory}
                    format={bytes}
                    binary
                    max={Number(vm.maxMemoryBytes || vm.memoryBytes)}
                />
                <Chart title={words.loadDisk} times={times} series={series.disk} format={rate} binary />
                <Chart title={words.loadNet} times={times} series={series.net} format={rate} binary />
            </div>
        </div>
    )
}

/** What people tell one another about a machine. */
function Notes({ vm, detail }: VmTabProps) {
    const may = useMay()
    const change = may('vm.update', vm)
    if (!change && !detail.notes) return null
    return (
        <Section
            title={f.notes}
            actions={
                change && (
                    <Button
                        variant="link"
                        data-action="edit-notes"
                        onClick={() => openDialog(close => <EditNotes vm={vm} detail={detail} close={close} />)}
                    >
                        {detail.notes ? common.edit : common.add}
                    </Button>
                )
            }
        >
            {detail.notes ? (
                <p className="dv-notes" data-notes>
                    {detail.notes}
                </p>
            ) : (
                <Quiet>{f.noNotes}</Quiet>
            )}
        </Section>
    )
}

function EditNotes({ vm, detail, close }: VmTabProps & { close: () => void }) {
    const [notes, setNotes] = useState(detail.notes)
    const askAgain = useAskAgain()
    return (
        <FormDialog
            title={fill(f.notesOf, { name: vm.name })}
            submit={common.save}
            close={close}
            wide
            run={async () => {
                await api.update({ vm: vm.uuid, revision: detail.revision, notes })
                askAgain(['vm', vm.uuid])
            }}
        >
            <TextField name="notes" label={f.notes} value={notes} change={setNotes} long rows={10} focus />
        </FormDialog>
    )
}

const agentWord = (detail: VmTabProps['detail']): string =>
    detail.guestAgentConnected ? f.agentYes : detail.guestAgent ? f.agentNo : f.agentOff

function Guest({ guest }: { guest: GetGuestResponse }) {
    const addresses = guest.interfaces.filter(i => i.name !== 'lo').flatMap(i => i.addresses.map(a => ({ a, i })))
    return (
        <>
            {guest.os && <Fact label={f.os}>{guest.os}</Fact>}
            {guest.hostname && <Fact label={f.hostname}>{guest.hostname}</Fact>}
            <Fact label={f.addresses}>
                {addresses.length === 0 && f.noAddress}
                {addresses.map(({ a, i }) => (
                    <div key={`${i.mac}${a}`} className="dv-anywhere" data-address={a}>
                        {a} <span className="dv-quiet">{i.name || i.mac}</span>
                    </div>
                ))}
            </Fact>
            {guest.filesystems.length > 0 && (
                <Fact label={f.filesystems}>
                    {guest.filesystems.map(fs => (
                        <div key={fs.mountpoint}>
                            {fs.mountpoint}
                            <Meter
                                label={fs.mountpoint}
                                share={fs.totalBytes > 0n ? Number(fs.usedBytes) / Number(fs.totalBytes) : 0}
                                text={fill(f.used, { used: bytes(fs.usedBytes), total: bytes(fs.totalBytes) })}
                            />
                        </div>
                    ))}
                </Fact>
            )}
        </>
    )
}

const Fact = (props: { label: string; children: ReactNode }) => (
    <DescriptionListGroup>
        <DescriptionListTerm>{props.label}</DescriptionListTerm>
        <DescriptionListDescription>{props.children}</DescriptionListDescription>
    </DescriptionListGroup>
)
