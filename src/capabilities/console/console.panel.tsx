// Display and serial port of a machine: one toolbar, the rest is loaded when it is opened.
import { Button, ToggleGroup, ToggleGroupItem } from '@patternfly/react-core'
import ExpandIcon from '@patternfly/react-icons/dist/esm/icons/expand-icon'
import { lazy, Suspense, useCallback, useEffect, useRef, useState } from 'react'
import { ConsoleService, Kind } from '../../gen/proto/capabilities/console/console_pb.js'
import { openDialog } from '../act.panel.tsx'
import { clientOf, type Trouble, troubleOf } from '../client.panel.tsx'
import { FormDialog, TextField } from '../forms.panel.tsx'
import type { ObjectTabProps } from '../pages.panel.tsx'
import { EmptyHint, Loading, TroubleNote } from '../parts.panel.tsx'
import { fill } from '../words.panel.tsx'
import { words } from './words.panel.tsx'

const Display = lazy(() => import('./display.panel.tsx'))
const Serial = lazy(() => import('./serial.panel.tsx'))

export type Link = { state: 'connecting' | 'connected' | 'ended'; why?: string }

/** What a console can be told by the toolbar. */
export interface Handle {
    paste(text: string): void
    ctrlAltDel?(): void
    focus(): void
}

export interface ScreenProps {
    name: string
    url: string
    protocols: string[]
    onLink: (link: Link) => void
    onHandle: (handle: Handle | undefined) => void
}

export default function Console(props: ObjectTabProps) {
    const [kind, setKind] = useState<Kind.VNC | Kind.SERIAL>(Kind.VNC)
    const [turn, setTurn] = useState(0)
    const [force, setForce] = useState(false)
    const [way, setWay] = useState<{ url: string; protocols: string[]; turn: number }>()
    const [failure, setFailure] = useState<Trouble>()
    const [link, setLink] = useState<Link>({ state: 'connecting' })
    const [handle, setHandle] = useState<Handle>()
    const frame = useRef<HTMLDivElement>(null)

    useEffect(() => {
        if (!props.running) return
        const stop = new AbortController()
        setWay(undefined)
        setFailure(undefined)
        setLink({ state: 'connecting' })
        clientOf(ConsoleService)
            .open({ vm: props.uuid, kind, force }, { signal: stop.signal })
            .then(
                answer => {
                    const scheme = window.location.protocol === 'http:' ? 'ws:' : 'wss:'
                    setWay({
                        url: `${scheme}//${window.location.host}${answer.path}`,
                        protocols: ['debvisor.console', `ticket.${answer.ticket}`],
                        turn,
                    })
                },
                thrown => !stop.signal.aborted && setFailure(troubleOf(thrown)),
            )
        return () => stop.abort()
    }, [props.uuid, props.running, kind, turn, force])

    const again = useCallback((taking = false) => {
        setForce(taking)
        setTurn(n => n + 1)
    }, [])
    const keep = useCallback((next: Handle | undefined) => setHandle(next), [])
    if (!props.running) return <EmptyHint title={words.off} body={words.offHelp} />

    const Screen = kind === Kind.VNC ? Display : Serial
    return (
        <div className="dv-console" ref={frame} data-console={link.state}>
            <div className="dv-console-bar">
                <ToggleGroup aria-label={words.console} isCompact>
                    <ToggleGroupItem
                        text={words.display}
                        buttonId="console-vnc"
                        isSelected={kind === Kind.VNC}
                        onChange={() => setKind(Kind.VNC)}
                    />
                    <ToggleGroupItem
                        text={words.serial}
                        buttonId="console-serial"
                        isSelected={kind === Kind.SERIAL}
                        onChange={() => setKind(Kind.SERIAL)}
                    />
                </ToggleGroup>
                <span className="dv-quiet" role="status">
                    {link.state === 'connecting'
                        ? words.connecting
                        : link.state === 'ended'
                          ? words.ended
                          : words.connected}
                </span>
                <span className="dv-console-buttons">
                    {link.state === 'ended' && (
                        <Button variant="primary" size="sm" onClick={() => again()} data-action="reconnect">
                            {words.reconnect}
                        </Button>
                    )}
                    {handle?.ctrlAltDel && (
                        <Button variant="secondary" size="sm" onClick={() => handle.ctrlAltDel?.()}>
                            {words.cad}
                        </Button>
                    )}
                    {handle && (
                        <Button
                            variant="secondary"
                            size="sm"
                            onClick={() =>
                                openDialog(close => <Paste name={props.name} handle={handle} close={close} />)
                            }
                        >
                            {words.paste}
                        </Button>
                    )}
                    <Button
                        variant="plain"
                        size="sm"
                        aria-label={words.fullscreen}
                        title={words.fullscreen}
                        icon={<ExpandIcon />}
                        onClick={() => void frame.current?.requestFullscreen().then(() => handle?.focus())}
                    />
                </span>
            </div>
            {failure && (
                <>
                    <TroubleNote trouble={failure} retry={() => again()} />
                    {failure.code === 'conflict' && (
                        <Button variant="secondary" onClick={() => again(true)}>
                            {words.take}
                        </Button>
                    )}
                </>
            )}
            {!failure && (
                <Suspense fallback={<Loading />}>
                    {way ? (
                        <Screen
                            key={`${kind}-${way.turn}`}
                            name={props.name}
                            url={way.url}
                            protocols={way.protocols}
                            onLink={setLink}
                            onHandle={keep}
                        />
                    ) : (
                        <Loading />
                    )}
                </Suspense>
            )}
        </div>
    )
}

function Paste(props: { name: string; handle: Handle; close: () => void }) {
    const [text, setText] = useState('')
    return (
        <FormDialog
            title={fill(words.pasteTitle, { name: props.name })}
            submit={words.paste}
            close={props.close}
            run={() => {
                props.handle.paste(text)
                return Promise.resolve()
            }}
        >
            <TextField name="text" label={words.pasteLabel} help={words.pasteHelp} long value={text} change={setText} />
        </FormDialog>
    )
}
