// libvirt's own definition of a machine, to read and copy.
import { ToggleGroup, ToggleGroupItem } from '@patternfly/react-core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { CopyBlock, Loading, Quiet, TroubleNote } from '../parts.panel.tsx'
import type { VmTabProps } from './detail.panel.tsx'
import { words } from './words.panel.tsx'

export default function Xml({ vm, detail }: VmTabProps) {
    const [active, setActive] = useState(false)
    const query = useQuery({
        queryKey: ['xml', vm.uuid, detail.revision, vm.state],
        queryFn: ({ signal }) => clientOf(VmService).getXml({ vm: vm.uuid }, { signal }),
    })
    if (query.isError) return <TroubleNote trouble={troubleOf(query.error)} retry={() => void query.refetch()} />
    if (!query.data) return <Loading />
    const shown = active && query.data.active ? query.data.active : query.data.inactive
    return (
        <>
            <div className="dv-head-row dv-gap">
                <Quiet>{words.xmlHelp}</Quiet>
                {query.data.active && (
                    <ToggleGroup aria-label={words.xml} isCompact>
                        <ToggleGroupItem
                            text={words.xmlInactive}
                            isSelected={!active}
                            onChange={() => setActive(false)}
                            buttonId="xml-inactive"
                        />
                        <ToggleGroupItem
                            text={words.xmlActive}
                            isSelected={active}
                            onChange={() => setActive(true)}
                            buttonId="xml-active"
                        />
                    </ToggleGroup>
                )}
            </div>
            <CopyBlock text={shown} label={words.xml} tall />
        </>
    )
}
