// Creating a stack in three screens: what to begin with, its name and settings, and what will happen.
import { Button, Card, CardBody, CardHeader, CardTitle, ExpandableSection, Form, Gallery } from '@patternfly/react-core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import type { Begun } from '../../gen/proto/capabilities/debvisor_pb.js'
import { type CatalogueEntry, StackService } from '../../gen/proto/capabilities/stack/stack_pb.js'
import { begun } from '../act.panel.tsx'
import { type Call, callOf, commandOf } from '../call.panel.tsx'
import { clientOf, type Trouble, troubleOf } from '../client.panel.tsx'
import { TextField } from '../fields.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { CopyBlock, Forbidden, Loading, PageBody, PageHead, Quiet, Section, TroubleNote } from '../parts.panel.tsx'
import { PlanView } from '../plan.panel.tsx'
import Same from '../same.panel.tsx'
import { fill } from '../words.panel.tsx'
import { EditFile } from './file.panel.tsx'
import { type Edited, EditVariables, sentVariables } from './variables.panel.tsx'
import { words } from './words.panel.tsx'

const w = words.wizard
const api = clientOf(StackService)
const CRUMBS = [{ label: words.stacks, to: '/stacks' }]
const FIRST_FILE = `services:
  web:
    image: nginx:1.28
    ports:
      - "8080:80"
`

interface Chosen {
    /** Undefined: a file of one's own. */
    entry?: CatalogueEntry
    name: string
    file: string
    values: Record<string, string>
    variables: readonly Edited[]
}

const requestOf = ({ entry, name, file, values, variables }: Chosen) => ({
    ...{ name, catalogue: entry?.name ?? '', composeFile: entry ? '' : file },
    environment: entry
        ? entry.variables.map(one => ({ name: one.name, value: values[one.name] ?? '', secret: one.secret }))
        : sentVariables(variables),
})

/** The Compose file is one of the caller's own, beside the command; what is secret is asked for. */
function callOfChosen(of: Chosen): Call {
    const request = requestOf(of)
    const isSaid = (one: { secret: boolean; value: string }) => !one.secret && one.value !== ''
    return callOf(
        StackService.method.create,
        { ...request, up: true },
        commandOf('stack create', of.entry ? [of.name] : [of.name, 'compose.yaml'], {
            from: of.entry?.name,
            set: request.environment.filter(isSaid).map(one => `${one.name}=${one.value}`),
            secret: request.environment.filter(one => one.secret).map(one => one.name),
            up: true,
        }),
    )
}

export default function CreateStack() {
    const may = useMay()
    if (!may('stack.create')) return <Forbidden />
    return <Wizard />
}

function Wizard() {
    const [at, setAt] = useState(1)
    const [chosen, setChosen] = useState<Chosen>()
    const choose = (entry?: CatalogueEntry): void => {
        const values = Object.fromEntries(entry?.variables.map(one => [one.name, one.defaultValue]) ?? [])
        setChosen({ entry, name: entry?.name ?? '', file: FIRST_FILE, values, variables: [] })
        setAt(2)
    }
    const titles = [w.choose, w.settings, w.read]
    return (
        <>
            <PageHead
                title={w.title}
                crumbs={CRUMBS}
                below={<Quiet>{`${fill(w.step, { at })}: ${titles[at - 1]}`}</Quiet>}
            />
            <PageBody>
                <div data-step={at}>
                    {at === 1 && <Choose choose={choose} />}
                    {at === 2 && chosen && (
                        <Settings of={chosen} change={setChosen} back={() => setAt(1)} next={() => setAt(3)} />
                    )}
                    {at === 3 && chosen && <Plan of={chosen} back={() => setAt(2)} />}
                </div>
            </PageBody>
        </>
    )
}

function Choose(props: { choose: (entry?: CatalogueEntry) => void }) {
    const catalogue = useQuery({
        queryKey: ['stack-catalogue'],
        queryFn: async ({ signal }) => (await api.listCatalogue({}, { signal })).entries,
    })
    if (catalogue.isError)
        return <TroubleNote trouble={troubleOf(catalogue.error)} retry={() => void catalogue.refetch()} />
    if (!catalogue.data) return <Loading />
    return (
        <Gallery hasGutter minWidths={{ default: '280px' }}>
            {catalogue.data.map(entry => (
                <Choice
                    key={entry.name}
                    name={entry.name}
                    title={entry.title}
                    text={entry.summary}
                    note={entry.tested === 'yes' ? w.tested : fill(w.untested, { why: entry.tested })}
                    choose={() => props.choose(entry)}
                />
            ))}
            <Choice name="own" title={w.own} text={w.ownHelp} choose={() => props.choose()} />
        </Gallery>
    )
}

const Choice = (props: { name: string; title: string; text: string; note?: string; choose: () => void }) => (
    <Card isCompact isClickable data-entry={props.name}>
        <CardHeader
            selectableActions={{
                onClickAction: props.choose,
                selectableActionId: `entry-${props.name}`,
                selectableActionAriaLabel: props.title,
                name: 'entry',
            }}
        >
            <CardTitle component="h2">{props.title}</CardTitle>
        </CardHeader>
        <CardBody>
            <p>{props.text}</p>
            {props.note && <Quiet>{props.note}</Quiet>}
        </CardBody>
    </Card>
)

function Settings(props: { of: Chosen; change: (of: Chosen) => void; back: () => void; next: () => void }) {
    const { of, change } = props
    const { entry } = of
    const [open, setOpen] = useState(false)
    return (
        <Form
            onSubmit={event => {
                event.preventDefault()
                if (of.name !== '') props.next()
            }}
        >
            <TextField
                name="name"
                label={w.name}
                help={w.nameHelp}
                value={of.name}
                change={name => change({ ...of, name })}
                required
                focus
            />
            {entry?.variables.map(one => (
                <TextField
                    key={one.name}
                    name={one.name}
                    label={one.title}
                    type={one.secret ? 'password' : 'text'}
                    complete="new-password"
                    help={one.generated ? words.variables.generated : undefined}
                    value={of.values[one.name] ?? ''}
                    change={value => change({ ...of, values: { ...of.values, [one.name]: value } })}
                    required={one.required}
                />
            ))}
            {entry ? (
                <ExpandableSection toggleText={w.showFile} isExpanded={open} onToggle={(_e, on) => setOpen(on)}>
                    {open && <CopyBlock label={words.file.title} text={entry.composeFile} tall />}
                </ExpandableSection>
            ) : (
                <>
                    <Section title={words.file.title}>
                        <EditFile stack="" text={of.file} change={file => change({ ...of, file })} />
                    </Section>
                    <Section title={words.variables.title}>
                        <EditVariables of={of.variables} change={variables => change({ ...of, variables })} />
                    </Section>
                </>
            )}
            <div className="dv-inline">
                <Button type="submit" data-action="next" isDisabled={of.name === ''}>
                    {w.next}
                </Button>
                <Button variant="link" onClick={props.back}>
                    {w.back}
                </Button>
            </div>
        </Form>
    )
}

function Plan(props: { of: Chosen; back: () => void }) {
    const { of } = props
    const navigate = useNavigate()
    const [plan, setPlan] = useState<Begun>()
    const [failure, setFailure] = useState<Trouble>()
    const [busy, setBusy] = useState(false)
    const request = useRef(requestOf(of))
    useEffect(() => {
        const stop = new AbortController()
        api.create({ ...request.current, up: true, dryRun: true }, { signal: stop.signal }).then(
            setPlan,
            thrown => !stop.signal.aborted && setFailure(troubleOf(thrown)),
        )
        return () => stop.abort()
    }, [])
    const run = async (up: boolean): Promise<void> => {
        setBusy(true)
        setFailure(undefined)
        try {
            begun(await api.create({ ...request.current, up }))
            await navigate({ to: '/stacks/$stack' as string, params: { stack: of.name } as never })
        } catch (thrown) {
            setFailure(troubleOf(thrown))
            setBusy(false)
        }
    }
    return (
        <>
            {failure && <TroubleNote trouble={failure} />}
            {!plan && !failure && <Loading />}
            {plan && <PlanView answer={plan} />}
            {plan && <Same call={() => callOfChosen(of)} />}
            <div className="dv-inline">
                <Button data-action="create" isLoading={busy} isDisabled={busy || !plan} onClick={() => void run(true)}>
                    {w.run}
                </Button>
                <Button
                    variant="secondary"
                    data-action="create-only"
                    isDisabled={busy || !plan}
                    onClick={() => void run(false)}
                >
                    {w.keepOnly}
                </Button>
                <Button variant="link" onClick={props.back}>
                    {w.back}
                </Button>
            </div>
        </>
    )
}
