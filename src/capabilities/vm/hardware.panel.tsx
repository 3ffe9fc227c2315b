// A machine's disks, CD drives and network cards: what it has, what waits for the next start, and how to change it.
import { Alert, Button, Label } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { type Disk, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { act, openDialog } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { bytes } from '../format.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { ActionMenu, actionsOf, Quiet, Section } from '../parts.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { common } from '../words.panel.tsx'
import type { VmTabProps } from './detail.panel.tsx'
import { Presence, type Shared } from './device.panel.tsx'
import { AddDisk, DetachDisk, InsertIso, MoveDisk, ResizeDisk, TuneDisk } from './disk-dialogs.panel.tsx'
import { Nics } from './nics.panel.tsx'
import { isOn } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const h = words.hw
const api = clientOf(VmService)

const where = (disk: Disk): string => (disk.volume ? `${disk.pool}/${disk.volume}` : disk.source)

export default function Hardware({ vm, detail }: VmTabProps) {
    const may = useMay()
    const change = may('vm.hardware', vm)
    const media = may('vm.media', vm)
    const askAgain = useAskAgain()
    const refresh = (): void => askAgain(['vm', vm.uuid])
    const running = isOn(vm.state)
    const disks = detail.disks.filter(d => d.device !== 'cdrom')
    const cds = detail.disks.filter(d => d.device === 'cdrom')
    const shared = { vm, revision: detail.revision, done: refresh }
    return (
        <>
            <Section
                title={h.disks}
                actions={
                    change && (
                        <Button
                            variant="secondary"
                            data-action="add-disk"
                            onClick={() => openDialog(close => <AddDisk {...shared} close={close} />)}
                        >
                            {h.addDisk}
                        </Button>
                    )
                }
            >
                {disks.length === 0 ? (
                    <Quiet>{h.noDisks}</Quiet>
                ) : (
                    <Table aria-label={h.disks} variant="compact">
                        <Thead>
                            <Tr>
                                <Th>{h.target}</Th>
                                <Th>{h.source}</Th>
                                <Th>{h.size}</Th>
                                <Th>{h.used}</Th>
                                <Th>{h.bus}</Th>
                                <Th screenReaderText={h.presence} />
                                <Th screenReaderText={common.actions} />
                            </Tr>
                        </Thead>
                        <Tbody>
                            {disks.map(disk => (
                                <Tr key={`${disk.target}${disk.presence}`} data-disk={disk.target}>
                                    <Td dataLabel={h.target}>{disk.target}</Td>
                                    <Td dataLabel={h.source} className="dv-anywhere">
                                        {where(disk)} <span className="dv-quiet">{disk.format}</span>
                                    </Td>
                                    <Td dataLabel={h.size}>{bytes(disk.capacityBytes)}</Td>
                                    <Td dataLabel={h.used}>{bytes(disk.allocationBytes)}</Td>
                                    <Td dataLabel={h.bus}>
                                        {disk.bus}
                                        {disk.readonly && `, ${h.readonly}`}
                                    </Td>
                                    <Td>
                                        <Presence presence={disk.presence} running={running} />
                                    </Td>
                                    <Td isActionCell>
                                        {change && disk.presence !== 'removed' && (
                                            <ActionMenu
                                                label={actionsOf(disk.target)}
                                                actions={diskActions(shared, disk)}
                                            />
                                        )}
                                    </Td>
                                </Tr>
                            ))}
                        </Tbody>
                    </Table>
                )}
            </Section>
            <Section
                title={h.cds}
                actions={
                    change && (
                        <Button
                            variant="secondary"
                            data-action="add-cd"
                            onClick={() =>
                                void act(() =>
                                    api.attachDisk({ vm: vm.uuid, device: 'cdrom', disk: { bus: 'sata' } }),
                                ).then(refresh)
                            }
                        >
                            {h.addCd}
                        </Button>
                    )
                }
            >
                {cds.length === 0 ? (
                    <Quiet>{h.noCds}</Quiet>
                ) : (
                    <Table aria-label={h.cds} variant="compact">
                        <Thead>
                            <Tr>
                                <Th>{h.target}</Th>
                                <Th width={50}>{h.iso}</Th>
                                <Th screenReaderText={h.presence} />
                                <Th screenReaderText={common.actions} />
                            </Tr>
                        </Thead>
                        <Tbody>
                            {cds.map(cd => (
                                <Tr key={cd.target} data-disk={cd.target}>
                                    <Td dataLabel={h.target}>{cd.target}</Td>
                                    <Td dataLabel={h.iso} className="dv-anywhere">
                                        {where(cd) || <span className="dv-quiet">{h.empty}</span>}
                                    </Td>
                                    <Td>
                                        <Presence presence={cd.presence} running={running} />
                                    </Td>
                                    <Td isActionCell>
                                        <ActionMenu
                                            label={actionsOf(cd.target)}
                                            actions={cdActions(shared, cd, { change, media })}
                                        />
                                    </Td>
                                </Tr>
                            ))}
                        </Tbody>
                    </Table>
                )}
                {detail.hasSeed && change && (
                    <Alert
                        isInline
                        variant="info"
                        title={h.seed}
                        className="dv-gap"
                        actionLinks={
                            <Button
                                variant="link"
                                isInline
                                onClick={() =>
                                    openDialog(close => (
                                        <PlanDialog
                                            title={h.removeSeedTitle}
                                            submit={h.removeSeed}
                                            close={close}
                                            ask={dryRun => api.removeSeed({ vm: vm.uuid, dryRun })}
                                            done={refresh}
                                        />
                                    ))
                                }
                            >
                                {h.removeSeed}
                            </Button>
                        }
                    >
                        {h.seedText}
                    </Alert>
                )}
            </Section>
            <Nics shared={shared} nics={detail.nics} change={change} />
            {detail.otherDevices.length > 0 && (
                <Section title={h.others}>
                    <Quiet>{h.othersHelp}</Quiet>
                    <div>
                        {detail.otherDevices.map((device, index) => (
                            // biome-ignore lint/suspicious/noArrayIndexKey: names may repeat, and never move
                            <Label key={index} isCompact className="dv-tag">
                                {device}
                            </Label>
                        ))}
                    </div>
                </Section>
            )}
        </>
    )
}

function diskActions(shared: Shared, disk: Disk) {
    const on = { ...shared, disk }
    return [
        { key: 'resize', label: h.resize, run: () => openDialog(close => <ResizeDisk {...on} close={close} />) },
        { key: 'limits', label: h.limits, run: () => openDialog(close => <TuneDisk {...on} close={close} />) },
        { key: 'move', label: h.move, run: () => openDialog(close => <MoveDisk {...on} close={close} />) },
        {
            key: 'detach',
            label: h.detach,
            danger: true,
            run: () => openDialog(close => <DetachDisk {...on} close={close} />),
        },
    ]
}

function cdActions(shared: Shared, cd: Disk, may: { change: boolean; media: boolean }) {
    const on = { ...shared, disk: cd }
    return [
        may.media && {
            key: 'insert',
            label: h.insert,
            run: () => openDialog(close => <InsertIso {...on} close={close} />),
        },
        may.media &&
            where(cd) !== '' && {
                key: 'eject',
                label: h.eject,
                run: () =>
                    void act(() => api.changeMedia({ vm: shared.vm.uuid, target: cd.target, iso: '' })).then(
                        shared.done,
                    ),
            },
        may.change && {
            key: 'detach',
            label: h.detach,
            danger: true,
            run: () => openDialog(close => <DetachDisk {...on} close={close} />),
        },
    ]
}
