// What containers are made of and stand on: images, volumes, networks and registries, and cleaning up.
import { Button, Label } from '@patternfly/react-core'
import { Td, Tr } from '@patternfly/react-table'
import { useEffect } from 'react'
import { ContainerImageService, ContainerVolumeService } from '../../gen/proto/capabilities/container/stores_pb.js'
import { act, openDialog } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { bytes, moment } from '../format.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { useLive } from '../live.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { ActionMenu, actionsOf, Freshness, PageBody, PageHead } from '../parts.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { Kept, Users } from './kept.panel.tsx'
import { Networks } from './networks.panel.tsx'
import { Registries } from './registries.panel.tsx'
import { containers, onTouched } from './store.panel.tsx'
import { ImportDialog, PruneDialog, PullDialog, TagDialog, VolumeDialog } from './stores-dialogs.panel.tsx'
import { words } from './words.panel.tsx'

const images = clientOf(ContainerImageService)
const volumes = clientOf(ContainerVolumeService)

const KEYS: Record<string, string> = {
    images: 'container-images',
    volumes: 'container-volumes',
    networks: 'container-networks',
}

export default function Stores() {
    const snapshot = useLive(containers)
    const may = useMay()
    const askAgain = useAskAgain()
    useEffect(() => onTouched(what => askAgain([KEYS[what] ?? what])), [askAgain])
    // A container that comes or goes changes who uses what.
    const ids = snapshot.list.map(({ id }) => id).join()
    // biome-ignore lint/correctness/useExhaustiveDependencies: a change of the containers is the event
    useEffect(() => {
        for (const key of Object.values(KEYS)) askAgain([key])
    }, [ids, askAgain])
    return (
        <>
            <PageHead title={words.stores} below={<Freshness of={snapshot} stale={words.stale} />}>
                {may('container.prune') && (
                    <Button
                        variant="secondary"
                        data-action="prune"
                        onClick={() => openDialog(close => <PruneDialog close={close} />)}
                    >
                        {words.prune}
                    </Button>
                )}
            </PageHead>
            <PageBody>
                <Images />
                <Volumes />
                <Networks />
                {may('container.registries') && <Registries />}
            </PageBody>
        </>
    )
}

function Images() {
    const manage = useMay()('container.images')
    return (
        <Kept
            title={words.images}
            queryKey="container-images"
            ask={async signal => (await images.list({}, { signal })).images}
            empty={words.imagesEmpty}
            columns={[common.name, words.size, words.created, words.usedBy]}
            actions={
                manage && (
                    <>
                        <Button
                            variant="secondary"
                            data-action="import-image"
                            onClick={() => openDialog(close => <ImportDialog close={close} />)}
                        >
                            {words.import}
                        </Button>
                        <Button
                            variant="primary"
                            data-action="pull"
                            onClick={() => openDialog(close => <PullDialog close={close} />)}
                        >
                            {words.pull}
                        </Button>
                    </>
                )
            }
            row={image => {
                const [first] = image.references
                const ref = first ?? image.id
                const shown = first ?? image.id.replace('sha256:', '').slice(0, 12)
                return (
                    <Tr key={image.id} data-image={shown}>
                        <Td dataLabel={common.name} className="dv-anywhere">
                            {image.references.join(', ') || <span className="dv-quiet">{words.noName}</span>}
                        </Td>
                        <Td dataLabel={words.size}>{bytes(image.sizeBytes)}</Td>
                        <Td dataLabel={words.created}>{moment(image.created)}</Td>
                        <Td dataLabel={words.usedBy}>
                            <Users of={image.usedBy} />
                        </Td>
                        <Td isActionCell>
                            {manage && (
                                <ActionMenu
                                    label={actionsOf(shown)}
                                    actions={[
                                        first !== undefined && {
                                            key: 'push',
                                            label: words.push,
                                            run: () => void act(() => images.push({ reference: first })),
                                        },
                                        {
                                            key: 'tag',
                                            label: words.tag,
                                            run: () => openDialog(close => <TagDialog reference={ref} close={close} />),
                                        },
                                        {
                                            key: 'remove',
                                            label: words.remove,
                                            danger: true,
                                            run: () =>
                                                openDialog(close => (
                                                    <PlanDialog
                                                        title={fill(words.removeImage, { name: shown })}
                                                        submit={words.remove}
                                                        close={close}
                                                        typed={shown}
                                                        ask={dryRun => images.remove({ reference: ref, dryRun })}
                                                    />
                                                )),
                                        },
                                    ]}
                                />
                            )}
                        </Td>
                    </Tr>
                )
            }}
        />
    )
}

function Volumes() {
    const manage = useMay()('container.volumes')
    return (
        <Kept
            title={words.volumes}
            queryKey="container-volumes"
            ask={async signal => (await volumes.list({}, { signal })).volumes}
            empty={words.volumesEmpty}
            columns={[common.name, words.facts.stack, words.created, words.usedBy]}
            actions={
                manage && (
                    <Button
                        variant="secondary"
                        data-action="create-volume"
                        onClick={() => openDialog(close => <VolumeDialog close={close} />)}
                    >
                        {words.createVolume}
                    </Button>
                )
            }
            row={volume => (
                <Tr key={volume.name} data-volume={volume.name}>
                    <Td dataLabel={common.name} className="dv-anywhere">
                        {volume.name}{' '}
                        {volume.reachesHost && (
                            <Label isCompact color="orange">
                                {words.marked}
                            </Label>
                        )}
                    </Td>
                    <Td dataLabel={words.facts.stack}>{volume.stack}</Td>
                    <Td dataLabel={words.created}>{moment(volume.created)}</Td>
                    <Td dataLabel={words.usedBy}>
                        <Users of={volume.usedBy} />
                    </Td>
                    <Td isActionCell>
                        {manage && (
                            <ActionMenu
                                label={actionsOf(volume.name)}
                                actions={[
                                    {
                                        key: 'remove',
                                        label: words.remove,
                                        danger: true,
                                        run: () =>
                                            openDialog(close => (
                                                <PlanDialog
                                                    title={fill(words.removeVolume, { name: volume.name })}
                                                    submit={words.remove}
                                                    close={close}
                                                    typed={volume.name}
                                                    ask={dryRun => volumes.remove({ name: volume.name, dryRun })}
                                                />
                                            )),
                                    },
                                ]}
                            />
                        )}
                    </Td>
                </Tr>
            )}
        />
    )
}
