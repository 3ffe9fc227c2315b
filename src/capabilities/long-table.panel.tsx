// A table of thousands: only the rows in sight are drawn, so that it stays smooth.
import { Table, Tbody, Thead, Tr } from '@patternfly/react-table'
import { useVirtualizer } from '@tanstack/react-virtual'
import { type ReactNode, type TdHTMLAttributes, useState } from 'react'
import { SmallLabel } from './label.panel.tsx'

const ROW_PX = 48

interface LongTableProps<T> {
    label: string
    rows: readonly T[]
    keyOf: (row: T) => string
    /** The cells of the first line. */
    head: ReactNode
    /** A whole row; its `aria-rowindex` is its place and two, for the first line is one. */
    row: (row: T, place: number) => ReactNode
    className?: string
}

export function LongTable<T>(props: LongTableProps<T>) {
    const { label, rows, keyOf, head, row, className = '' } = props
    const [scroller, setScroller] = useState<HTMLDivElement | null>(null)
    return (
        <div className="dv-scroll" ref={setScroller}>
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
                <Tbody>{scroller && <InSight rows={rows} keyOf={keyOf} row={row} scroller={scroller} />}</Tbody>
            </Table>
        </div>
    )
}

/** Apart, so that scrolling draws rows and nothing else: a table that is drawn anew draws, and measures, its whole head. */
function InSight<T>({
    rows,
    keyOf,
    row,
    scroller,
}: Pick<LongTableProps<T>, 'rows' | 'keyOf' | 'row'> & { scroller: HTMLDivElement }) {
    const virtual = useVirtualizer({
        count: rows.length,
        getScrollElement: () => scroller,
        estimateSize: () => ROW_PX,
        overscan: 12,
        getItemKey: place => (rows[place] === undefined ? place : keyOf(rows[place])),
    })
    const items = virtual.getVirtualItems()
    const above = items[0]?.start ?? 0
    const below = virtual.getTotalSize() - (items[items.length - 1]?.end ?? 0)
    return (
        <>
            {above > 0 && <Spacer height={above} />}
            {items.map(({ index }) => rows[index] !== undefined && row(rows[index], index))}
            {below > 0 && <Spacer height={below} />}
        </>
    )
}

/** A cell of its rows. PatternFly's own measures itself when it is drawn, and so has the browser lay the page out each time. */
export const Cell = ({ className = '', ...rest }: TdHTMLAttributes<HTMLTableCellElement>) => (
    <td className={`pf-v6-c-table__td ${className}`.trim()} {...rest} />
)

/** The cell at the end of a row, with what can be done. */
export const ActionCell = ({ children }: { children: ReactNode }) => (
    <Cell className="pf-v6-c-table__action dv-col-actions">{children}</Cell>
)

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
