// Who changed what: newest first, filtered, and checked for tampering.
import { Alert, Button, Label, SearchInput, Toolbar, ToolbarContent, ToolbarItem } from '@patternfly/react-core'
import AuditIcon from '@patternfly/react-icons/dist/esm/icons/clipboard-list-icon'
import { ExpandableRowContent, Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { useInfiniteQuery, useMutation } from '@tanstack/react-query'
import { useDeferredValue, useState } from 'react'
import { type Record as AuditRecord, AuditService } from '../../gen/proto/capabilities/audit/audit_pb.js'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { count, exactMoment } from '../format.panel.tsx'
import { CopyBlock, EmptyHint, Loading, PageBody, PageHead, TroubleNote } from '../parts.panel.tsx'
import { common, fill, plural } from '../words.panel.tsx'
import { words } from './words.panel.tsx'

const api = clientOf(AuditService)
const PAGE = 100

export default function Audit() {
    const [who, setWho] = useState('')
    const [what, setWhat] = useState('')
    const [on, setOn] = useState('')
    const filter = useDeferredValue({ who, what, on })
    const query = useInfiniteQuery({
        queryKey: ['audit', filter.who, filter.what, filter.on],
        queryFn: ({ pageParam, signal }) => api.list({ ...filter, limit: PAGE, before: pageParam }, { signal }),
        initialPageParam: 0n,
        getNextPageParam: last => (last.more ? last.records[last.records.length - 1]?.number : undefined),
        placeholderData: before => before,
    })
    const verify = useMutation({ mutationFn: () => api.verify({}) })
    const records = query.data?.pages.flatMap(page => page.records) ?? []
    const filters = [
        { name: 'who', label: words.filterWho, value: who, set: setWho },
        { name: 'what', label: words.filterWhat, value: what, set: setWhat },
        { name: 'on', label: words.filterOn, value: on, set: setOn },
    ]
    return (
        <>
            <PageHead title={words.audit}>
                <Button
                    variant="secondary"
                    data-action="verify"
                    isLoading={verify.isPending}
                    onClick={() => verify.mutate()}
                >
                    {words.verify}
                </Button>
            </PageHead>
            <PageBody>
                {verify.isError && <TroubleNote trouble={troubleOf(verify.error)} />}
                {verify.data?.intact && (
                    <Alert
                        isInline
                        variant="success"
                        title={plural(words.intact, Number(verify.data.records))}
                        data-verified="intact"
                    >
                        <span className="dv-anywhere">{fill(words.head, { head: verify.data.head })}</span>
                    </Alert>
                )}
                {verify.data && !verify.data.intact && (
                    <Alert isInline variant="danger" title={words.broken} data-verified="broken">
                        {verify.data.findings.map(f => (
                            <p key={`${f.code}${f.at}`}>{[f.summary, f.detail].filter(Boolean).join(': ')}</p>
                        ))}
                    </Alert>
                )}
                <Toolbar inset={{ default: 'insetNone' }} className="dv-toolbar">
                    <ToolbarContent>
                        {filters.map(f => (
                            <ToolbarItem key={f.name}>
                                <SearchInput
                                    aria-label={f.label}
                                    placeholder={f.label}
                                    value={f.value}
                                    onChange={(_e, value) => f.set(value)}
                                    onClear={() => f.set('')}
                                />
                            </ToolbarItem>
                        ))}
                    </ToolbarContent>
                </Toolbar>
                {query.isError && <TroubleNote trouble={troubleOf(query.error)} retry={() => void query.refetch()} />}
                {query.isLoading && <Loading />}
                {query.data && records.length === 0 && (
                    <EmptyHint title={who || what || on ? common.nothingMatches : words.empty} icon={AuditIcon} />
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
                    <Button
                        variant="link"
                        isLoading={query.isFetchingNextPage}
                        onClick={() => void query.fetchNextPage()}
                    >
                        {words.more}
                    </Button>
                )}
            </PageBody>
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
