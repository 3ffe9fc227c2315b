// The plan of a document as a person reads it: what dies and what is interrupted first, then step by step.
import { Alert, ExpandableSection, List, ListItem } from '@patternfly/react-core'
import { useState } from 'react'
import type { Finding } from '../../gen/proto/capabilities/debvisor_pb.js'
import type { DocumentPlan, PlanGroup, PlanStep } from '../../gen/proto/capabilities/node/provision_pb.js'
import { CopyBlock, Quiet } from '../parts.panel.tsx'
import { fill } from '../words.panel.tsx'
import { words } from './configuration-words.panel.tsx'

/** `disk:/dev/disk/by-id/ata-X` is typed as `ata-X`. */
export const shortName = (target: string): string =>
    target
        .replace(/^[a-z]+:/, '')
        .split('/')
        .at(-1) || target

export function DocumentPlanView({ plan }: { plan: DocumentPlan }) {
    const headings = plan.groups.map((group, at) => (plan.groups[at - 1]?.title === group.title ? '' : group.title))
    return (
        <div data-plan="document">
            {plan.destroys.length > 0 && (
                <Alert variant="danger" isInline title={words.dies} className="dv-gap" data-dies>
                    <List isPlain>
                        {plan.destroys.map(({ target, agreed }) => (
                            <ListItem key={target} className="dv-anywhere">
                                {fill(words.diesOn, { target })} {agreed && words.agreed}
                            </ListItem>
                        ))}
                    </List>
                </Alert>
            )}
            {plan.disrupts.length > 0 && (
                <Alert variant="warning" isInline title={words.interrupted} className="dv-gap" data-interrupts>
                    <List isPlain>
                        {plan.disrupts.map(one => (
                            <ListItem key={one}>{one}</ListItem>
                        ))}
                    </List>
                </Alert>
            )}
            {plan.errors.length > 0 && <FindingNotes findings={plan.errors} title={words.impossible} />}
            <FindingNotes findings={plan.findings} />
            {plan.groups.length === 0 ? (
                <Quiet>{words.nothing}</Quiet>
            ) : (
                <>
                    {plan.groups.map((group, at) => (
                        <div key={group.resource} data-group={group.resource}>
                            {headings[at] && <h3 className="dv-plan-title">{headings[at]}</h3>}
                            <GroupView group={group} />
                        </div>
                    ))}
                    <p className="dv-plan-title">{plan.summary}</p>
                    <Folded closed={words.wholeText} opened={words.wholeText}>
                        <CopyBlock label={words.wholeText} text={plan.text} tall />
                    </Folded>
                </>
            )}
        </div>
    )
}

function GroupView({ group }: { group: PlanGroup }) {
    return (
        <>
            <Steps steps={group.steps} />
            {group.withheld.length > 0 && (
                <p className="dv-destroys">
                    {fill(words.withheld, { targets: group.withheld.map(shortName).join(', ') })}
                </p>
            )}
            {group.withheld.length === 0 && group.errors.length > 0 && <p className="dv-destroys">{words.held}</p>}
            {group.waitsFor && <Quiet>{fill(words.waits, { name: group.waitsFor })}</Quiet>}
            {group.later.map(reason => (
                <Quiet key={reason}>{fill(words.later, { reason })}</Quiet>
            ))}
        </>
    )
}

function Steps({ steps }: { steps: readonly PlanStep[] }) {
    return (
        <List isPlain className="dv-plan">
            {steps.map((step, at) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: steps have no id and never move
                <ListItem key={at} data-step={step.kind}>
                    <span className={step.destroys.length > 0 ? 'dv-destroys' : 'dv-anywhere'}>{step.say}</span>
                    {step.disrupts && <div className="dv-quiet">{`${words.interrupted}: ${step.disrupts}`}</div>}
                    {step.secret && <div className="dv-quiet">{words.secret}</div>}
                    {step.diff && (
                        <Folded closed={words.showChange} opened={words.hideChange}>
                            <Diff text={step.diff} />
                        </Folded>
                    )}
                    {step.steps.length > 0 && <Steps steps={step.steps} />}
                </ListItem>
            ))}
        </List>
    )
}

function Diff({ text }: { text: string }) {
    return (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable text needs focus to be scrolled by keys
        <section className="dv-diff" tabIndex={0} aria-label={words.showChange}>
            {text.split('\n').map((line, at) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: lines have no id and never move
                <div key={at} className={line[0] === '+' ? 'dv-added' : line[0] === '-' ? 'dv-gone' : ''}>
                    {line || ' '}
                </div>
            ))}
        </section>
    )
}

/** Shown only when it is opened: a plan of a whole node has many files. */
export function Folded(props: { closed: string; opened: string; children: React.ReactNode }) {
    const [open, setOpen] = useState(false)
    return (
        <ExpandableSection
            toggleText={open ? props.opened : props.closed}
            isExpanded={open}
            onToggle={(_event, yes) => setOpen(yes)}
        >
            {open && props.children}
        </ExpandableSection>
    )
}

const VARIANTS = { error: 'danger', warning: 'warning' } as const

export function FindingNotes(props: { findings: readonly Finding[]; title?: string }) {
    return props.findings.map(finding => (
        <Alert
            key={`${finding.code}${finding.at}${finding.detail}`}
            isInline
            className="dv-gap"
            variant={VARIANTS[finding.severity as keyof typeof VARIANTS] ?? 'info'}
            title={props.title ? `${props.title}: ${finding.summary}` : finding.summary}
        >
            {[finding.at, finding.detail].filter(Boolean).length > 0 && (
                <p className="dv-anywhere">{[finding.at, finding.detail].filter(Boolean).join(': ')}</p>
            )}
            {finding.fix && <p>{finding.fix}</p>}
        </Alert>
    ))
}
