// The panel as a whole: queries, session, routes from the table, and the edge where failures of pages end.
import { Code, ConnectError } from '@connectrpc/connect'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { createRootRoute, createRoute, createRouter, Navigate, Outlet, RouterProvider } from '@tanstack/react-router'
import { type ComponentType, type ReactNode, Suspense, useEffect, useState } from 'react'
import { clientOf, session, useSession } from '../../capabilities/client.panel.tsx'
import { FactorPage, FirstPage, LoginPage } from '../../capabilities/identity/login.panel.tsx'
import { useMe } from '../../capabilities/me.panel.tsx'
import { type Page, PanelTable } from '../../capabilities/pages.panel.tsx'
import { EmptyHint, Loading, PageBody } from '../../capabilities/parts.panel.tsx'
import { table } from '../../capabilities/table.panel.ts'
import { common } from '../../capabilities/words.panel.tsx'
import { IdentityService } from '../../gen/proto/capabilities/identity/identity_pb.js'
import { Alone, Frame } from './frame.tsx'
import { overview } from './overview.tsx'
import { words } from './words.ts'
import { workloads } from './workloads.tsx'

const final = new Set([
    Code.PermissionDenied,
    Code.NotFound,
    Code.InvalidArgument,
    Code.Unauthenticated,
    Code.FailedPrecondition,
])

const queries = new QueryClient({
    defaultOptions: {
        queries: {
            staleTime: 3_000,
            retry: (failures, error) => failures < 3 && !final.has(ConnectError.from(error).code),
        },
    },
})

/** The first page and that of workloads show something of several capabilities, and so are no capability themselves. */
const everything = [overview, workloads, ...table]

const root = createRootRoute({ component: Outlet, notFoundComponent: Missing })
const framed = createRoute({ getParentRoute: () => root, id: 'framed', component: Frame, notFoundComponent: Missing })
const alone = createRoute({ getParentRoute: () => root, id: 'alone', component: Alone })
const pages = everything.flatMap(entry => entry.pages ?? [])

function titled(Component: ComponentType, title: string): () => ReactNode {
    return function Titled() {
        useEffect(() => {
            document.title = `${title} · ${common.product}`
        }, [])
        return (
            <Suspense fallback={<Loading />}>
                <Component />
            </Suspense>
        )
    }
}

function routeOf(page: Page, parent: typeof framed | typeof alone) {
    return createRoute({
        getParentRoute: () => parent as typeof framed,
        path: page.path,
        component: titled(page.component, page.title),
    })
}

const router = createRouter({
    routeTree: root.addChildren([
        framed.addChildren([
            createRoute({
                getParentRoute: () => framed,
                path: '/',
                component: () => <Navigate to={'/overview' as string} replace />,
            }),
            ...pages.filter(page => !page.alone).map(page => routeOf(page, framed)),
            // Whatever else is asked for is missing, inside the frame.
            createRoute({ getParentRoute: () => framed, path: '$', component: Missing }),
        ]),
        alone.addChildren(pages.filter(page => page.alone).map(page => routeOf(page, alone))),
    ]),
    defaultErrorComponent: Broken,
})

function Missing() {
    return (
        <PageBody>
            <EmptyHint title={common.notFound}>
                <a href="/overview">{common.home}</a>
            </EmptyHint>
        </PageBody>
    )
}

function Broken() {
    return (
        <PageBody>
            <EmptyHint title={common.pageFailed} body={common.pageFailedFix}>
                <a href="/overview">{common.home}</a>
            </EmptyHint>
        </PageBody>
    )
}

/** Asks who is logged in, until the server says yes or no. */
function useWhoAmI(): boolean {
    const [away, setAway] = useState(false)
    useEffect(() => {
        let gone = false
        const ask = async (): Promise<void> => {
            try {
                const me = await clientOf(IdentityService).whoAmI({})
                queries.setQueryData(['me'], me)
                if (!gone) session.set('in')
            } catch (thrown) {
                if (gone) return
                if (ConnectError.from(thrown).code === Code.Unauthenticated) return session.set('out')
                setAway(true)
                setTimeout(() => void ask(), 2_000)
            }
        }
        void ask()
        return () => {
            gone = true
        }
    }, [])
    return away
}

export function App(props: { secret: string }) {
    return (
        <QueryClientProvider client={queries}>
            <PanelTable value={everything}>
                <Gate secret={props.secret} />
            </PanelTable>
        </QueryClientProvider>
    )
}

function Gate(props: { secret: string }) {
    const state = useSession()
    const [secret, setSecret] = useState(props.secret)
    const away = useWhoAmI()
    if (secret !== '') return <FirstPage secret={secret} done={() => setSecret('')} />
    if (state === 'out') return <LoginPage />
    if (state === 'unknown') return away ? <EmptyHint title={words.away} body={words.awayText} /> : <Loading />
    return <Inside />
}

/** Where a second factor is needed and missing, nothing else is there yet. */
function Inside() {
    const me = useMe()
    if (me?.factorRequired) return <FactorPage done={() => window.location.reload()} />
    return <RouterProvider router={router} />
}
