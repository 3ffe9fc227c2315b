// Asking before something is lost: the server's plan is shown, and asked for again at the last moment.
import { Alert, FormGroup, List, ListItem, Spinner } from '@patternfly/react-core'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import type { Begun } from '../gen/proto/capabilities/debvisor_pb.js'
import { act, begun } from './act.panel.tsx'
import type { Trouble } from './client.panel.tsx'
import { refuse, TextField, troubleIn } from './fields.panel.tsx'
import { FormDialog } from './forms.panel.tsx'
import { TroubleNote } from './parts.panel.tsx'
import { common, fill } from './words.panel.tsx'

/** 'volume:default/a.qcow2' in words for people; what is not known is shown as it came. */
export function lostWord(destroys: string): string {
    const [, kind = '', name = ''] = /^([a-z-]+):(.*)$/s.exec(destroys) ?? []
    const word = (common.lost as Record<string, string>)[kind]
    return word ? fill(word, { name }) : destroys
}

/** The sentences of a plan, with what is lost by it. */
export function PlanView(props: { answer: Pick<Begun, 'plan' | 'findings'> }) {
    return (
        <>
            {props.answer.plan.length === 0 && <p data-plan="empty">{common.nothingToDo}</p>}
            <List data-plan isPlain className="dv-plan">
                {props.answer.plan.map((step, index) => (
                    // biome-ignore lint/suspicious/noArrayIndexKey: steps have no id and never move
                    <ListItem key={index}>
                        {step.sentence}
                        {step.destroys && (
                            <div className="dv-destroys">
                                {fill(common.destroys, { what: lostWord(step.destroys) })}
                            </div>
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

const lostBy = (answer: Begun): string[] => answer.plan.map(step => step.destroys).filter(lost => lost !== '')

/** While a person thinks, others go on: what is done is what was shown, or the form says what it would be by now. */
async function checkStill(ask: (dryRun: boolean) => Promise<Begun>, shown: Begun): Promise<Begun | undefined> {
    const now = await ask(true)
    return lostBy(now).join('\n') === lostBy(shown).join('\n') ? undefined : now
}

const Checking = () => (
    <div className="dv-inline">
        <Spinner size="md" aria-label={common.checking} /> {common.checking}
    </div>
)

function TypeIt(props: { what: string; value: string; change: (value: string) => void }) {
    return (
        <TextField
            name="confirm"
            label={fill(common.typeName, { name: props.what })}
            value={props.value}
            change={props.change}
        />
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
    const needsTyping = props.typed !== undefined && plan !== undefined && lostBy(plan).length > 0
    return (
        <FormDialog
            title={props.title}
            submit={props.submit}
            close={props.close}
            danger={!props.calm}
            disabled={!plan || (needsTyping && text !== props.typed)}
            run={async () => {
                const other = plan && (await checkStill(props.ask, plan))
                if (other) {
                    setPlan(other)
                    setText('')
                    refuse(common.otherPlan, '', common.otherPlanFix)
                }
                begun(await props.ask(false))
                props.done?.()
            }}
        >
            {props.children}
            {failure && <TroubleNote trouble={failure} />}
            {!plan && !failure && <Checking />}
            {plan && (
                <FormGroup label={common.whatHappens} role="group">
                    <PlanView answer={plan} />
                </FormGroup>
            )}
            {needsTyping && <TypeIt what={props.typed ?? ''} value={text} change={setText} />}
        </FormDialog>
    )
}

const LANES = 6

/** A few at a time, so that a click on five hundred machines does not flood the server. */
export async function each<T>(all: readonly T[], run: (one: T) => Promise<unknown>): Promise<void> {
    const queue = [...all]
    const lane = async (): Promise<void> => {
        for (let one = queue.shift(); one !== undefined; one = queue.shift()) await run(one)
    }
    await Promise.all(Array.from({ length: LANES }, lane))
}

type Answer = { plan: Begun; trouble?: undefined } | { plan?: undefined; trouble: Trouble }

/** The same for many at once: the plan of each; where data dies, their number has to be typed. What is refused is left. */
export function ManyPlansDialog<T extends { uuid: string; name: string }>(props: {
    title: string
    submit: string
    all: readonly T[]
    ask: (one: T, dryRun: boolean) => Promise<Begun>
    close: () => void
    children?: ReactNode
    basis?: string
    calm?: boolean
}) {
    const [answers, setAnswers] = useState<ReadonlyMap<string, Answer>>(new Map())
    const [text, setText] = useState('')
    const ask = useRef(props.ask)
    ask.current = props.ask
    // Those that were chosen when it was opened: a list that changes behind the dialog changes nothing in it.
    const [all] = useState(props.all)
    // biome-ignore lint/correctness/useExhaustiveDependencies: `basis` says when the question has changed
    useEffect(() => {
        let gone = false
        const put = (one: T, answer: Answer): void => {
            if (!gone) setAnswers(before => new Map(before).set(one.uuid, answer))
        }
        setAnswers(new Map())
        setText('')
        void each(all, async one => {
            if (gone) return
            await ask.current(one, true).then(
                plan => put(one, { plan }),
                thrown => put(one, { trouble: troubleIn(thrown) }),
            )
        })
        return () => {
            gone = true
        }
    }, [props.basis, all])
    const planned = all.filter(one => answers.get(one.uuid)?.plan)
    const needsTyping = planned.some(one => lostBy(answers.get(one.uuid)!.plan!).length > 0)
    const word = String(planned.length)
    return (
        <FormDialog
            title={props.title}
            submit={props.submit}
            close={props.close}
            danger={!props.calm}
            disabled={answers.size < all.length || planned.length === 0 || (needsTyping && text !== word)}
            run={async () => {
                const others = new Map<string, Answer>()
                await each(planned, async one => {
                    const plan = await checkStill(dryRun => props.ask(one, dryRun), answers.get(one.uuid)!.plan!)
                    if (plan) others.set(one.uuid, { plan })
                })
                if (others.size > 0) {
                    setAnswers(before => new Map([...before, ...others]))
                    setText('')
                    refuse(common.otherPlan, '', common.otherPlanFix)
                }
                await each(planned, one => act(() => props.ask(one, false)))
            }}
        >
            {props.children}
            {answers.size < all.length ? (
                <Checking />
            ) : (
                <FormGroup label={common.whatHappens} role="group">
                    {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard */}
                    <section className="dv-many" tabIndex={0} aria-label={common.whatHappens}>
                        {all.map(one => (
                            <div key={one.uuid} data-plan-of={one.name}>
                                <h3 className="dv-anywhere">{one.name}</h3>
                                <AnswerView answer={answers.get(one.uuid)} />
                            </div>
                        ))}
                    </section>
                </FormGroup>
            )}
            {needsTyping && <TypeIt what={word} value={text} change={setText} />}
        </FormDialog>
    )
}

function AnswerView({ answer }: { answer: Answer | undefined }) {
    if (answer?.plan) return <PlanView answer={answer.plan} />
    if (answer?.trouble) return <TroubleNote trouble={answer.trouble} />
    return null
}
