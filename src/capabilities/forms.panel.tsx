// Dialogs and fields: a form that shows the server's refusal, and a question that shows the plan before it is done.
import {
    Alert,
    Button,
    Checkbox,
    Form,
    FormGroup,
    FormHelperText,
    FormSelect,
    FormSelectOption,
    HelperText,
    HelperTextItem,
    List,
    ListItem,
    Modal,
    ModalBody,
    ModalFooter,
    ModalHeader,
    NumberInput,
    Spinner,
    TextArea,
    TextInput,
} from '@patternfly/react-core'
import { type ReactNode, useEffect, useId, useRef, useState } from 'react'
import { asFault } from '../base/fault.ts'
import { parseSizeBytes } from '../base/units.ts'
import type { Begun } from '../gen/proto/capabilities/debvisor_pb.js'
import { begun } from './act.panel.tsx'
import { type Trouble, trouble, troubleOf } from './client.panel.tsx'
import { TroubleNote } from './parts.panel.tsx'
import { common, fill } from './words.panel.tsx'

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

const troubleIn = (thrown: unknown): Trouble => (thrown instanceof FieldTrouble ? thrown.trouble : troubleOf(thrown))

export function SizeField(props: FieldProps & { value: string; change: (value: string) => void; empty?: boolean }) {
    const bad = !(props.empty && props.value === '') && sizeOf(props.value) === undefined
    return (
        <TextField
            {...props}
            help={props.help ?? common.sizeHelp}
            error={bad && props.value !== '' ? common.sizeHelp : undefined}
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

/** A form in a dialog. It stays open with the server's words when that refuses. */
export function FormDialog(props: {
    title: string
    submit: string
    close: () => void
    run: () => Promise<unknown>
    children: ReactNode
    description?: ReactNode
    danger?: boolean
    disabled?: boolean
    wide?: boolean
}) {
    const [busy, setBusy] = useState(false)
    const [failure, setFailure] = useState<Trouble>()
    const formId = useId()
    const submit = async (): Promise<void> => {
        setBusy(true)
        setFailure(undefined)
        try {
            const answer = await props.run()
            if (answer && typeof answer === 'object' && 'task' in answer) begun(answer as Begun)
            props.close()
        } catch (thrown) {
            setFailure(troubleIn(thrown))
            setBusy(false)
        }
    }
    return (
        <Modal
            isOpen
            variant={props.wide ? 'medium' : 'small'}
            onClose={props.close}
            aria-labelledby={`${formId}-title`}
        >
            <ModalHeader title={props.title} labelId={`${formId}-title`} description={props.description} />
            <ModalBody>
                <Form
                    id={formId}
                    onSubmit={event => {
                        event.preventDefault()
                        if (!busy && !props.disabled) void submit()
                    }}
                >
                    {failure && <TroubleNote trouble={failure} />}
                    {props.children}
                </Form>
            </ModalBody>
            <ModalFooter>
                <Button
                    type="submit"
                    form={formId}
                    variant={props.danger ? 'danger' : 'primary'}
                    isLoading={busy}
                    isDisabled={busy || props.disabled}
                    data-action="submit"
                >
                    {props.submit}
                </Button>
                <Button variant="link" onClick={props.close}>
                    {common.cancel}
                </Button>
            </ModalFooter>
        </Modal>
    )
}

/** The sentences of a plan, with what is lost by it. */
export function PlanView(props: { answer: Pick<Begun, 'plan' | 'findings'> }) {
    return (
        <>
            <List data-plan isPlain className="dv-plan">
                {props.answer.plan.map((step, index) => (
                    // biome-ignore lint/suspicious/noArrayIndexKey: steps have no id and never move
                    <ListItem key={index}>
                        {step.sentence}
                        {step.destroys && (
                            <div className="dv-destroys">{fill(common.destroys, { what: step.destroys })}</div>
                        )}
                    </ListItem>
                ))}
            </List>
            {props.answer.findings.map(finding => (
                <Alert
                    key={`${finding.code}${finding.at}`}
                    isInline
                    variant={
                        finding.severity === 'error' ? 'danger' : finding.severity === 'warning' ? 'warning' : 'info'
                    }
                    title={finding.summary}
                >
                    {[finding.detail, finding.fix].filter(Boolean).join(' ')}
                </Alert>
            ))}
        </>
    )
}

/** Asks before something is lost: shows the server's plan; where data dies, the name has to be typed. */
export function PlanDialog(props: {
    title: string
    submit: string
    /** The call; with true a dry run. */
    ask: (dryRun: boolean) => Promise<Begun>
    close: () => void
    /** To be typed, where data dies. */
    typed?: string
    children?: ReactNode
    done?: () => void
    calm?: boolean
    /** The plan is asked for again when this changes. */
    basis?: string
}) {
    const [plan, setPlan] = useState<Begun>()
    const [failure, setFailure] = useState<Trouble>()
    const [text, setText] = useState('')
    const ask = useRef(props.ask)
    ask.current = props.ask
    // biome-ignore lint/correctness/useExhaustiveDependencies: `basis` says when the question has changed
    useEffect(() => {
        let gone = false
        setPlan(undefined)
        setFailure(undefined)
        ask.current(true).then(
            answer => !gone && setPlan(answer),
            thrown => !gone && setFailure(troubleIn(thrown)),
        )
        return () => {
            gone = true
        }
    }, [props.basis])
    const needsTyping = props.typed !== undefined && (plan?.plan.some(step => step.destroys !== '') ?? false)
    return (
        <FormDialog
            title={props.title}
            submit={props.submit}
            close={props.close}
            danger={!props.calm}
            disabled={!plan || (needsTyping && text !== props.typed)}
            run={async () => {
                begun(await props.ask(false))
                props.done?.()
            }}
        >
            {props.children}
            {failure && <TroubleNote trouble={failure} />}
            {!plan && !failure && (
                <div className="dv-inline">
                    <Spinner size="md" aria-label={common.checking} /> {common.checking}
                </div>
            )}
            {plan && (
                <FormGroup label={common.whatHappens} role="group">
                    <PlanView answer={plan} />
                </FormGroup>
            )}
            {needsTyping && (
                <TextField
                    name="confirm"
                    label={fill(common.typeName, { name: props.typed ?? '' })}
                    value={text}
                    change={setText}
                />
            )}
        </FormDialog>
    )
}
