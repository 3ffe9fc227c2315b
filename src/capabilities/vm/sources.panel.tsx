// What machines can be made of: pools, volumes, networks and bridges, asked of their own services.
import { useQuery } from '@tanstack/react-query'
import { ImageService, type Volume } from '../../gen/proto/capabilities/image/image_pb.js'
import { NetworkService } from '../../gen/proto/capabilities/network/network_pb.js'
import { clientOf, type Trouble, troubleOf } from '../client.panel.tsx'
import type { Choice } from '../fields.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { words } from './words.panel.tsx'

export const volumeId = (volume: Volume): string => `${volume.pool}/${volume.name}`

export function useVolumes(): {
    images: Volume[]
    isos: Volume[]
    disks: Volume[]
    loaded: boolean
    /** Why they are not known. */
    trouble?: Trouble
    retry(): void
} {
    const may = useMay()
    const query = useQuery({
        queryKey: ['volumes'],
        queryFn: ({ signal }) => clientOf(ImageService).listVolumes({}, { signal }),
        enabled: may('image.view'),
    })
    const all = query.data?.volumes ?? []
    const disks = all.filter(v => v.purpose === 'disk')
    return {
        isos: all.filter(v => v.purpose === 'iso'),
        disks,
        // A volume that a machine writes to is no image to start from; a linked clone's source is.
        images: disks.filter(v => !v.usedBy.some(user => user.startsWith('vm:'))),
        loaded: !query.isLoading && !query.isError,
        trouble: query.isError ? troubleOf(query.error) : undefined,
        retry: () => void query.refetch(),
    }
}

export function usePoolChoices(first: string): Choice[] {
    const may = useMay()
    const query = useQuery({
        queryKey: ['pools'],
        queryFn: ({ signal }) => clientOf(ImageService).listPools({}, { signal }),
        enabled: may('image.view'),
    })
    return [
        { value: '', label: first },
        ...(query.data?.pools ?? []).filter(p => p.active).map(p => ({ value: p.name, label: p.name })),
    ]
}

/** Values are `network:name` or `bridge:name`. */
export function useNetworkChoices(): Choice[] {
    const may = useMay()
    const allowed = may('network.view')
    const networks = useQuery({
        queryKey: ['networks'],
        queryFn: ({ signal }) => clientOf(NetworkService).list({}, { signal }),
        enabled: allowed,
    })
    const bridges = useQuery({
        queryKey: ['bridges'],
        queryFn: ({ signal }) => clientOf(NetworkService).listBridges({}, { signal }),
        enabled: allowed,
    })
    const names = (networks.data?.networks ?? []).map(n => ({ value: `network:${n.name}`, label: n.name }))
    names.sort((a, b) => Number(b.label === 'default') - Number(a.label === 'default'))
    return [
        ...names,
        ...(bridges.data?.bridges ?? [])
            .filter(b => b.network === '')
            .map(b => ({ value: `bridge:${b.name}`, label: `${b.name} (bridge)` })),
    ]
}

/** The two fields of a request from one choice. */
export const networkOf = (choice: string): { network: string; bridge: string } => ({
    network: choice.startsWith('network:') ? choice.slice(8) : '',
    bridge: choice.startsWith('bridge:') ? choice.slice(7) : '',
})

export const isoChoices = (isos: Volume[]): Choice[] => [
    { value: '', label: words.hw.noIso },
    ...isos.map(v => ({ value: volumeId(v), label: volumeId(v) })),
]
