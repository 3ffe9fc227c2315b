// The disks of the node, and what each says of its health.
import { Button, Label } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { useQuery } from '@tanstack/react-query'
import { InspectService, type NodeDisk } from '../../gen/proto/capabilities/node/inspect_pb.js'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { bytes, count, percent } from '../format.panel.tsx'
import { EmptyHint, FindingNote, Loading, Section, TroubleNote } from '../parts.panel.tsx'
import { fill } from '../words.panel.tsx'
import { words } from './machine-words.panel.tsx'
import { NodeTabs } from './tabs.panel.tsx'

const colors: Record<string, 'green' | 'orange' | 'red' | 'grey'> = { ok: 'green', signs: 'orange', failing: 'red' }
const healthWord = (health: string): string => (words.healths as Record<string, string>)[health] ?? health

export default function Disks() {
    const query = useQuery({
        queryKey: ['node-disks'],
        queryFn: ({ signal }) => clientOf(InspectService).listDisks({}, { signal }),
        // Asking disks is work for them.
        staleTime: 60_000,
    })
    return (
        <NodeTabs>
            {query.isError && <TroubleNote trouble={troubleOf(query.error)} retry={() => void query.refetch()} />}
            {query.isLoading && <Loading />}
            {query.data && (
                <Section
                    title={words.disks}
                    actions={
                        <Button variant="secondary" isLoading={query.isFetching} onClick={() => void query.refetch()}>
                            {words.again}
                        </Button>
                    }
                >
                    {query.data.findings.map(finding => (
                        <FindingNote key={finding.code} finding={finding} />
                    ))}
                    {query.data.disks.length === 0 ? (
                        <EmptyHint title={words.noDisks} />
                    ) : (
                        <Table aria-label={words.disks} variant="compact">
                            <Thead>
                                <Tr>
                                    <Th>{words.disk}</Th>
                                    <Th>{words.model}</Th>
                                    <Th>{words.size}</Th>
                                    <Th>{words.health}</Th>
                                    <Th>{words.says}</Th>
                                    <Th>{words.use}</Th>
                                </Tr>
                            </Thead>
                            <Tbody>
                                {query.data.disks.map(disk => (
                                    <Row key={disk.id} disk={disk} />
                                ))}
                            </Tbody>
                        </Table>
                    )}
                </Section>
            )}
        </NodeTabs>
    )
}

function Row({ disk }: { disk: NodeDisk }) {
    const says = [
        disk.temperatureCelsius !== undefined && fill(words.celsius, { value: disk.temperatureCelsius }),
        disk.powerOnHours !== undefined && fill(words.hours, { value: count(disk.powerOnHours) }),
        disk.wornPercent !== undefined && fill(words.worn, { value: percent(disk.wornPercent / 100) }),
    ].filter(Boolean)
    const use = [disk.system && words.system, ...disk.mountpoints, ...disk.signatures].filter(Boolean)
    return (
        <Tr data-node-disk={disk.path}>
            <Td dataLabel={words.disk} className="dv-anywhere">
                {disk.path}
                <div className="dv-quiet">{disk.id}</div>
            </Td>
            <Td dataLabel={words.model} className="dv-anywhere">
                {[disk.model, disk.transport].filter(Boolean).join(', ') || '–'}
                <div className="dv-quiet">{disk.serial}</div>
            </Td>
            <Td dataLabel={words.size} modifier="nowrap">
                {bytes(disk.sizeBytes)}
            </Td>
            <Td dataLabel={words.health}>
                <Label isCompact color={colors[disk.health] ?? 'grey'} data-health={disk.health}>
                    {healthWord(disk.health)}
                </Label>
            </Td>
            <Td dataLabel={words.says}>
                {says.join(', ')}
                {disk.signs.map(sign => (
                    <div key={sign} className="dv-destroys">
                        {sign}
                    </div>
                ))}
            </Td>
            <Td dataLabel={words.use} className="dv-anywhere">
                {use.join(', ') || words.blank}
            </Td>
        </Tr>
    )
}
