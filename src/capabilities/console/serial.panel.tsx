// The serial port of a machine, in a terminal.
import { Terminal } from '../terminal.panel.tsx'
import { fill } from '../words.panel.tsx'
import type { ScreenProps } from './console.panel.tsx'
import { words } from './words.panel.tsx'

/** The code that the daemon closes with when somebody else has the port. */
const IN_USE = 4409

export default function Serial(props: ScreenProps) {
    return (
        <Terminal
            label={fill(words.terminal, { name: props.name })}
            url={props.url}
            protocols={props.protocols}
            onOpen={() => props.onLink('connected')}
            onClose={(code, reason) => (code === IN_USE ? props.onInUse(reason) : props.onLink('ended'))}
            onHandle={props.onHandle}
        />
    )
}
