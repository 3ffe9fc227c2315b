// A shell in a container, in the browser: a ticket of the server, then the terminal.
import { Button } from '@patternfly/react-core'
import { useCallback, useEffect, useState } from 'react'
import { ContainerService } from '../../gen/proto/capabilities/container/container_pb.js'
import { clientOf, type Trouble, troubleOf } from '../client.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { EmptyHint, Loading, TroubleNote } from '../parts.panel.tsx'
import { Terminal } from '../terminal.panel.tsx'
import { fill } from '../words.panel.tsx'
import type { TabProps } from './detail.panel.tsx'
import { covered, isOn } from './store.panel.tsx'
import { words } from './words.panel.tsx'

type Link = keyof typeof words.links

export default function Shell({ container: one }: TabProps) {
    const may = useMay()
    const [turn, setTurn] = useState(0)
    const [link, setLink] = useState<Link>('connecting')
    if (!isOn(one.state)) return <EmptyHint title={words.off} body={words.offHelp} />
    if (one.marks.length > 0 && !may('container.host', covered(one)))
        return <EmptyHint title={words.hostOnly} body={words.hostOnlyHelp} />
    return (
        <div className="dv-console" data-console={link}>
            <div className="dv-console-bar">
                <span className="dv-quiet" role="status">
                    {words.links[link]}
                </span>
                <span className="dv-console-buttons">
                    {(link === 'ended' || link === 'refused') && (
                        <Button variant="primary" size="sm" data-action="reconnect" onClick={() => setTurn(n => n + 1)}>
                            {words.again}
                        </Button>
                    )}
                </span>
            </div>
            <Opening key={turn} id={one.id} name={one.name} onLink={setLink} />
        </div>
    )
}

/** One opening: nothing of an earlier one, nor its ticket, gets into the next. */
function Opening({ id, name, onLink }: { id: string; name: string; onLink: (link: Link) => void }) {
    const [way, setWay] = useState<{ url: string; protocols: string[] }>()
    const [failure, setFailure] = useState<Trouble>()
    useEffect(() => {
        const stop = new AbortController()
        onLink('connecting')
        clientOf(ContainerService)
            .openTerminal({ container: id }, { signal: stop.signal })
            .then(
                ({ path, ticket }) => {
                    const scheme = window.location.protocol === 'http:' ? 'ws:' : 'wss:'
                    const url = `${scheme}//${window.location.host}${path}`
                    setWay({ url, protocols: ['debvisor.console', `ticket.${ticket}`] })
                },
                thrown => {
                    if (stop.signal.aborted) return
                    setFailure(troubleOf(thrown))
                    onLink('refused')
                },
            )
        return () => stop.abort()
    }, [id, onLink])
    const ended = useCallback(
        (code: number, reason: string) => {
            onLink(code === 4000 ? 'refused' : 'ended')
            if (code === 4000)
                setFailure({ code: 'precondition', summary: reason, detail: name, fix: '', at: '', findings: [] })
        },
        [onLink, name],
    )
    if (failure) return <TroubleNote trouble={failure} />
    if (!way) return <Loading />
    return (
        <Terminal
            label={fill(words.terminalOf, { name })}
            url={way.url}
            protocols={way.protocols}
            tellsSize
            onOpen={() => onLink('connected')}
            onClose={ended}
            onHandle={() => {}}
        />
    )
}
