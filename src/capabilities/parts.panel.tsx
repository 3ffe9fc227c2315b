// The parts pages are made of: heads, troubles, empty states, loading, meters, copying, menus of actions.
import {
    Alert,
    Button,
    ClipboardCopyButton,
    CodeBlock,
    CodeBlockAction,
    CodeBlockCode,
    Content,
    EmptyState,
    EmptyStateActions,
    EmptyStateBody,
    EmptyStateFooter,
    PageSection,
    Progress,
    Spinner,
    Title,
} from '@patternfly/react-core'
import AngleIcon from '@patternfly/react-icons/dist/esm/icons/angle-right-icon'
import { Link } from '@tanstack/react-router'
import { type AnchorHTMLAttributes, type ComponentType, type ReactNode, useState } from 'react'
import type { Finding } from '../gen/proto/capabilities/debvisor_pb.js'
import { isAway, type Trouble } from './client.panel.tsx'
import type { Snapshot } from './live.panel.tsx'
import { common, fill } from './words.panel.tsx'

export interface Crumb {
    label: string
    to: string
}

/** Title, what stands beside it, the buttons of a page, and the way that leads to it. */
export function PageHead(props: {
    title: string
    below?: ReactNode
    children?: ReactNode
    aside?: ReactNode
    crumbs?: readonly Crumb[]
}) {
    return (
        <PageSection className="dv-head" hasBodyWrapper={false}>
            <div className="dv-head-row">
                {props.crumbs && (
                    <nav aria-label={common.whereYouAre} className="dv-crumbs">
                        {props.crumbs.map(crumb => (
                            <span key={crumb.to}>
                                <Anchor href={crumb.to}>{crumb.label}</Anchor> <AngleIcon aria-hidden />
                            </span>
                        ))}
                    </nav>
                )}
                <Title headingLevel="h1" className="dv-title">
                    {props.title}
                </Title>
                {props.aside}
                <div className="dv-head-actions">{props.children}</div>
            </div>
            {props.below}
        </PageSection>
    )
}

export function PageBody(props: { children: ReactNode; fill?: boolean }) {
    return (
        <PageSection hasBodyWrapper={false} isFilled={props.fill} className={props.fill ? 'dv-fill' : 'dv-body'}>
            {props.children}
        </PageSection>
    )
}

/** Where several small sections stand on one page. */
export function Section(props: { title: string; children: ReactNode; actions?: ReactNode }) {
    return (
        <section className="dv-section">
            <div className="dv-head-row">
                <Title headingLevel="h2" size="lg">
                    {props.title}
                </Title>
                <div className="dv-head-actions">{props.actions}</div>
            </div>
            {props.children}
        </section>
    )
}

/** The server's words: what went wrong, with what, and what to do. */
export function TroubleNote(props: { trouble: Trouble; retry?: () => void }) {
    const { trouble } = props
    return (
        <Alert
            variant="danger"
            isInline
            title={trouble.summary}
            data-trouble={trouble.code}
            actionLinks={
                props.retry && (
                    <Button variant="link" isInline onClick={props.retry}>
                        {common.retry}
                    </Button>
                )
            }
        >
            {trouble.detail && <p className="dv-anywhere">{trouble.detail}</p>}
            {trouble.fix && <p>{trouble.fix}</p>}
            {trouble.findings.map(f => (
                <p key={`${f.code}${f.at}`} className="dv-anywhere">
                    {[f.summary, f.detail, f.fix].filter(Boolean).join('. ')}
                </p>
            ))}
        </Alert>
    )
}

const looks: Record<string, 'danger' | 'warning'> = { error: 'danger', warning: 'warning' }

/** What a check found, with its fix. */
export const FindingNote = ({ finding }: { finding: Finding }) => (
    <Alert isInline data-finding={finding.code} variant={looks[finding.severity] ?? 'info'} title={finding.summary}>
        {finding.detail && <p className="dv-anywhere">{finding.detail}</p>}
        {finding.fix && <p>{finding.fix}</p>}
    </Alert>
)

/** Says that a live list may be old. */
export function Freshness(props: { of: Snapshot<unknown>; stale?: string }) {
    const { state, trouble } = props.of
    if (state === 'lost')
        return (
            <Alert
                variant="warning"
                isInline
                isPlain
                title={isAway(trouble) ? common.lostServer : fill(common.refusedMeanwhile, { why: trouble!.summary })}
                data-freshness="lost"
            >
                {!isAway(trouble) && <p>{trouble?.fix}</p>}
            </Alert>
        )
    if (state === 'stale')
        return <Alert variant="warning" isInline isPlain title={props.stale ?? common.stale} data-freshness="stale" />
    return null
}

/** Until a live list has come for the first time: that it loads, or why it does not. */
export const Connecting = ({ of, title }: { of: Snapshot<unknown>; title?: string }) =>
    of.trouble ? (
        <>
            {title && <PageHead title={title} />}
            <PageBody>
                <TroubleNote trouble={of.trouble} />
                <Quiet>{common.tryingAgain}</Quiet>
            </PageBody>
        </>
    ) : (
        <Loading />
    )

export function Loading() {
    return (
        <div className="dv-loading">
            <Spinner aria-label={common.loading} />
        </div>
    )
}

/** An empty page that says what to do first. */
export function EmptyHint(props: { title: string; icon?: ComponentType; body?: ReactNode; children?: ReactNode }) {
    return (
        <EmptyState titleText={props.title} headingLevel="h2" icon={props.icon} variant="sm">
            {props.body && <EmptyStateBody>{props.body}</EmptyStateBody>}
            {props.children && (
                <EmptyStateFooter>
                    <EmptyStateActions>{props.children}</EmptyStateActions>
                </EmptyStateFooter>
            )}
        </EmptyState>
    )
}

/** How full something is. */
export function Meter(props: { share: number; label: string; text: string }) {
    const value = Math.max(0, Math.min(100, Math.round(props.share * 100)))
    return (
        <div className="dv-meter">
            <Progress
                value={value}
                aria-label={props.label}
                measureLocation="none"
                size="sm"
                variant={value >= 98 ? 'danger' : value >= 90 ? 'warning' : undefined}
            />
            <span className="dv-quiet">{props.text}</span>
        </div>
    )
}

/** Text to copy: a command, a document, a secret. */
export function CopyBlock(props: { text: string; label: string; tall?: boolean }) {
    const [copied, setCopied] = useState(false)
    return (
        <CodeBlock
            className={props.tall ? 'dv-code dv-code-tall' : 'dv-code'}
            actions={
                <CodeBlockAction className="dv-code-bar">
                    <span className="dv-quiet">{props.label}</span>
                    <ClipboardCopyButton
                        id={`copy-${props.label.replace(/\W+/g, '-')}`}
                        aria-label={`${common.copy}: ${props.label}`}
                        onClick={() => {
                            void navigator.clipboard.writeText(props.text).then(() => setCopied(true))
                        }}
                        onTooltipHidden={() => setCopied(false)}
                        variant="plain"
                    >
                        {copied ? common.copied : common.copy}
                    </ClipboardCopyButton>
                </CodeBlockAction>
            }
        >
            {/* A scrolling region has to be reachable by keyboard. */}
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable text needs focus to be scrolled by keys */}
            <section className="dv-code-scroll" tabIndex={0} aria-label={props.label}>
                <CodeBlockCode>{props.text}</CodeBlockCode>
            </section>
        </CodeBlock>
    )
}

/** An address of the panel with what stands after `?`, as the router takes it. */
export function placeOf(href: string): { to: string; search: Record<string, string> } {
    const [to = '/', query = ''] = href.split('?')
    return { to, search: Object.fromEntries(new URLSearchParams(query)) }
}

/** `/vms?state=running`; what is empty is left out. */
export function address(path: string, query: Record<string, string>): string {
    const text = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== '')).toString()
    return text === '' ? path : `${path}?${text}`
}

/**
 * A link inside the panel where PatternFly wants a component, as `component={Anchor} href="/vms"`. One and the same
 * function: a new one at each drawing would take the element, and with it focus and clicks, away.
 */
export function Anchor({ href, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement>) {
    const { to, search } = placeOf(href ?? '/')
    return <Link to={to as string} search={search as never} {...(rest as object)} />
}

/** Small grey text. */
export const Quiet = (props: { children: ReactNode }) => (
    <Content component="small" className="dv-quiet">
        {props.children}
    </Content>
)

/** What a person sees on a page that their rights do not reach. */
export const Forbidden = () => <EmptyHint title={common.forbidden} body={common.forbiddenFix} />

export const actionsOf = (name: string): string => fill(common.actionsOf, { name })

export { ActionMenu, type MenuAction } from './menu.panel.tsx'
