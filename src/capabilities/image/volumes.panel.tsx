// The table of volumes, and what can be done with one.
import { Label } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { ImageService, type Volume } from '../../gen/proto/capabilities/image/image_pb.js'
import { notifyTrouble, openDialog } from '../act.panel.tsx'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { bytes, moment } from '../format.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { ActionMenu, actionsOf } from '../parts.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { CloneDialog, ConvertDialog, ResizeDialog } from './dialogs.panel.tsx'
import { words } from './words.panel.tsx'

const api = clientOf(ImageService)

/** 'vm:web1' and 'volume:pool/name' without the prefix. */
const userName = (user: string): string => user.replace(/^(vm|volume):/, '')

export function VolumeTable({ volumes, pools }: { volumes: Volume[]; pools: string[] }) {
    const may = useMay()
    const actions = (volume: Volume) => [
        may('image.download') &&
            volume.purpose !== 'seed' && { key: 'download', label: words.download, run: () => void download(volume) },
        may('image.manage') && {
            key: 'clone',
            label: words.clone,
            run: () => openDialog(close => <CloneDialog volume={volume} pools={pools} close={close} />),
        },
        may('image.manage') &&
            volume.purpose === 'disk' && {
                key: 'convert',
                label: words.convert,
                run: () => openDialog(close => <ConvertDialog volume={volume} pools={pools} close={close} />),
            },
        may('image.manage') &&
            volume.purpose === 'disk' && {
                key: 'resize',
                label: words.resize,
                run: () => openDialog(close => <ResizeDialog volume={volume} close={close} />),
            },
        may('image.delete') && {
            key: 'delete',
            label: words.delete,
            danger: true,
            run: () =>
                openDialog(close => (
                    <PlanDialog
                        title={fill(words.deleteTitle, { name: volume.name })}
                        submit={words.delete}
                        close={close}
                        typed={volume.name}
                        ask={dryRun => api.deleteVolume({ pool: volume.pool, volume: volume.name, dryRun })}
                    />
                )),
        },
    ]
    return (
        <Table aria-label={words.volumes} variant="compact">
            <Thead>
                <Tr>
                    <Th width={30}>{common.name}</Th>
                    <Th>{words.pool}</Th>
                    <Th>{words.format}</Th>
                    <Th>{words.size}</Th>
                    <Th>{words.used}</Th>
                    <Th width={20}>{words.usedBy}</Th>
                    <Th>{words.modified}</Th>
                    <Th screenReaderText={common.actions} />
                </Tr>
            </Thead>
            <Tbody>
                {volumes.map(volume => (
                    <Tr key={`${volume.pool}/${volume.name}`} data-volume={`${volume.pool}/${volume.name}`}>
                        <Td dataLabel={common.name} className="dv-anywhere">
                            {volume.name}
                            {volume.backing && (
                                <div className="dv-quiet">{fill(words.backing, { name: volume.backing })}</div>
                            )}
                        </Td>
                        <Td dataLabel={words.pool}>{volume.pool}</Td>
                        <Td dataLabel={words.format}>{volume.format}</Td>
                        <Td dataLabel={words.size} modifier="nowrap">
                            {bytes(volume.capacityBytes)}
                        </Td>
                        <Td dataLabel={words.used} modifier="nowrap">
                            {bytes(volume.allocationBytes)}
                        </Td>
                        <Td dataLabel={words.usedBy}>
                            {volume.usedBy.slice(0, 3).map(user => (
                                <Label key={user} isCompact className="dv-tag">
                                    {userName(user)}
                                </Label>
                            ))}
                            {volume.usedBy.length > 3 && <span className="dv-quiet">+{volume.usedBy.length - 3}</span>}
                        </Td>
                        <Td dataLabel={words.modified} modifier="nowrap">
                            {moment(volume.modified)}
                        </Td>
                        <Td isActionCell>
                            <ActionMenu label={actionsOf(volume.name)} actions={actions(volume)} />
                        </Td>
                    </Tr>
                ))}
            </Tbody>
        </Table>
    )
}

/** A path that works once, opened as a download. */
async function download(volume: Volume): Promise<void> {
    try {
        const answer = await api.beginDownload({ pool: volume.pool, volume: volume.name })
        const link = document.createElement('a')
        link.href = new URL(answer.path, window.location.origin).href
        link.download = volume.name
        link.rel = 'noreferrer'
        link.click()
    } catch (thrown) {
        notifyTrouble(troubleOf(thrown))
    }
}
