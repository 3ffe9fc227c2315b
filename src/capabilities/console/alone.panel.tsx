// The console of one machine in a window of its own.
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useEffect } from 'react'
import { State, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { Loading, TroubleNote } from '../parts.panel.tsx'
import { common } from '../words.panel.tsx'
import Console from './console.panel.tsx'

const LOOK_MS = 5_000

export default function ConsoleAlone() {
    const { vm: uuid } = useParams({ strict: false }) as { vm: string }
    const query = useQuery({
        queryKey: ['console', uuid],
        queryFn: ({ signal }) => clientOf(VmService).get({ vm: uuid }, { signal }),
        // Nothing else is followed in this window.
        refetchInterval: LOOK_MS,
    })
    const vm = query.data?.detail?.vm
    const name = vm?.name
    useEffect(() => {
        if (name) document.title = `${name} · ${common.product}`
    }, [name])
    return (
        <main className="dv-alone">
            {query.isError && !vm && (
                <TroubleNote trouble={troubleOf(query.error)} retry={() => void query.refetch()} />
            )}
            {!vm && !query.isError && <Loading />}
            {vm && (
                <>
                    <h1 className="dv-hidden">{vm.name}</h1>
                    <Console
                        alone
                        uuid={vm.uuid}
                        tags={vm.tags}
                        name={vm.name}
                        running={vm.state !== State.STOPPED && vm.state !== State.CRASHED}
                    />
                </>
            )}
        </main>
    )
}
