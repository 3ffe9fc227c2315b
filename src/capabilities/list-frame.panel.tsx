// The frame of a list: its head with how many there are, search and filters above the rows, and what stands there without any.
import { Button, FormSelect, FormSelectOption, Toolbar, ToolbarContent, ToolbarItem } from '@patternfly/react-core'
import type { ReactNode } from 'react'
import { EmptyHint, PageBody, PageHead } from './parts.panel.tsx'
import { SearchField } from './search.panel.tsx'
import { common } from './words.panel.tsx'

export interface ListFilter {
    label: string
    /** For no choice. */
    any: string
    value: string
    change: (value: string) => void
    of: readonly { value: string; label: string }[]
}

export function ListFrame(props: {
    title: string
    /** Whether what is shown is fresh. */
    below: ReactNode
    /** The way to make one. */
    create?: ReactNode
    /** Stands in the place of everything where there is nothing at all. */
    empty?: ReactNode
    /** How many are shown, and how that is said. */
    shown: number
    counted: string
    search: { hint: string; value: string; change: (value: string) => void }
    filters?: readonly ListFilter[]
    children: ReactNode
}) {
    const { title, below, create, empty, shown, search, filters = [] } = props
    if (empty)
        return (
            <>
                <PageHead title={title} below={below} />
                <PageBody>{empty}</PageBody>
            </>
        )
    const clear = (): void => {
        search.change('')
        for (const filter of filters) filter.change('')
    }
    return (
        <>
            <PageHead
                title={title}
                aside={
                    <span className="dv-quiet" data-count={shown}>
                        {props.counted}
                    </span>
                }
                below={below}
            >
                {create}
            </PageHead>
            <PageBody fill>
                <Toolbar inset={{ default: 'insetNone' }} className="dv-toolbar">
                    <ToolbarContent>
                        <SearchField {...search} />
                        {filters.map(({ label, any, value, change, of }) => (
                            <ToolbarItem key={label}>
                                <FormSelect aria-label={label} value={value} onChange={(_e, chosen) => change(chosen)}>
                                    <FormSelectOption value="" label={any} />
                                    {of.map(one => (
                                        <FormSelectOption key={one.value} {...one} />
                                    ))}
                                </FormSelect>
                            </ToolbarItem>
                        ))}
                    </ToolbarContent>
                </Toolbar>
                {shown > 0 ? (
                    props.children
                ) : (
                    <EmptyHint title={common.nothingMatches}>
                        <Button variant="link" onClick={clear}>
                            {common.clearFilters}
                        </Button>
                    </EmptyHint>
                )}
            </PageBody>
        </>
    )
}
