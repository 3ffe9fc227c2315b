// A small live chart: series over the last hour, drawn by uPlot, which is loaded when the first chart is shown.
import { Alert } from '@patternfly/react-core'
import { useEffect, useRef, useState } from 'react'
import type uPlot from 'uplot'
import { keepOn } from './live.panel.tsx'
import { common, locale } from './words.panel.tsx'

export interface Series {
    label: string
    values: (number | null)[]
}

export interface ChartProps {
    title: string
    /** Seconds since 1970. */
    times: number[]
    series: Series[]
    format: (value: number) => string
    /** Top of the scale; without it, by what is seen. */
    max?: number
    /** Values are bytes: the scale goes by powers of two. */
    binary?: boolean
}

const colors = ['--dv-series-1', '--dv-series-2']

/** A chart with its latest values in words beside the title, for eyes and for screen readers. */
export function Chart(props: ChartProps) {
    const box = useRef<HTMLDivElement>(null)
    const plot = useRef<uPlot>(undefined)
    const latest = useRef(props)
    latest.current = props

    useEffect(() => {
        let gone = false
        let sizes: ResizeObserver | undefined
        let themes: MutationObserver | undefined
        void import('./uplot.panel.tsx').then(({ draw }) => {
            if (gone || !box.current) return
            const make = (): void => {
                plot.current?.destroy()
                if (box.current) plot.current = draw(box.current, latest.current, colors, locale())
            }
            make()
            sizes = new ResizeObserver(() => {
                const width = box.current?.clientWidth ?? 0
                if (width > 0) plot.current?.setSize({ width, height: 120 })
            })
            sizes.observe(box.current)
            themes = new MutationObserver(make)
            themes.observe(document.documentElement, { attributes: true, attributeFilter: ['class'] })
        })
        return () => {
            gone = true
            sizes?.disconnect()
            themes?.disconnect()
            plot.current?.destroy()
            plot.current = undefined
        }
    }, [])
    useEffect(() => {
        plot.current?.setData([props.times, ...props.series.map(s => s.values)])
    }, [props.times, props.series])

    const now = props.series.map(s => {
        const last = s.values[s.values.length - 1]
        return { label: s.label, text: last === undefined || last === null ? '–' : props.format(last) }
    })
    return (
        <figure className="dv-chart" data-chart={props.title}>
            <figcaption>
                <span className="dv-chart-title">{props.title}</span>
                {now.map((value, index) => (
                    <span key={value.label} className="dv-chart-now">
                        {props.series.length > 1 && <i className={`dv-key dv-key-${index + 1}`} aria-hidden />}
                        {props.series.length > 1 && `${value.label} `}
                        <b>{value.text}</b>
                    </span>
                ))}
            </figcaption>
            <div ref={box} className="dv-chart-box" aria-hidden />
        </figure>
    )
}

interface Point {
    at?: { seconds: bigint }
}

export interface HistorySource<T extends Point> {
    past(signal: AbortSignal): Promise<T[]>
    /** Absent while nothing new can come. */
    next?(signal: AbortSignal): AsyncIterable<T | undefined>
}

/** The last hour, then every new point while the page is open; `lost` while they do not come. `key` names the source. */
export function useHistory<T extends Point>(
    key: string,
    source: HistorySource<T>,
): { history: readonly T[]; lost: boolean } {
    const [history, setHistory] = useState<readonly T[]>([])
    const [lost, setLost] = useState(false)
    // biome-ignore lint/correctness/useExhaustiveDependencies: `key` says when it is another source
    useEffect(() => {
        const stop = new AbortController()
        const { signal } = stop
        setLost(false)
        void keepOn(signal, {
            async run(alive) {
                // Again after each break: what was missed meanwhile is in the past by then.
                setHistory(await source.past(signal))
                if (!source.next) return stop.abort()
                for await (const point of source.next(signal)) {
                    alive()
                    setLost(false)
                    if (point) setHistory(before => slide(before, point))
                }
            },
            broken: () => setLost(true),
        })
        return () => stop.abort()
    }, [key])
    return { history, lost }
}

/** Says that charts stand still. */
export const FiguresLost = () => (
    <Alert variant="warning" isInline isPlain title={common.lostFigures} data-figures="lost" />
)

/** Adds a point and drops what is older than an hour. */
function slide<T extends Point>(history: readonly T[], next: T): T[] {
    const from = (next.at?.seconds ?? 0n) - 3600n
    return [...history.filter(f => (f.at?.seconds ?? 0n) > from && f.at?.seconds !== next.at?.seconds), next]
}
