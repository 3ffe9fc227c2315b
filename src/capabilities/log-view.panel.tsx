// What containers wrote: the last lines, then what comes, a bounded number of them; text only, whatever it holds.
import { Checkbox, FormSelect, FormSelectOption, SearchInput } from '@patternfly/react-core'
import { useDeferredValue, useEffect, useRef, useState } from 'react'
import type { LogLine as ContainerLine } from '../gen/proto/capabilities/container/container_pb.js'
import { type Trouble, troubleOf } from './client.panel.tsx'
import { exactMoment } from './format.panel.tsx'
import { Quiet, TroubleNote } from './parts.panel.tsx'
import { catalogue, fill } from './words.panel.tsx'

const w = catalogue('log', {
    search: 'Only lines with',
    follow: 'Follow',
    times: 'Times',
    tail: 'From the end',
    lines: '{count} lines',
    empty: 'Nothing has been written.',
    nothing: 'No line has this text.',
    older: 'Only the last {count} lines are shown.',
    label: 'Log of {name}',
})

type LogLine = Pick<ContainerLine, 'at' | 'error' | 'text'> & { container?: string }

interface Asked {
    follow: boolean
    tail: number
    search: string
}
/** A page that keeps more becomes slow, and nobody reads it. */
const KEPT = 2000
const BATCH_MS = 100
// Colours and other commands for terminals: what they mark stays, they go.
const COMMANDS = /\u001b\[[\d;?]*[A-Za-z]|[\u0000-\u0008\u000b-\u001f\u007f]/g

interface Shown {
    key: number
    line: LogLine
}

export function LogView(props: {
    name: string
    /** It is asked for again when this changes. */
    basis: string
    running: boolean
    open: (asked: Asked, how: { signal: AbortSignal }) => AsyncIterable<{ lines: LogLine[] }>
}) {
    const { name, basis, running } = props
    const ask = useRef(props.open)
    ask.current = props.open
    const [search, setSearch] = useState('')
    const [tail, setTail] = useState('200')
    const [follow, setFollow] = useState(true)
    const [times, setTimes] = useState(false)
    const [lines, setLines] = useState<readonly Shown[]>([])
    const [cut, setCut] = useState(false)
    const [trouble, setTrouble] = useState<Trouble>()
    const [turn, setTurn] = useState(0)
    const box = useRef<HTMLElement>(null)
    const atEnd = useRef(true)
    const wanted = useDeferredValue(search)

    // biome-ignore lint/correctness/useExhaustiveDependencies: `turn` asks again, a start or end of a container too
    useEffect(() => {
        const stop = new AbortController()
        let waiting: LogLine[] = []
        let timer: ReturnType<typeof setTimeout> | undefined
        let next = 0
        setLines([])
        setCut(false)
        setTrouble(undefined)
        const flush = (): void => {
            timer = undefined
            const come = waiting.map(line => ({ key: next++, line }))
            waiting = []
            setLines(before => {
                const all = [...before, ...come]
                if (all.length > KEPT) setCut(true)
                return all.slice(-KEPT)
            })
        }
        void (async () => {
            const asked = { follow: follow && running, tail: Number(tail), search: wanted.trim() }
            try {
                for await (const part of ask.current(asked, { signal: stop.signal })) {
                    waiting.push(...part.lines)
                    if (waiting.length > KEPT) waiting = waiting.slice(-KEPT)
                    timer ??= setTimeout(flush, BATCH_MS)
                }
            } catch (thrown) {
                if (!stop.signal.aborted) setTrouble(troubleOf(thrown))
            }
        })()
        return () => {
            stop.abort()
            clearTimeout(timer)
        }
    }, [basis, running, follow, tail, wanted, turn])
    // biome-ignore lint/correctness/useExhaustiveDependencies: new lines are the event
    useEffect(() => {
        if (atEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight
    }, [lines])

    return (
        <div className="dv-log">
            <div className="dv-console-bar">
                <SearchInput
                    aria-label={w.search}
                    placeholder={w.search}
                    value={search}
                    onChange={(_e, value) => setSearch(value)}
                    onClear={() => setSearch('')}
                />
                <FormSelect
                    aria-label={w.tail}
                    value={tail}
                    onChange={(_e, value) => setTail(value)}
                    className="dv-log-tail"
                >
                    {['50', '200', '1000', '2000'].map(count => (
                        <FormSelectOption key={count} value={count} label={fill(w.lines, { count })} />
                    ))}
                </FormSelect>
                <Checkbox id="log-follow" label={w.follow} isChecked={follow} onChange={(_e, on) => setFollow(on)} />
                <Checkbox id="log-times" label={w.times} isChecked={times} onChange={(_e, on) => setTimes(on)} />
                {cut && <Quiet>{fill(w.older, { count: KEPT })}</Quiet>}
            </div>
            {trouble && <TroubleNote trouble={trouble} retry={() => setTurn(n => n + 1)} />}
            <section
                ref={box}
                className="dv-log-lines"
                // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
                tabIndex={0}
                aria-label={fill(w.label, { name })}
                data-lines={lines.length}
                onScroll={event => {
                    const { scrollTop, scrollHeight, clientHeight } = event.currentTarget
                    atEnd.current = scrollHeight - scrollTop - clientHeight < 40
                }}
            >
                {lines.length === 0 && !trouble && <Quiet>{wanted === '' ? w.empty : w.nothing}</Quiet>}
                {lines.map(({ key, line }) => (
                    <div key={key} className={line.error ? 'dv-log-error' : undefined}>
                        {times && <span className="dv-quiet">{exactMoment(line.at)} </span>}
                        {line.container && <span className="dv-quiet">{line.container} | </span>}
                        {line.text.replace(COMMANDS, '')}
                    </div>
                ))}
            </section>
        </div>
    )
}
