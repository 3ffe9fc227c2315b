// A table of thousands: only the rows in sight are drawn, so that it stays smooth.
import { Table, Tbody, Thead, Tr } from '@patternfly/react-table'
import { useVirtualizer } from '@tanstack/react-virtual'
import { type ReactNode, useRef } from 'react'
import { SmallLabel } from './label.panel.tsx'

const ROW_PX = 48

export function LongTable<T>(props: {
    label: string
    rows: readonly T[]
    keyOf: (row: T) => string
    /** The cells of the first line. */
    head: ReactNode
    /** A whole row; its `aria-rowindex` is its place and two, for the first line is one. */
    row: (row: T, place: number) => ReactNode
    className?: string
}) {
    const { label, rows, keyOf, head, row, className = '' } = props
    const scroller = useRef<HTMLDivElement>(null)
    const virtual = useVirtualizer({
        count: rows.length,
        getScrollElement: () => scroller.current,
        estimateSize: () => ROW_PX,
        overscan: 12,
        getItemKey: place => (rows[place] === undefined ? place : keyOf(rows[place])),
    })
    const items = virtual.getVirtualItems()
    const above = items[0]?.start ?? 0
    const below = virtual.getTotalSize() - (items[items.length - 1]?.end ?? 0)
    return (
        <div className="dv-scroll" ref={scroller}>
            <Table
                aria-label={label}
                aria-rowcount={rows.length + 1}
                variant="compact"
                gridBreakPoint=""
                isStickyHeader
                className={`dv-vms ${className}`.trim()}
            >
                <Thead>
                    <Tr>{head}</Tr>
                </Thead>
                <Tbody>
                    {above > 0 && <Spacer height={above} />}
                    {items.map(({ index }) => rows[index] !== undefined && row(rows[index], index))}
                    {below > 0 && <Spacer height={below} />}
                </Tbody>
            </Table>
        </div>
    )
}

// One cell only: a span over columns that a narrow screen hides would bring them back.
const Spacer = (props: { height: number }) => (
    <tr aria-hidden className="dv-spacer">
        <td style={{ height: props.height }} />
    </tr>
)

export const Tags = ({ of }: { of: readonly string[] }) => (
    <div className="dv-tags">
        {of.map(tag => (
            <SmallLabel key={tag}>{tag}</SmallLabel>
        ))}
    </div>
)
