// Display and serial port of a machine: one toolbar, the rest is loaded when it is opened.
import { Button, ToggleGroup, ToggleGroupItem } from '@patternfly/react-core'
import CompressIcon from '@patternfly/react-icons/dist/esm/icons/compress-arrows-alt-icon'
import SizeIcon from '@patternfly/react-icons/dist/esm/icons/expand-arrows-alt-icon'
import ExpandIcon from '@patternfly/react-icons/dist/esm/icons/expand-icon'
import PopOutIcon from '@patternfly/react-icons/dist/esm/icons/external-link-alt-icon'
import KeyboardIcon from '@patternfly/react-icons/dist/esm/icons/keyboard-icon'
import { lazy, Suspense, useCallback, useEffect, useRef, useState } from 'react'
import { ConsoleService, Kind } from '../../gen/proto/capabilities/console/console_pb.js'
import { openDialog } from '../act.panel.tsx'
import { clientOf, type Trouble, troubleOf } from '../client.panel.tsx'
import { TextField } from '../fields.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { isFlag, useKept } from '../kept.panel.tsx'
import type { ObjectTabProps } from '../pages.panel.tsx'
import { ActionMenu, EmptyHint, Loading, TroubleNote } from '../parts.panel.tsx'
import { fill } from '../words.panel.tsx'
import { words } from './words.panel.tsx'

const Display = lazy(() => import('./display.panel.tsx'))
const Serial = lazy(() => import('./serial.panel.tsx'))

/** closed: it could not be opened, and the page says why. */
export type Link = 'connecting' | 'connected' | 'ended' | 'closed'

/** What a console can be told by the toolbar. */
export interface Handle {
    paste(text: string): void
    ctrlAltDel?(): void
    /** Presses keys together, such as Alt and F2. */
    press?(keys: readonly string[]): void
    /** Fits the picture into the page, or shows it dot by dot. */
    scale?(fit: boolean): void
    focus(): void
}

export interface ScreenProps {
    name: string
    url: string
    protocols: string[]
    onLink: (link: Link) => void
    onHandle: (handle: Handle | undefined) => void
    /** Somebody whom the daemon does not know, such as virsh, has it. */
    onInUse: (summary: string) => void
}

export default function Console(props: ObjectTabProps & { alone?: boolean }) {
    const [kind, setKind] = useState<Kind.VNC | Kind.SERIAL>(Kind.VNC)
    const [turn, setTurn] = useState(0)
    const [force, setForce] = useState(false)
    const [link, setLink] = useState<Link>('connecting')
    const [handle, setHandle] = useState<Handle>()
    const [fit, setFit] = useKept('console.fit', isFlag, true)
    const frame = useRef<HTMLDivElement>(null)
    useEffect(() => handle?.scale?.(fit), [handle, fit])
    // Each opening is one life of its own: nothing of an earlier one, nor its ticket, gets into the next.
    const open = useCallback((next: Kind.VNC | Kind.SERIAL, taking = false) => {
        setKind(next)
        setForce(taking)
        setTurn(n => n + 1)
    }, [])
    const keep = useCallback((next: Handle | undefined) => setHandle(next), [])
    // Who took it over did so once: after the machine was off, it is asked for anew.
    useEffect(() => {
        if (!props.running) setForce(false)
    }, [props.running])
    if (!props.running) return <EmptyHint title={words.off} body={words.offHelp} />

    return (
        <div className="dv-console" ref={frame} data-console={link}>
            <div className="dv-console-bar">
                <ToggleGroup aria-label={words.console} isCompact>
                    <ToggleGroupItem
                        text={words.display}
                        buttonId="console-vnc"
                        isSelected={kind === Kind.VNC}
                        onChange={() => kind !== Kind.VNC && open(Kind.VNC)}
                    />
                    <ToggleGroupItem
                        text={words.serial}
                        buttonId="console-serial"
                        isSelected={kind === Kind.SERIAL}
                        onChange={() => kind !== Kind.SERIAL && open(Kind.SERIAL)}
                    />
                </ToggleGroup>
                <span className="dv-quiet" role="status">
                    {words.links[link]}
                </span>
                <span className="dv-console-buttons">
                    {link === 'ended' && (
                        <Button variant="primary" size="sm" onClick={() => open(kind)} data-action="reconnect">
                            {words.reconnect}
                        </Button>
                    )}
                    {handle?.ctrlAltDel && (
                        <Button variant="secondary" size="sm" onClick={() => handle.ctrlAltDel?.()}>
                            {words.cad}
                        </Button>
                    )}
                    {handle?.press && (
                        <ActionMenu
                            label={words.keys}
                            icon={<KeyboardIcon />}
                            actions={chords.map(keys => ({
                                key: `press-${keys.join('-')}`,
                                label: keys.join('-'),
                                run: () => {
                                    handle.press?.(keys)
                                    handle.focus()
                                },
                            }))}
                        />
                    )}
                    {handle?.scale && (
                        <Button
                            variant="plain"
                            size="sm"
                            data-action="scale"
                            aria-pressed={fit}
                            aria-label={words.fit}
                            title={words.fit}
                            icon={fit ? <CompressIcon /> : <SizeIcon />}
                            onClick={() => setFit(!fit)}
                        />
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
                    {!props.alone && (
                        <Button
                            variant="plain"
                            size="sm"
                            data-action="pop-out"
                            aria-label={words.popOut}
                            title={words.popOut}
                            icon={<PopOutIcon />}
                            onClick={() => popOut(props.uuid)}
                        />
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
            <Opening
                key={turn}
                vm={props}
                kind={kind}
                force={force}
                again={taking => open(kind, taking)}
                onLink={setLink}
                onHandle={keep}
            />
        </div>
    )
}

const F_KEYS = ['F1', 'F2', 'F3', 'F4', 'F5', 'F6', 'F7', 'F8', 'F9', 'F10', 'F11', 'F12']
/** What a browser or the person's own system would keep to itself. */
const chords: readonly (readonly string[])[] = [
    ['Ctrl', 'Alt', 'Backspace'],
    ...F_KEYS.map(key => ['Ctrl', 'Alt', key]),
    ['Alt', 'Tab'],
    ['Alt', 'F4'],
    ['Super'],
    ['Print'],
]

/** A window with nothing but the console. */
const popOut = (uuid: string): void =>
    void window.open(`/console/${uuid}`, `console-${uuid}`, 'popup,width=1060,height=860')

/** One opening: a ticket of the server, then the screen, or why there is none. */
function Opening(props: {
    vm: ObjectTabProps
    kind: Kind.VNC | Kind.SERIAL
    force: boolean
    again: (taking: boolean) => void
    onLink: (link: Link) => void
    onHandle: (handle: Handle | undefined) => void
}) {
    const { kind, force, onLink } = props
    const [way, setWay] = useState<{ url: string; protocols: string[] }>()
    const [failure, setFailure] = useState<Trouble>()
    useEffect(() => {
        const stop = new AbortController()
        onLink('connecting')
        clientOf(ConsoleService)
            .open({ vm: props.vm.uuid, kind, force }, { signal: stop.signal })
            .then(
                answer => {
                    const scheme = window.location.protocol === 'http:' ? 'ws:' : 'wss:'
                    setWay({
                        url: `${scheme}//${window.location.host}${answer.path}`,
                        protocols: ['debvisor.console', `ticket.${answer.ticket}`],
                    })
                },
                thrown => {
                    if (stop.signal.aborted) return
                    setFailure(troubleOf(thrown))
                    onLink('closed')
                },
            )
        return () => stop.abort()
    }, [props.vm.uuid, kind, force, onLink])
    const inUse = (summary: string) => {
        setFailure({ code: 'conflict', summary, detail: props.vm.name, fix: words.takeHelp, at: '', findings: [] })
        onLink('closed')
    }
    if (failure)
        return (
            <>
                <TroubleNote trouble={failure} retry={() => props.again(false)} />
                {failure.code === 'conflict' && (
                    <Button variant="secondary" data-action="take" onClick={() => props.again(true)}>
                        {words.take}
                    </Button>
                )}
            </>
        )
    const Screen = kind === Kind.VNC ? Display : Serial
    return (
        <Suspense fallback={<Loading />}>
            {way ? (
                <Screen
                    name={props.vm.name}
                    url={way.url}
                    protocols={way.protocols}
                    onLink={onLink}
                    onHandle={props.onHandle}
                    onInUse={inUse}
                />
            ) : (
                <Loading />
            )}
        </Suspense>
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
