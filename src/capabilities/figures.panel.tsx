// A small live chart: series over the last hour, drawn by uPlot, which is loaded when the first chart is shown.
import { useEffect, useRef } from 'react'
import type uPlot from 'uplot'
import { locale } from './words.panel.tsx'

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

/** Adds a point and drops what is older than an hour. */
export function slide<T extends { at?: { seconds: bigint } }>(history: readonly T[], next: T): T[] {
    const from = (next.at?.seconds ?? 0n) - 3600n
    return [...history.filter(f => (f.at?.seconds ?? 0n) > from && f.at?.seconds !== next.at?.seconds), next]
}
