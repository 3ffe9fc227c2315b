// Pools with their use and health, the volumes in them, and the ways to get new ones.
import {
    Button,
    Card,
    CardBody,
    CardHeader,
    CardTitle,
    FormSelect,
    FormSelectOption,
    Gallery,
    Label,
    Toolbar,
    ToolbarContent,
    ToolbarItem,
} from '@patternfly/react-core'
import DatabaseIcon from '@patternfly/react-icons/dist/esm/icons/database-icon'
import { useEffect, useMemo, useState } from 'react'
import { ImageService, type Pool, type Volume } from '../../gen/proto/capabilities/image/image_pb.js'
import { act, openDialog } from '../act.panel.tsx'
import { useFilters, useTyped } from '../address.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { bytes } from '../format.panel.tsx'
import { useLive } from '../live.panel.tsx'
import { useMay } from '../me.panel.tsx'
import {
    ActionMenu,
    actionsOf,
    Connecting,
    EmptyHint,
    Forbidden,
    Freshness,
    Meter,
    PageBody,
    PageHead,
    Quiet,
    Section,
} from '../parts.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { SearchField } from '../search.panel.tsx'
import { common, fill, plural } from '../words.panel.tsx'
import { ImportDialog, NewDiskDialog, NewPoolDialog } from './dialogs.panel.tsx'
import { healthColor, healthWord, shareOf } from './health.panel.tsx'
import { storage } from './store.panel.tsx'
import { DropZone, UploadDialog, UploadList } from './upload-parts.panel.tsx'
import { VolumeTable } from './volumes.panel.tsx'
import { words } from './words.panel.tsx'

const PAGE = 100
const FILTERS = ['pool', 'what', 'q', 'do'] as const

/** A disk that no machine uses is an image to make machines from. */
const kindOf = (volume: Volume): string =>
    volume.purpose === 'disk' && !volume.usedBy.some(user => user.startsWith('vm:')) ? 'image' : volume.purpose

export default function Images() {
    const snapshot = useLive(storage)
    const may = useMay()
    const [filters, setFilters] = useFilters(FILTERS)
    const { pool, what: purpose } = filters
    const setPool = (value: string): void => setFilters({ pool: value })
    const setPurpose = (value: string): void => setFilters({ what: value })
    const [search, setSearch] = useTyped(filters.q, q => setFilters({ q }))
    const [limit, setLimit] = useState(PAGE)
    const pools = useMemo(() => snapshot.list.flatMap(i => (i.pool ? [i.pool] : [])), [snapshot])
    const volumes = useMemo(() => snapshot.list.flatMap(i => (i.volume ? [i.volume] : [])), [snapshot])
    const shown = useMemo(
        () =>
            volumes
                .filter(
                    v =>
                        (pool === '' || v.pool === pool) &&
                        (purpose === '' || kindOf(v) === purpose) &&
                        v.name.toLowerCase().includes(search.trim().toLowerCase()),
                )
                .sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true })),
        [volumes, pool, purpose, search],
    )
    // A link may ask for a dialog at once; it does so only the first time.
    const wishes = filters.do
    const ready = snapshot.state === 'live'
    // biome-ignore lint/correctness/useExhaustiveDependencies: the wish is the event
    useEffect(() => {
        if (wishes !== 'import' || !ready) return
        setFilters({ do: '' })
        const active = pools.filter(p => p.active).map(p => p.name)
        if (may('image.import') && active.length > 0)
            openDialog(close => <ImportDialog pools={active} pool={pool} close={close} />)
    }, [wishes, ready])
    if (snapshot.state === 'denied') return <Forbidden />
    if (snapshot.state === 'connecting') return <Connecting of={snapshot} title={words.images} />
    const names = pools.filter(p => p.active).map(p => p.name)
    const bring = may('image.import') && names.length > 0
    const ask = (files: File[]): void =>
        openDialog(close => <UploadDialog files={files} pools={names} pool={pool} close={close} />)
    return (
        <DropZone enabled={bring} onFiles={ask}>
            <PageHead title={words.images} below={<Freshness of={snapshot} />}>
                {bring && (
                    <Button variant="primary" data-action="upload" onClick={() => ask([])}>
                        {words.upload}
                    </Button>
                )}
                {bring && (
                    <Button
                        variant="secondary"
                        data-action="import"
                        onClick={() => openDialog(close => <ImportDialog pools={names} pool={pool} close={close} />)}
                    >
                        {words.import}
                    </Button>
                )}
                <ActionMenu
                    label={common.actions}
                    actions={[
                        may('image.manage') &&
                            names.length > 0 && {
                                key: 'new-disk',
                                label: words.newDisk,
                                run: () =>
                                    openDialog(close => <NewDiskDialog pools={names} pool={pool} close={close} />),
                            },
                        may('image.pools') && {
                            key: 'new-pool',
                            label: words.newPool,
                            run: () => openDialog(close => <NewPoolDialog close={close} />),
                        },
                    ]}
                />
            </PageHead>
            <PageBody>
                <UploadList />
                {pools.length === 0 ? (
                    <EmptyHint title={words.noPools} body={words.noPoolsBody} icon={DatabaseIcon}>
                        {may('image.pools') && (
                            <Button onClick={() => openDialog(close => <NewPoolDialog close={close} />)}>
                                {words.newPool}
                            </Button>
                        )}
                    </EmptyHint>
                ) : (
                    <Section title={words.pools}>
                        <Gallery hasGutter minWidths={{ default: '16rem' }}>
                            {pools.map(p => (
                                <PoolCard key={p.uuid} pool={p} />
                            ))}
                        </Gallery>
                    </Section>
                )}
                <Section title={words.volumes}>
                    {volumes.length === 0 ? (
                        <EmptyHint
                            title={words.emptyTitle}
                            body={bring ? words.emptyBody : undefined}
                            icon={DatabaseIcon}
                        >
                            {bring && <Button onClick={() => ask([])}>{words.upload}</Button>}
                        </EmptyHint>
                    ) : (
                        <>
                            <Toolbar inset={{ default: 'insetNone' }} className="dv-toolbar">
                                <ToolbarContent>
                                    <SearchField hint={words.searchHint} value={search} change={setSearch} />
                                    <ToolbarItem>
                                        <FormSelect
                                            aria-label={words.filterPurpose}
                                            value={purpose}
                                            onChange={(_e, v) => setPurpose(v)}
                                        >
                                            <FormSelectOption value="" label={words.allPurposes} />
                                            <FormSelectOption value="image" label={words.purposes.image} />
                                            <FormSelectOption value="iso" label={words.purposes.iso} />
                                            <FormSelectOption value="disk" label={words.purposes.disk} />
                                        </FormSelect>
                                    </ToolbarItem>
                                    <ToolbarItem>
                                        <FormSelect
                                            aria-label={words.filterPool}
                                            value={pool}
                                            onChange={(_e, v) => setPool(v)}
                                        >
                                            <FormSelectOption value="" label={words.allPools} />
                                            {pools.map(p => (
                                                <FormSelectOption key={p.uuid} value={p.name} label={p.name} />
                                            ))}
                                        </FormSelect>
                                    </ToolbarItem>
                                </ToolbarContent>
                            </Toolbar>
                            {shown.length === 0 ? (
                                <EmptyHint title={common.nothingMatches} />
                            ) : (
                                <>
                                    <VolumeTable volumes={shown.slice(0, limit)} pools={names} />
                                    {shown.length > limit && (
                                        <Button variant="link" onClick={() => setLimit(limit + PAGE)}>
                                            {words.more}
                                        </Button>
                                    )}
                                </>
                            )}
                        </>
                    )}
                </Section>
            </PageBody>
        </DropZone>
    )
}

const api = clientOf(ImageService)

function PoolCard({ pool }: { pool: Pool }) {
    const may = useMay()
    const share = shareOf(pool)
    const manage = may('image.pools')
    return (
        <Card isCompact data-pool={pool.name}>
            <CardHeader
                actions={{
                    actions: (
                        <ActionMenu
                            label={actionsOf(pool.name)}
                            actions={[
                                pool.active &&
                                    may('image.manage') && {
                                        key: 'refresh',
                                        label: words.refreshPool,
                                        run: () => void act(() => api.refreshPool({ pool: pool.name })),
                                    },
                                manage &&
                                    !pool.active && {
                                        key: 'start',
                                        label: words.startPool,
                                        run: () => void act(() => api.startPool({ pool: pool.name })),
                                    },
                                manage &&
                                    pool.active && {
                                        key: 'stop',
                                        label: words.stopPool,
                                        run: () => askPool(pool, 'stopPool'),
                                    },
                                manage && {
                                    key: 'forget',
                                    label: words.forgetPool,
                                    danger: true,
                                    run: () => askPool(pool, 'deletePool'),
                                },
                            ]}
                        />
                    ),
                    hasNoOffset: true,
                }}
            >
                <CardTitle component="h3">
                    <span className="dv-anywhere">{pool.name}</span>{' '}
                    <Label isCompact color={healthColor[pool.health] ?? 'grey'} data-health={pool.health}>
                        {healthWord(pool.health)}
                    </Label>
                </CardTitle>
            </CardHeader>
            <CardBody>
                {pool.active && (
                    <Meter
                        share={share}
                        label={pool.name}
                        text={fill(words.free, { free: bytes(pool.availableBytes), total: bytes(pool.capacityBytes) })}
                    />
                )}
                {pool.problem && <Quiet>{pool.problem}</Quiet>}
                <Quiet>
                    {plural(words.volumeCount, pool.volumes)}
                    {pool.path && ` · ${pool.path}`}
                </Quiet>
            </CardBody>
        </Card>
    )
}

const askPool = (pool: Pool, verb: 'stopPool' | 'deletePool'): void =>
    openDialog(close => (
        <PlanDialog
            title={fill(verb === 'stopPool' ? words.stopTitle : words.forgetTitle, { name: pool.name })}
            submit={verb === 'stopPool' ? words.stopPool : words.forgetPool}
            close={close}
            ask={dryRun => api[verb]({ pool: pool.name, dryRun })}
        />
    ))
