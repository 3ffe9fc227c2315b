// The fields of forms: text, sizes, numbers, choices, checks, each with its help and its error.
import {
    Checkbox,
    FormGroup,
    FormHelperText,
    FormSelect,
    FormSelectOption,
    HelperText,
    HelperTextItem,
    NumberInput,
    TextArea,
    TextInput,
} from '@patternfly/react-core'
import { useId } from 'react'
import { asFault } from '../base/fault.ts'
import { parseSizeBytes } from '../base/units.ts'
import { type Trouble, trouble, troubleOf } from './client.panel.tsx'
import { common } from './words.panel.tsx'

interface FieldProps {
    label: string
    help?: string
    required?: boolean
    /** The field's name in the request: `data-field` for tests, and where the server's trouble points to. */
    name: string
}

export function TextField(
    props: FieldProps & {
        value: string
        change: (value: string) => void
        type?: 'text' | 'password' | 'url'
        long?: boolean
        rows?: number
        placeholder?: string
        complete?: string
        error?: string
        focus?: boolean
    },
) {
    const id = useId()
    const shared = {
        id,
        value: props.value,
        placeholder: props.placeholder,
        'data-field': props.name,
        'aria-describedby': props.help || props.error ? `${id}-help` : undefined,
        validated: props.error ? ('error' as const) : ('default' as const),
    }
    return (
        <FormGroup label={props.label} fieldId={id} isRequired={props.required}>
            {props.long ? (
                <TextArea
                    {...shared}
                    rows={props.rows ?? 3}
                    resizeOrientation="vertical"
                    onChange={(_e, value) => props.change(value)}
                />
            ) : (
                <TextInput
                    {...shared}
                    type={props.type ?? 'text'}
                    autoComplete={props.complete ?? 'off'}
                    autoFocus={props.focus}
                    onChange={(_e, value) => props.change(value)}
                />
            )}
            <Help id={`${id}-help`} text={props.help} error={props.error} />
        </FormGroup>
    )
}

function Help(props: { id: string; text?: string; error?: string }) {
    if (!props.text && !props.error) return null
    return (
        <FormHelperText>
            <HelperText id={props.id}>
                <HelperTextItem variant={props.error ? 'error' : 'default'}>{props.error ?? props.text}</HelperTextItem>
            </HelperText>
        </FormHelperText>
    )
}

/** Bytes from what was typed; undefined while it is no size. */
export function sizeOf(text: string): bigint | undefined {
    try {
        return BigInt(parseSizeBytes(text))
    } catch {
        return undefined
    }
}

/** The bytes, or the trouble that a form shows. */
export function needSize(text: string): bigint {
    try {
        return BigInt(parseSizeBytes(text))
    } catch (thrown) {
        const fault = asFault(thrown)
        throw new FieldTrouble(trouble(fault.summary, fault.detail, fault.fix))
    }
}

class FieldTrouble extends Error {
    constructor(readonly trouble: Trouble) {
        super(trouble.summary)
    }
}

/** Refuses a form with the panel's own words. */
export function refuse(summary: string, detail = '', fix = ''): never {
    throw new FieldTrouble(trouble(summary, detail, fix))
}

/** What a form shows of anything thrown. */
export const troubleIn = (thrown: unknown): Trouble =>
    thrown instanceof FieldTrouble ? thrown.trouble : troubleOf(thrown)

export function SizeField(props: FieldProps & { value: string; change: (value: string) => void; error?: string }) {
    const bad = props.value !== '' && sizeOf(props.value) === undefined
    return (
        <TextField
            {...props}
            help={props.help ?? common.sizeHelp}
            error={bad ? common.sizeHelp : props.value === '' ? props.error : undefined}
        />
    )
}

export function NumberField(
    props: FieldProps & { value: number; change: (value: number) => void; min?: number; max?: number },
) {
    const id = useId()
    const min = props.min ?? 0
    const max = props.max ?? Number.MAX_SAFE_INTEGER
    const set = (value: number): void => props.change(Math.max(min, Math.min(max, Math.round(value) || min)))
    return (
        <FormGroup label={props.label} fieldId={id} isRequired={props.required}>
            <NumberInput
                value={props.value}
                min={min}
                max={max}
                inputName={props.name}
                inputAriaLabel={props.label}
                minusBtnAriaLabel={`${props.label} −`}
                plusBtnAriaLabel={`${props.label} +`}
                inputProps={{ id, 'data-field': props.name }}
                widthChars={5}
                onMinus={() => set(props.value - 1)}
                onPlus={() => set(props.value + 1)}
                onChange={event => set(Number((event.target as HTMLInputElement).value))}
            />
            <Help id={`${id}-help`} text={props.help} />
        </FormGroup>
    )
}

export interface Choice {
    value: string
    label: string
}

export function ChoiceField(
    props: FieldProps & {
        value: string
        change: (value: string) => void
        choices: readonly Choice[]
        disabled?: boolean
    },
) {
    const id = useId()
    return (
        <FormGroup label={props.label} fieldId={id} isRequired={props.required}>
            <FormSelect
                id={id}
                value={props.value}
                data-field={props.name}
                isDisabled={props.disabled}
                onChange={(_e, value) => props.change(value)}
            >
                {props.choices.map(choice => (
                    <FormSelectOption key={choice.value} value={choice.value} label={choice.label} />
                ))}
            </FormSelect>
            <Help id={`${id}-help`} text={props.help} />
        </FormGroup>
    )
}

export function CheckField(
    props: FieldProps & { value: boolean; change: (value: boolean) => void; disabled?: boolean },
) {
    const id = useId()
    return (
        <Checkbox
            id={id}
            label={props.label}
            description={props.help}
            isChecked={props.value}
            isDisabled={props.disabled}
            data-field={props.name}
            onChange={(_e, checked) => props.change(checked)}
        />
    )
}
