// The frame around every page: masthead, navigation by rights, content, tasks; and notices and dialogs over it.
import {
    Alert,
    AlertActionCloseButton,
    AlertGroup,
    Button,
    Masthead,
    MastheadBrand,
    MastheadContent,
    MastheadLogo,
    MastheadMain,
    MastheadToggle,
    Page,
    PageSidebar,
    PageSidebarBody,
    PageToggleButton,
    SkipToContent,
} from '@patternfly/react-core'
import SearchIcon from '@patternfly/react-icons/dist/esm/icons/search-icon'
import { Outlet, useNavigate, useRouterState } from '@tanstack/react-router'
import { Fragment, useEffect, useState } from 'react'
import { dismiss, useDialogs, useNotices } from '../../capabilities/act.panel.tsx'
import { clientOf, session, useSession } from '../../capabilities/client.panel.tsx'
import { useAskAgain } from '../../capabilities/fresh.panel.tsx'
import { LoginAgain } from '../../capabilities/identity/login.panel.tsx'
import { useMe } from '../../capabilities/me.panel.tsx'
import { ActionMenu, Anchor } from '../../capabilities/parts.panel.tsx'
import { TaskPane } from '../../capabilities/task/pane.panel.tsx'
import { onSettled } from '../../capabilities/task/store.panel.tsx'
import { common, fill } from '../../capabilities/words.panel.tsx'
import { IdentityService } from '../../gen/proto/capabilities/identity/identity_pb.js'
import { openPalette, usePaletteKey } from './palette.tsx'
import { setTheme, type Theme, useTheme } from './theme.ts'
import { Tree } from './tree.tsx'
import { words } from './words.ts'

/** When a task ends, what is shown of its object is asked for again, and the lists that forms choose from. */
function useFreshAfterTasks(): void {
    const askAgain = useAskAgain()
    useEffect(
        () =>
            onSettled(task => {
                for (const key of ['vm', 'snapshots', 'xml']) if (task.onKind === 'vm') askAgain([key, task.onId])
                for (const key of ['volumes', 'pools', 'networks', 'bridges', 'node', 'certificate', 'container'])
                    askAgain([key])
            }),
        [askAgain],
    )
}

/** A page without a frame, which has its dialogs and notices all the same. */
export function Alone() {
    const state = useSession()
    return (
        <>
            <Outlet />
            <Notices />
            <Dialogs />
            {state === 'expired' && <LoginAgain />}
        </>
    )
}

const wide = (): boolean => window.innerWidth >= 1200

export function Frame() {
    const state = useSession()
    useFreshAfterTasks()
    usePaletteKey()
    const [open, setOpen] = useState(wide)
    const path = useRouterState({ select: s => s.location.pathname })
    // On a narrow screen the navigation covers the page: it goes when a page was chosen.
    // biome-ignore lint/correctness/useExhaustiveDependencies: `path` is the event
    useEffect(() => {
        if (!wide()) setOpen(false)
    }, [path])
    return (
        <>
            <Page
                masthead={<Head toggle={() => setOpen(o => !o)} open={open} />}
                sidebar={<Side open={open} />}
                skipToContent={
                    <SkipToContent
                        href="#page"
                        onClick={event => {
                            event.preventDefault()
                            document.getElementById('page')?.focus()
                        }}
                    >
                        {words.skip}
                    </SkipToContent>
                }
                mainContainerId="page"
                isContentFilled
                isManagedSidebar={false}
            >
                {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard */}
                <section className="dv-page" tabIndex={0} aria-label={words.content}>
                    <Outlet />
                </section>
                <TaskPane />
            </Page>
            <Notices />
            <Dialogs />
            {state === 'expired' && <LoginAgain />}
        </>
    )
}

function Head(props: { toggle: () => void; open: boolean }) {
    const me = useMe()
    const theme = useTheme()
    const navigate = useNavigate()
    const name = me?.user?.name ?? ''
    const themeAction = (to: Theme) => ({
        key: `theme-${to}`,
        label: `${words.theme}: ${words[to]}`,
        disabled: theme === to,
        run: () => setTheme(to),
    })
    return (
        <Masthead display={{ default: 'inline' }}>
            <MastheadMain>
                <MastheadToggle>
                    <PageToggleButton
                        isHamburgerButton
                        aria-label={words.openNavigation}
                        isSidebarOpen={props.open}
                        onSidebarToggle={props.toggle}
                        id="nav-toggle"
                    />
                </MastheadToggle>
                <MastheadBrand>
                    <MastheadLogo component={Anchor} href="/overview" aria-label={common.product}>
                        <span className="dv-mark dv-mark-small" aria-hidden />
                        <span className="dv-brand">{common.product}</span>
                    </MastheadLogo>
                </MastheadBrand>
            </MastheadMain>
            <MastheadContent className="dv-masthead">
                <Button
                    variant="secondary"
                    className="dv-search-button"
                    icon={<SearchIcon />}
                    aria-label={`${words.searchShort} ${words.searchKey}`}
                    aria-keyshortcuts="Control+K"
                    data-action="search"
                    onClick={openPalette}
                >
                    <span className="dv-search-words">
                        {words.searchShort} <kbd>{words.searchKey}</kbd>
                    </span>
                </Button>
                <span data-me={name}>
                    <ActionMenu
                        label={fill(words.user, { name })}
                        text={name}
                        actions={[
                            {
                                key: 'account',
                                label: words.account,
                                run: () => void navigate({ to: '/account' as string }),
                            },
                            themeAction('system'),
                            themeAction('light'),
                            themeAction('dark'),
                            { key: 'logout', label: words.logout, run: () => void logout() },
                        ]}
                    />
                </span>
            </MastheadContent>
        </Masthead>
    )
}

/** Everything that was shown goes with the session. */
async function logout(): Promise<void> {
    await clientOf(IdentityService)
        .logout({})
        .catch(() => undefined)
    session.set('out')
    window.location.assign('/')
}

function Side(props: { open: boolean }) {
    const path = useRouterState({ select: s => s.location.pathname })
    const search = useRouterState({ select: s => s.location.searchStr })
    return (
        <PageSidebar isSidebarOpen={props.open} className="dv-side">
            <PageSidebarBody isFilled className="dv-side-body">
                {/* Not drawn where it cannot be seen: what it follows is then not asked for. */}
                {props.open && <Tree path={path} search={search} />}
            </PageSidebarBody>
        </PageSidebar>
    )
}

const calm = new Set(['success', 'info'])

function Notices() {
    const notices = useNotices()
    return (
        <AlertGroup isToast isLiveRegion hasAnimations={false} aria-label={words.notices}>
            {notices.map(notice => (
                <Alert
                    key={notice.id}
                    variant={notice.kind}
                    title={notice.title}
                    data-notice={notice.kind}
                    timeout={calm.has(notice.kind) ? 6_000 : false}
                    onTimeout={() => dismiss(notice.id)}
                    actionClose={
                        <AlertActionCloseButton
                            aria-label={fill(words.dismiss, { title: notice.title })}
                            onClose={() => dismiss(notice.id)}
                        />
                    }
                >
                    {notice.detail && <p className="dv-anywhere">{notice.detail}</p>}
                    {notice.fix && <p>{notice.fix}</p>}
                </Alert>
            ))}
        </AlertGroup>
    )
}

function Dialogs() {
    return useDialogs().map(dialog => <Fragment key={dialog.id}>{dialog.element}</Fragment>)
}
