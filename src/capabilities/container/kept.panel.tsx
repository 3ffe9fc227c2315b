// A section of what Docker keeps: asked for, shown as a table, and who uses each row.
import { Tooltip } from '@patternfly/react-core'
import { Table, Tbody, Th, Thead, Tr } from '@patternfly/react-table'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { troubleOf } from '../client.panel.tsx'
import { Loading, Quiet, Section, TroubleNote } from '../parts.panel.tsx'
import { common, plural } from '../words.panel.tsx'
import { words } from './words.panel.tsx'

/** A section whose rows are asked for: what went wrong, nothing yet, or the table. */
export function Kept<T>(props: {
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

export function Users({ of }: { of: string[] }) {
    if (of.length === 0) return null
    return (
        <Tooltip content={of.slice(0, 20).join(', ')}>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what it says on being pointed at has to be reached by keyboard */}
            <span tabIndex={0}>{plural(words.counted, of.length)}</span>
        </Tooltip>
    )
}
