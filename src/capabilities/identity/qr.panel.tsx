// A QR code as one path: the only file of the panel that knows how one is made.
import { encode } from 'uqr'

const MARGIN = 3

/** Dark on light in either theme, as cameras want it. */
export function QrCode(props: { text: string; label: string }) {
    const { data, size } = encode(props.text, { border: 0, ecc: 'M' })
    const side = size + 2 * MARGIN
    const path = data
        .flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + MARGIN} ${y + MARGIN}h1v1h-1z` : '')))
        .join('')
    return (
        <svg
            className="dv-qr"
            viewBox={`0 0 ${side} ${side}`}
            role="img"
            aria-label={props.label}
            shapeRendering="crispEdges"
        >
            <rect width={side} height={side} fill="#fff" />
            <path d={path} fill="#000" />
        </svg>
    )
}
