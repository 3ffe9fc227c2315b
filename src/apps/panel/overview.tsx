// The first page: what needs attention and how to mend it, what to do first on a new node, and a card of each capability.
import { Button, Card, CardBody, CardTitle, Icon } from '@patternfly/react-core'
import CheckIcon from '@patternfly/react-icons/dist/esm/icons/check-circle-icon'
import DangerIcon from '@patternfly/react-icons/dist/esm/icons/exclamation-circle-icon'
import WarningIcon from '@patternfly/react-icons/dist/esm/icons/exclamation-triangle-icon'
import HomeIcon from '@patternfly/react-icons/dist/esm/icons/home-icon'
import InfoIcon from '@patternfly/react-icons/dist/esm/icons/info-circle-icon'
import { useQuery } from '@tanstack/react-query'
import { useContext, useState } from 'react'
import { useSampled } from '../../capabilities/all-live.panel.tsx'
import { clientOf } from '../../capabilities/client.panel.tsx'
import { storage } from '../../capabilities/image/store.panel.tsx'
import { isFlag, useKept } from '../../capabilities/kept.panel.tsx'
import { useMay } from '../../capabilities/me.panel.tsx'
import { type PanelEntry, PanelTable, type Warning } from '../../capabilities/pages.panel.tsx'
import { Anchor, EmptyHint, PageBody, PageHead, Quiet } from '../../capabilities/parts.panel.tsx'
import { vms } from '../../capabilities/vm/store.panel.tsx'
import { plural } from '../../capabilities/words.panel.tsx'
import { IdentityService } from '../../gen/proto/capabilities/identity/identity_pb.js'
import { words } from './words.ts'

export const overview: PanelEntry = {
    name: 'overview',
    nav: [{ to: '/overview', label: words.overview, icon: HomeIcon, permission: '', order: 0 }],
    pages: [{ path: '/overview', component: Overview, title: words.overview }],
}

function Overview() {
    const may = useMay()
    const cards = useContext(PanelTable)
        .flatMap(entry => entry.cards ?? [])
        .filter(card => card.permission === '' || may(card.permission))
        .sort((a, b) => a.order - b.order)
    return (
        <>
            <PageHead title={words.overview} />
            <PageBody>
                <FirstSteps />
                <Attention />
                <div className="dv-cards">
                    {cards.map(card => (
                        <Card
                            key={card.key}
                            isCompact
                            component="section"
                            aria-label={card.title}
                            className={card.wide ? 'dv-card-wide' : undefined}
                            data-card={card.key}
                        >
                            <CardTitle component="h2">{card.title}</CardTitle>
                            <CardBody>
                                <card.component />
                            </CardBody>
                        </Card>
                    ))}
                </div>
                {cards.length === 0 && <EmptyHint title={words.nothingForYou} body={words.nothingForYouFix} />}
            </PageBody>
        </>
    )
}

/** So many, that what the node does still has room on the first screen. */
const AT_FIRST = 4

const weight: Record<Warning['severity'], number> = { danger: 0, warning: 1, info: 2 }

/** What is wrong, the worst first, each with its fix. */
function Attention() {
    const table = useContext(PanelTable)
    const warnings = table
        // biome-ignore lint/correctness/useHookAtTopLevel: the table never changes, so each hook keeps its place
        .flatMap(entry => entry.useWarnings?.() ?? [])
        .sort((a, b) => weight[a.severity] - weight[b.severity])
    const [all, setAll] = useState(false)
    // Nothing was said of what could not be asked.
    const asked = [useSampled(vms), useSampled(storage)].every(of => ['live', 'denied'].includes(of.state))
    if (warnings.length === 0 && !asked)
        return (
            <p className="dv-gap" data-attention="unknown">
                <Quiet>{words.notAsked}</Quiet>
            </p>
        )
    if (warnings.length === 0)
        return (
            <div className="dv-gap dv-inline" data-attention="none">
                <CheckIcon className="dv-good" aria-hidden />
                <Quiet>{words.allWell}</Quiet>
            </div>
        )
    const shown = all ? warnings : warnings.slice(0, AT_FIRST)
    return (
        <Card isCompact component="section" aria-label={words.attention} className="dv-gap">
            <CardTitle component="h2">{words.attention}</CardTitle>
            <CardBody>
                <ul data-attention={warnings.length}>
                    {shown.map(warning => (
                        <li key={warning.key} className="dv-warning" data-warning={warning.key}>
                            <Icon status={warning.severity}>
                                {warning.severity === 'danger' ? (
                                    <DangerIcon />
                                ) : warning.severity === 'warning' ? (
                                    <WarningIcon />
                                ) : (
                                    <InfoIcon />
                                )}
                            </Icon>
                            <div>
                                <h3 className="dv-anywhere dv-warning-title">
                                    <span className="dv-hidden">{words.severities[warning.severity]}: </span>
                                    {warning.title}
                                </h3>
                                <p className="dv-quiet dv-anywhere">
                                    {[warning.detail, warning.fix].filter(Boolean).join('. ').replace(/\.\. /g, '. ')}
                                </p>
                            </div>
                            <span className="dv-inline">
                                {warning.act && (
                                    <Button
                                        variant="secondary"
                                        size="sm"
                                        onClick={warning.act.run}
                                        aria-label={`${warning.act.label}: ${warning.title}`}
                                    >
                                        {warning.act.label}
                                    </Button>
                                )}
                                {warning.to && (
                                    <Button
                                        variant="link"
                                        size="sm"
                                        component={Anchor}
                                        href={warning.to}
                                        aria-label={`${words.look}: ${warning.title}`}
                                    >
                                        {words.look}
                                    </Button>
                                )}
                            </span>
                        </li>
                    ))}
                </ul>
                {warnings.length > shown.length && (
                    <Button variant="link" isInline onClick={() => setAll(true)} data-action="all-warnings">
                        {plural(words.moreWarnings, warnings.length - shown.length)}
                    </Button>
                )}
            </CardBody>
        </Card>
    )
}

/** On a node that is new: what comes first, ticked off as it is done. Gone when all is, or when one hides it. */
function FirstSteps() {
    const may = useMay()
    const images = useSampled(storage)
    const machines = useSampled(vms)
    const [hidden, setHidden] = useKept('steps.hidden', isFlag, false)
    const people = useQuery({
        queryKey: ['users'],
        queryFn: ({ signal }) => clientOf(IdentityService).listUsers({}, { signal }),
        enabled: may('identity.manage') && !hidden,
    })
    if (hidden || !may('vm.create') || !may('identity.manage')) return null
    if (images.state === 'connecting' || machines.state === 'connecting' || !people.data) return null
    const steps = [
        {
            key: 'image',
            to: '/images',
            done: machines.list.length > 0 || images.list.some(item => item.volume && item.volume.purpose !== 'seed'),
        },
        { key: 'vm', to: '/create', done: machines.list.length > 0 },
        { key: 'colleague', to: '/users', done: people.data.users.length > 1 },
    ] as const
    if (steps.every(step => step.done)) return null
    const next = steps.find(step => !step.done)
    return (
        <Card isCompact component="section" aria-label={words.firstSteps} className="dv-gap" data-first-steps>
            <CardTitle component="h2">{words.firstSteps}</CardTitle>
            <CardBody>
                <ol className="dv-lines">
                    {steps.map(step => (
                        <li key={step.key} className="dv-line" data-step={step.key} data-done={step.done}>
                            <span>{words.steps[step.key]}</span>
                            {step.done ? (
                                <span className="dv-inline dv-quiet">
                                    <CheckIcon className="dv-good" aria-hidden /> {words.steps.done}
                                </span>
                            ) : (
                                <Button
                                    variant={step === next ? 'primary' : 'link'}
                                    size="sm"
                                    component={Anchor}
                                    href={step.to}
                                    aria-label={`${words.steps.go}: ${words.steps[step.key]}`}
                                >
                                    {words.steps.go}
                                </Button>
                            )}
                        </li>
                    ))}
                </ol>
                <Button variant="link" isInline onClick={() => setHidden(true)}>
                    {words.hideSteps}
                </Button>
            </CardBody>
        </Card>
    )
}
