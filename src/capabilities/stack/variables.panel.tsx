// Variables and secrets beside a file: a line each; a secret that is kept has no value here.
import { Button, Checkbox, TextInput } from '@patternfly/react-core'
import PlusIcon from '@patternfly/react-icons/dist/esm/icons/plus-circle-icon'
import TrashIcon from '@patternfly/react-icons/dist/esm/icons/trash-icon'
import type { Variable } from '../../gen/proto/capabilities/stack/stack_pb.js'
import { Quiet } from '../parts.panel.tsx'
import { fill } from '../words.panel.tsx'
import { words } from './words.panel.tsx'

const w = words.variables

export interface Edited {
    key: number
    name: string
    value: string
    secret: boolean
    /** It is there already, and its value stays until another one is typed. */
    kept: boolean
}

let nextKey = 1

export const editedVariables = (of: readonly Pick<Variable, 'name' | 'value' | 'secret'>[]): Edited[] =>
    of.map(({ name, value, secret }) => ({ key: nextKey++, name, value, secret, kept: secret }))

/** Those that have a name, as they are sent. */
export const sentVariables = (of: readonly Edited[]) =>
    of
        .filter(({ name }) => name.trim() !== '')
        .map(({ name, value, secret, kept }) => ({ name: name.trim(), value, secret, kept: kept && value === '' }))

export function EditVariables(props: { of: readonly Edited[]; change: (of: readonly Edited[]) => void }) {
    const { of, change } = props
    const put = (key: number, to: Partial<Edited>) => change(of.map(one => (one.key === key ? { ...one, ...to } : one)))
    return (
        <section aria-label={w.title} className="dv-variables">
            {of.length === 0 && <Quiet>{w.none}</Quiet>}
            {of.map(one => {
                const name = one.name || w.name
                return (
                    <div key={one.key} className="dv-variable" data-variable={one.name}>
                        <TextInput
                            aria-label={w.name}
                            placeholder={w.name}
                            value={one.name}
                            isDisabled={one.kept}
                            onChange={(_e, value) => put(one.key, { name: value })}
                        />
                        <TextInput
                            aria-label={fill(w.value, { name })}
                            type={one.secret ? 'password' : 'text'}
                            autoComplete="new-password"
                            placeholder={one.kept ? w.keep : ''}
                            value={one.value}
                            onChange={(_e, value) => put(one.key, { value })}
                        />
                        <Checkbox
                            id={`secret-${one.key}`}
                            label={w.secret}
                            isChecked={one.secret}
                            isDisabled={one.kept}
                            onChange={(_e, secret) => put(one.key, { secret })}
                        />
                        <Button
                            variant="plain"
                            icon={<TrashIcon />}
                            aria-label={fill(w.remove, { name })}
                            onClick={() => change(of.filter(other => other.key !== one.key))}
                        />
                    </div>
                )
            })}
            <Button
                variant="link"
                icon={<PlusIcon />}
                data-action="add-variable"
                onClick={() => change([...of, { key: nextKey++, name: '', value: '', secret: false, kept: false }])}
            >
                {w.add}
            </Button>
        </section>
    )
}
