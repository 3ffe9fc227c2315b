// A table of audit records, newest first, older ones on demand.
import { Button, Label } from '@patternfly/react-core'
import AuditIcon from '@patternfly/react-icons/dist/esm/icons/clipboard-list-icon'
import { ExpandableRowContent, Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { type Record as AuditRecord, AuditService } from '../../gen/proto/capabilities/audit/audit_pb.js'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { count, exactMoment } from '../format.panel.tsx'
import { CopyBlock, EmptyHint, Loading, TroubleNote } from '../parts.panel.tsx'
import { common } from '../words.panel.tsx'
import { type RecordFilter, wish } from './filter.panel.tsx'
import { words } from './words.panel.tsx'

const PAGE = 100

export function Records({ filter, filtered }: { filter: RecordFilter; filtered: boolean }) {
    const query = useInfiniteQuery({
        queryKey: ['audit', filter],
        queryFn: ({ pageParam, signal }) =>
            clientOf(AuditService).list({ ...wish(filter), limit: PAGE, before: pageParam }, { signal }),
        initialPageParam: 0n,
        getNextPageParam: last => (last.more ? last.records[last.records.length - 1]?.number : undefined),
        placeholderData: before => before,
    })
    const records = query.data?.pages.flatMap(page => page.records) ?? []
    return (
        <>
            {query.isError && <TroubleNote trouble={troubleOf(query.error)} retry={() => void query.refetch()} />}
            {query.isLoading && <Loading />}
            {query.data && records.length === 0 && (
                <EmptyHint title={filtered ? common.nothingMatches : words.empty} icon={AuditIcon} />
            )}
            {records.length > 0 && (
                <Table aria-label={words.audit} variant="compact">
                    <Thead>
                        <Tr>
                            <Th screenReaderText={words.detail} />
                            <Th>{words.number}</Th>
                            <Th>{words.when}</Th>
                            <Th>{words.who}</Th>
                            <Th>{words.what}</Th>
                            <Th>{words.on}</Th>
                            <Th>{words.result}</Th>
                            <Th>{words.from}</Th>
                        </Tr>
                    </Thead>
                    {records.map(record => (
                        <RecordRow key={String(record.number)} record={record} />
                    ))}
                </Table>
            )}
            {query.hasNextPage && (
                <Button variant="link" isLoading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                    {words.more}
                </Button>
            )}
        </>
    )
}

const colors: Record<string, 'green' | 'red' | 'orange' | 'grey'> = { done: 'green', failed: 'red', denied: 'orange' }

function RecordRow({ record }: { record: AuditRecord }) {
    const [open, setOpen] = useState(false)
    return (
        <Tbody isExpanded={open}>
            <Tr data-record={String(record.number)}>
                {record.detail ? (
                    <Td
                        expand={{
                            rowIndex: Number(record.number),
                            isExpanded: open,
                            onToggle: () => setOpen(!open),
                            expandId: 'audit',
                        }}
                    />
                ) : (
                    <Td />
                )}
                <Td dataLabel={words.number}>{count(record.number)}</Td>
                <Td dataLabel={words.when} modifier="nowrap">
                    {exactMoment(record.at)}
                </Td>
                <Td dataLabel={words.who}>{record.who === 'outside' ? words.outside : record.who}</Td>
                <Td dataLabel={words.what}>{record.what}</Td>
                <Td dataLabel={words.on} className="dv-anywhere">
                    {record.onName || record.onId}
                </Td>
                <Td dataLabel={words.result}>
                    <Label isCompact color={colors[record.result] ?? 'grey'}>
                        {(words.results as { [key: string]: string })[record.result] ?? record.result}
                    </Label>
                </Td>
                <Td dataLabel={words.from}>{record.from}</Td>
            </Tr>
            {open && (
                <Tr isExpanded>
                    <Td colSpan={8}>
                        <ExpandableRowContent>
                            <CopyBlock label={words.detail} text={record.detail} />
                        </ExpandableRowContent>
                    </Td>
                </Tr>
            )}
        </Tbody>
    )
}
