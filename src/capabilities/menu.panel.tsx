// A menu of actions behind a button.
import { Dropdown, DropdownItem, DropdownList, MenuToggle } from '@patternfly/react-core'
import EllipsisVIcon from '@patternfly/react-icons/dist/esm/icons/ellipsis-v-icon'
import { type ReactNode, useEffect, useRef, useState } from 'react'

export interface MenuAction {
    key: string
    label: string
    description?: string
    danger?: boolean
    disabled?: boolean
    run: () => void
}

/** A menu of actions behind three dots, or behind a labelled button. */
export function ActionMenu(props: {
    label: string
    actions: (MenuAction | undefined | false)[]
    text?: string
    icon?: ReactNode
}) {
    const [open, setOpen] = useState(false)
    // A dropdown is heavy, and a list has many: until one is first opened there is only its button.
    const [used, setUsed] = useState(false)
    const box = useRef<HTMLSpanElement>(null)
    useEffect(() => {
        if (!used) return
        box.current?.querySelector('button')?.focus()
        // Not before its button is there: a menu that is drawn open has nothing to stand beside.
        setOpen(true)
    }, [used])
    const actions = props.actions.filter(a => !!a)
    if (actions.length === 0) return null
    const look = {
        variant: props.text ? ('secondary' as const) : ('plain' as const),
        'aria-label': props.text ? undefined : props.label,
        icon: props.text ? undefined : (props.icon ?? <EllipsisVIcon />),
    }
    if (!used) {
        // Later, since the dropdown would take this very click for one outside of it, and close.
        const first = (): void => setUsed(true)
        return (
            <MenuToggle {...look} isExpanded={false} onClick={() => setTimeout(first)}>
                {props.text}
            </MenuToggle>
        )
    }
    return (
        <span ref={box}>
            <Dropdown
                isOpen={open}
                onOpenChange={setOpen}
                onSelect={() => setOpen(false)}
                popperProps={{ position: 'right', appendTo: () => document.body }}
                toggle={ref => (
                    <MenuToggle {...look} ref={ref} isExpanded={open} onClick={() => setOpen(!open)}>
                        {props.text}
                    </MenuToggle>
                )}
            >
                {open && (
                    <DropdownList>
                        {actions.map(action => (
                            <DropdownItem
                                key={action.key}
                                data-action={action.key}
                                isDanger={action.danger}
                                isDisabled={action.disabled}
                                description={action.description}
                                onClick={action.run}
                            >
                                {action.label}
                            </DropdownItem>
                        ))}
                    </DropdownList>
                )}
            </Dropdown>
        </span>
    )
}
