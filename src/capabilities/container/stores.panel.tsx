// What containers are made of and stand on: images, volumes and networks, and cleaning up what nothing uses.
import { Button, Label, Tooltip } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useEffect } from 'react'
import {
    ContainerImageService,
    ContainerNetworkService,
    ContainerVolumeService,
} from '../../gen/proto/capabilities/container/stores_pb.js'
import { act, openDialog } from '../act.panel.tsx'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { bytes, moment } from '../format.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { useLive } from '../live.panel.tsx'
import { useMay } from '../me.panel.tsx'
import {
    ActionMenu,
    actionsOf,
    Freshness,
    Loading,
    PageBody,
    PageHead,
    Quiet,
    Section,
    TroubleNote,
} from '../parts.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { common, fill, plural } from '../words.panel.tsx'
import { containers, onTouched } from './store.panel.tsx'
import { NetworkDialog, PruneDialog, PullDialog, TagDialog, VolumeDialog } from './stores-dialogs.panel.tsx'
import { words } from './words.panel.tsx'

const images = clientOf(ContainerImageService)
const volumes = clientOf(ContainerVolumeService)
const networks = clientOf(ContainerNetworkService)

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
            </PageBody>
        </>
    )
}

/** A section whose rows are asked for: what went wrong, nothing yet, or the table. */
function Kept<T>(props: {
    title: string
    queryKey: string
    ask: (signal: AbortSignal) => Promise<T[]>
    empty: string
    columns: string[]
    row: (one: T) => ReactNode
    actions?: ReactNode
}) {
    const query = useQuery({ queryKey: [props.queryKey], queryFn: ({ signal }) => props.ask(signal) })
    return (
        <Section title={props.title} actions={props.actions}>
            {query.isError && !query.data ? (
                <TroubleNote trouble={troubleOf(query.error)} retry={() => void query.refetch()} />
            ) : !query.data ? (
                <Loading />
            ) : query.data.length === 0 ? (
                <Quiet>{props.empty}</Quiet>
            ) : (
                <Table aria-label={props.title} variant="compact">
                    <Thead>
                        <Tr>
                            {props.columns.map(column => (
                                <Th key={column}>{column}</Th>
                            ))}
                            <Th screenReaderText={common.actions} />
                        </Tr>
                    </Thead>
                    <Tbody>{query.data.map(props.row)}</Tbody>
                </Table>
            )}
        </Section>
    )
}

function Users({ of }: { of: string[] }) {
    if (of.length === 0) return null
    return (
        <Tooltip content={of.slice(0, 20).join(', ')}>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what it says on being pointed at has to be reached by keyboard */}
            <span tabIndex={0}>{plural(words.counted, of.length)}</span>
        </Tooltip>
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
                    <Button
                        variant="primary"
                        data-action="pull"
                        onClick={() => openDialog(close => <PullDialog close={close} />)}
                    >
                        {words.pull}
                    </Button>
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

function Networks() {
    const manage = useMay()('container.networks')
    return (
        <Kept
            title={words.networks}
            queryKey="container-networks"
            ask={async signal => (await networks.list({}, { signal })).networks}
            empty=""
            columns={[common.name, words.driver, words.subnets, words.facts.stack, words.usedBy]}
            actions={
                manage && (
                    <Button
                        variant="secondary"
                        data-action="create-container-network"
                        onClick={() => openDialog(close => <NetworkDialog close={close} />)}
                    >
                        {words.createNetwork}
                    </Button>
                )
            }
            row={network => (
                <Tr key={network.id} data-container-network={network.name}>
                    <Td dataLabel={common.name} className="dv-anywhere">
                        {network.name} {network.internal && <Label isCompact>{words.internalShort}</Label>}
                    </Td>
                    <Td dataLabel={words.driver}>{network.driver}</Td>
                    <Td dataLabel={words.subnets}>{network.subnets.join(', ')}</Td>
                    <Td dataLabel={words.facts.stack}>{network.stack}</Td>
                    <Td dataLabel={words.usedBy}>
                        <Users of={network.usedBy} />
                    </Td>
                    <Td isActionCell>
                        {manage && !network.builtIn && (
                            <ActionMenu
                                label={actionsOf(network.name)}
                                actions={[
                                    {
                                        key: 'remove',
                                        label: words.remove,
                                        danger: true,
                                        run: () =>
                                            openDialog(close => (
                                                <PlanDialog
                                                    title={fill(words.removeNetwork, { name: network.name })}
                                                    submit={words.remove}
                                                    close={close}
                                                    ask={dryRun => networks.remove({ network: network.id, dryRun })}
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
