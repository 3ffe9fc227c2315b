// A small coloured word. PatternFly's own Label measures itself in every row that comes into sight, which makes long lists stutter.
import '@patternfly/react-styles/css/components/Label/label.css'
import type { HTMLAttributes, ReactNode } from 'react'

export type LabelColor = 'blue' | 'green' | 'orange' | 'red' | 'grey' | 'purple'

interface Props extends Omit<HTMLAttributes<HTMLSpanElement>, 'color'> {
    color?: LabelColor
    outline?: boolean
    children: ReactNode
}

/** Looks as PatternFly's does, by the same classes. */
export function SmallLabel({ color = 'grey', outline, className = '', children, ...rest }: Props) {
    const looks = ['pf-v6-c-label', 'pf-m-compact', outline ? 'pf-m-outline' : 'pf-m-filled', className]
    if (color !== 'grey') looks.push(`pf-m-${color}`)
    return (
        <span {...rest} className={looks.filter(Boolean).join(' ')}>
            <span className="pf-v6-c-label__content">
                <span className="pf-v6-c-label__text">{children}</span>
            </span>
        </span>
    )
}
