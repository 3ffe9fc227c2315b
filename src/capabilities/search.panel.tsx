// The field above a list that narrows it; in a file of its own, as the first page needs none.
import { SearchInput, ToolbarItem } from '@patternfly/react-core'

export const SearchField = (props: { hint: string; value: string; change: (value: string) => void }) => (
    <ToolbarItem className="dv-search">
        <SearchInput
            aria-label={props.hint}
            placeholder={props.hint}
            value={props.value}
            onChange={(_e, value) => props.change(value)}
            onClear={() => props.change('')}
        />
    </ToolbarItem>
)
