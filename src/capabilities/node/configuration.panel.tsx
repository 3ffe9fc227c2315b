// The page of the node's document: edit it, read what it would do, apply it, see what was done and what differs by now.
import { Button } from '@patternfly/react-core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { type DocumentPlan, ProvisionService } from '../../gen/proto/capabilities/node/provision_pb.js'
import { TaskService } from '../../gen/proto/capabilities/task/task_pb.js'
import { act, openDialog } from '../act.panel.tsx'
import { clientOf, type Trouble, troubleOf } from '../client.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { EmptyHint, Forbidden, Loading, PageBody, PageHead, Quiet, Section, TroubleNote } from '../parts.panel.tsx'
import { fill } from '../words.panel.tsx'
import { EditYaml } from '../yaml-edit.panel.tsx'
import { Applies, Events, useApply } from './applies.panel.tsx'
import { ApplyDialog } from './apply-dialog.panel.tsx'
import { words } from './configuration-words.panel.tsx'
import { DocumentPlanView } from './document-plan.panel.tsx'
import { Differs, Drift } from './drift.panel.tsx'
import { words as node } from './words.panel.tsx'

const api = clientOf(ProvisionService)
const CRUMBS = [{ label: node.node, to: '/node' }]
const PROFILES = ['zfs', 'ceph', 'mixed']

export default function Configuration() {
    const may = useMay()
    if (!may('node.configure')) return <Forbidden />
    return <Inside />
}

function Inside() {
    const queries = useQueryClient()
    const askAgain = useAskAgain()
    const again = (): void => askAgain(['node'])
    const standing = useQuery({
        queryKey: ['node', 'document'],
        queryFn: ({ signal }) => api.getDocument({}, { signal }),
    })
    const status = useQuery({ queryKey: ['node', 'status'], queryFn: ({ signal }) => api.getStatus({}, { signal }) })
    const applies = useQuery({
        queryKey: ['node', 'applies'],
        queryFn: ({ signal }) => api.listApplies({}, { signal }),
    })
    const [text, setText] = useState<string>()
    const [plan, setPlan] = useState<{ of: string; plan: DocumentPlan }>()
    const [failure, setFailure] = useState<Trouble>()
    const [planning, setPlanning] = useState(false)
    const [running, setRunning] = useState({ apply: '', task: '' })
    const events = useApply(running.apply, again)
    const written = standing.data?.text ?? ''
    const shown = text ?? written

    // What was asked for may stand below the editor, or above it.
    const shownPlan = useRef<HTMLDivElement>(null)
    const shownApply = useRef<HTMLDivElement>(null)
    useEffect(() => {
        if (plan) shownPlan.current?.scrollIntoView({ block: 'start' })
    }, [plan])
    useEffect(() => {
        if (running.apply) shownApply.current?.scrollIntoView({ block: 'start' })
    }, [running.apply])

    // An apply that somebody else began, or this window before it was loaded anew.
    const last = status.data?.last
    useEffect(() => {
        if (last?.state === 'running') setRunning(now => (now.apply ? now : { apply: last.id, task: '' }))
    }, [last])

    async function showPlan(): Promise<void> {
        setPlanning(true)
        setFailure(undefined)
        setPlan(undefined)
        try {
            const answer = await api.plan({ text: shown })
            if (answer.plan) setPlan({ of: shown, plan: answer.plan })
        } catch (thrown) {
            setFailure(troubleOf(thrown))
        }
        setPlanning(false)
    }
    const draft = (profile: string) =>
        act(async () => {
            setText((await api.draftDocument({ profile })).text)
        })
    function apply(of: { of: string; plan: DocumentPlan }): void {
        openDialog(close => (
            <ApplyDialog
                text={of.of}
                plan={of.plan}
                close={close}
                moved={() => void showPlan()}
                begun={(apply, task) => {
                    setPlan(undefined)
                    // It is the node's document from here on; asked for again, it says the same.
                    queries.setQueryData(['node', 'document'], { ...standing.data, exists: true, text: of.of })
                    setText(undefined)
                    setRunning({ apply, task })
                    again()
                }}
            />
        ))
    }

    if (standing.isError && !standing.data)
        return (
            <>
                <PageHead title={words.title} crumbs={CRUMBS} />
                <PageBody>
                    <TroubleNote trouble={troubleOf(standing.error)} retry={again} />
                </PageBody>
            </>
        )
    if (!standing.data) return <Loading />
    const isThere = standing.data.exists || text !== undefined
    const current = plan?.of === shown ? plan : undefined
    const over = events.some(event => event.kind === 'end')
    return (
        <>
            <PageHead title={words.title} crumbs={CRUMBS} below={<Quiet>{words.about}</Quiet>}>
                <Drift verified={status.data?.verified} isThere={standing.data.exists} done={again} />
            </PageHead>
            <PageBody>
                <Differs verified={status.data?.verified} />
                <div ref={shownApply} />
                {running.apply !== '' && (
                    <Section
                        title={over ? words.applied : words.applying}
                        actions={
                            !over &&
                            running.task !== '' && (
                                <Button
                                    variant="secondary"
                                    data-action="stop-apply"
                                    onClick={() => void act(() => clientOf(TaskService).cancel({ id: running.task }))}
                                >
                                    {words.stopIt}
                                </Button>
                            )
                        }
                    >
                        <Events events={events} />
                    </Section>
                )}
                {!isThere && (
                    <EmptyHint title={words.noDocument} body={words.noDocumentText}>
                        {PROFILES.map(profile => (
                            <Button
                                key={profile}
                                variant={profile === 'zfs' ? 'primary' : 'secondary'}
                                data-action={`draft-${profile}`}
                                onClick={() => void draft(profile)}
                            >
                                {fill(words.draft, { profile })}
                            </Button>
                        ))}
                    </EmptyHint>
                )}
                {isThere && (
                    <Section
                        title={words.document}
                        actions={
                            <>
                                <span className="dv-quiet" data-changed={shown !== written}>
                                    {shown === written ? words.asApplied : words.changed}
                                </span>
                                {text !== undefined && shown !== written && (
                                    <Button variant="link" data-action="discard" onClick={() => setText(undefined)}>
                                        {words.discard}
                                    </Button>
                                )}
                                <Button
                                    data-action="show-plan"
                                    isLoading={planning}
                                    isDisabled={planning}
                                    onClick={() => void showPlan()}
                                >
                                    {words.showPlan}
                                </Button>
                            </>
                        }
                    >
                        <EditYaml
                            label={words.editor}
                            text={shown}
                            change={setText}
                            check={async (of, signal) => (await api.checkDocument({ text: of }, { signal })).findings}
                            schemaKey="node"
                            schema={async signal => (await api.getSchema({}, { signal })).json}
                        />
                    </Section>
                )}
                <div ref={shownPlan} />
                {failure && <TroubleNote trouble={failure} />}
                {current && (
                    <Section
                        title={words.plan}
                        actions={
                            current.plan.groups.length > 0 && (
                                <Button
                                    variant={current.plan.destroys.length > 0 ? 'danger' : 'primary'}
                                    data-action="apply"
                                    isDisabled={current.plan.errors.length > 0 || (running.apply !== '' && !over)}
                                    onClick={() => apply(current)}
                                >
                                    {words.apply}
                                </Button>
                            )
                        }
                    >
                        <DocumentPlanView plan={current.plan} />
                    </Section>
                )}
                <Section title={words.history}>
                    {applies.isError && <TroubleNote trouble={troubleOf(applies.error)} />}
                    {applies.data && (
                        <Applies
                            applies={applies.data.applies}
                            begun={apply => {
                                setRunning({ apply, task: '' })
                                setText(undefined)
                                again()
                            }}
                        />
                    )}
                </Section>
            </PageBody>
        </>
    )
}
