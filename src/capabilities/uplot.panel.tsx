// The only file that knows uPlot: turns a chart's data and the theme's colours into a drawing.
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { ChartProps } from './figures.panel.tsx'

const token = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

const powersOfTwo = Array.from({ length: 50 }, (_, n) => 2 ** n)

/** Draws into the element, as wide as it is. */
export function draw(element: HTMLElement, props: ChartProps, colors: string[], locale: string): uPlot {
    const text = token('--dv-chart-text')
    const lines = token('--dv-chart-lines')
    const font = '11px "Red Hat Text", sans-serif'
    const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' })
    const max = props.max
    return new uPlot(
        {
            width: Math.max(100, element.clientWidth),
            height: 120,
            legend: { show: false },
            cursor: { show: false },
            // The last time of day may stand right at the edge.
            padding: [8, 20, 0, 0],
            scales: {
                y: { range: (_plot, _low, high) => [0, max ?? Math.max(high, 1) * 1.15] },
            },
            axes: [
                {
                    stroke: text,
                    font,
                    size: 24,
                    space: 80,
                    grid: { show: false },
                    ticks: { stroke: lines, size: 4 },
                    values: (_plot, at) => at.map(s => clock.format(s * 1000)),
                },
                {
                    stroke: text,
                    font,
                    size: 72,
                    space: 36,
                    incrs: props.binary ? powersOfTwo : undefined,
                    grid: { stroke: lines, width: 1 },
                    ticks: { show: false },
                    values: (_plot, at) => at.map(value => props.format(value)),
                },
            ],
            series: [
                {},
                ...props.series.map((s, index) => ({
                    label: s.label,
                    stroke: token(colors[index] ?? colors[0]!),
                    fill: index === 0 ? token('--dv-series-1-fill') : undefined,
                    width: 1.5,
                    points: { show: false },
                })),
            ],
        },
        [props.times, ...props.series.map(s => s.values)],
        element,
    )
}
