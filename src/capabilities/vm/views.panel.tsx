// Choosing the columns of the list of machines, and keeping a filtered list under a name.
import { Button, Divider, Menu, MenuContent, MenuItem, MenuList, MenuToggle, Popper } from '@patternfly/react-core'
import BookmarkIcon from '@patternfly/react-icons/dist/esm/icons/bookmark-icon'
import ColumnsIcon from '@patternfly/react-icons/dist/esm/icons/columns-icon'
import { useRef, useState } from 'react'
import { openDialog } from '../act.panel.tsx'
import { TextField } from '../fields.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { useKept } from '../kept.panel.tsx'
import { ActionMenu } from '../parts.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { type ColumnKey, columns, FIXED, isColumns, isViews, USUAL, type View } from './columns.panel.tsx'
import { words } from './words.panel.tsx'

const w = words.views
const NO_VIEWS: View[] = []

export const useColumns = () => useKept<ColumnKey[]>('vms.columns', isColumns, USUAL)

/** A menu of check boxes; the list changes at once. */
export function ColumnChooser() {
    const [shown, setShown] = useColumns()
    return (
        <ChoiceMenu
            label={w.columns}
            icon={<ColumnsIcon />}
            items={columns
                .filter(column => column.key !== FIXED)
                .map(column => ({ key: column.key, label: column.label, chosen: shown.includes(column.key) }))}
            toggle={key =>
                setShown(
                    columns
                        .map(column => column.key)
                        .filter(one => (one === key ? !shown.includes(one) : shown.includes(one))),
                )
            }
            reset={{ label: w.usualColumns, run: () => setShown(USUAL) }}
        />
    )
}

function ChoiceMenu(props: {
    label: string
    icon: React.ReactNode
    items: { key: string; label: string; chosen: boolean }[]
    toggle: (key: string) => void
    reset: { label: string; run: () => void }
}) {
    const [open, setOpen] = useState(false)
    const toggle = useRef<HTMLButtonElement>(null)
    const menu = useRef<HTMLDivElement>(null)
    return (
        <Popper
            isVisible={open}
            popperRef={menu}
            triggerRef={toggle}
            appendTo={() => document.body}
            position="right"
            onDocumentClick={event => {
                const target = event?.target as Node
                if (open && !menu.current?.contains(target) && !toggle.current?.contains(target)) setOpen(false)
            }}
            onDocumentKeyDown={event => {
                if (!open || event?.key !== 'Escape') return
                setOpen(false)
                toggle.current?.focus()
            }}
            trigger={
                <MenuToggle
                    ref={toggle}
                    variant="plain"
                    aria-label={props.label}
                    title={props.label}
                    isExpanded={open}
                    icon={props.icon}
                    data-action="columns"
                    onClick={() => setOpen(!open)}
                />
            }
            popper={
                <Menu ref={menu} onSelect={(_e, key) => props.toggle(String(key))} aria-label={props.label}>
                    <MenuContent>
                        <MenuList>
                            {props.items.map(item => (
                                <MenuItem key={item.key} itemId={item.key} hasCheckbox isSelected={item.chosen}>
                                    {item.label}
                                </MenuItem>
                            ))}
                        </MenuList>
                        <Divider />
                        <Button variant="link" size="sm" className="dv-menu-reset" onClick={props.reset.run}>
                            {props.reset.label}
                        </Button>
                    </MenuContent>
                </Menu>
            }
        />
    )
}

/** The views that this browser keeps, and a way to keep the list as it is. */
export function Views(props: { now: Omit<View, 'name'>; show: (view: Omit<View, 'name'>) => void; filtered: boolean }) {
    const [kept, setKept] = useKept<View[]>('vms.views', isViews, NO_VIEWS)
    const { now } = props
    const current = kept.find(view =>
        (['q', 'state', 'tag', 'network', 'sort'] as const).every(key => view[key] === now[key]),
    )
    if (kept.length === 0 && !props.filtered) return null
    return (
        <ActionMenu
            label={w.views}
            icon={<BookmarkIcon />}
            actions={[
                ...kept.map(view => ({
                    key: `view-${view.name}`,
                    label: view.name,
                    disabled: view === current,
                    run: () => props.show(view),
                })),
                props.filtered &&
                    !current && {
                        key: 'save-view',
                        label: w.save,
                        run: () =>
                            openDialog(close => (
                                <SaveView
                                    close={close}
                                    save={name =>
                                        setKept([...kept.filter(view => view.name !== name), { ...now, name }])
                                    }
                                />
                            )),
                    },
                current && {
                    key: 'forget-view',
                    label: fill(w.forget, { name: current.name }),
                    danger: true,
                    run: () => setKept(kept.filter(view => view !== current)),
                },
            ]}
        />
    )
}

function SaveView(props: { close: () => void; save: (name: string) => void }) {
    const [name, setName] = useState('')
    return (
        <FormDialog
            title={w.save}
            submit={common.save}
            close={props.close}
            description={w.saveHelp}
            disabled={name.trim() === ''}
            run={() => {
                props.save(name.trim())
                return Promise.resolve()
            }}
        >
            <TextField name="name" label={common.name} value={name} change={setName} focus required />
        </FormDialog>
    )
}
