// A call that a form makes, as a value: what is sent is what can be copied as a command and as an API call.
import {
    create,
    type DescMessage,
    type DescMethodUnary,
    type JsonValue,
    type MessageInitShape,
    toJson,
} from '@bufbuild/protobuf'
import { redact } from '../base/redact.ts'
import { clientOf } from './client.panel.tsx'
import { isDangerous } from './dangerous.ts'

export interface Call {
    send(): Promise<unknown>
    /** The same on the command line. */
    command: string
    /** The same with curl on the node of that address. */
    curl(origin: string): string
    /** Its person has to confirm it first. */
    dangerous: boolean
}

/** Of a method, such as `VmService.method.clone`; secrets are in what is sent alone. */
export function callOf<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    command: string,
): Call {
    const message = create(method.input, request)
    return {
        command,
        send() {
            const client = clientOf(method.parent) as unknown as Record<
                string,
                (sent: typeof message) => Promise<unknown>
            >
            return client[method.localName]!(message)
        },
        // The token stands in a file, so that no process list shows it.
        curl: origin =>
            [
                `curl --cacert panel.crt -H @auth -H 'Content-Type: application/json'`,
                `-d ${quoted(JSON.stringify(shown(toJson(method.input, message))))}`,
                `${origin}/${method.parent.typeName}/${method.name}`,
            ].join(' \\\n  '),
        dangerous: isDangerous(method, message as never),
    }
}

/** Without secrets. What is to be run is in the command line as well: logs leave it out, whoever typed it may copy it. */
function shown(json: JsonValue): unknown {
    const { command, ...rest } = json as { command?: JsonValue }
    return { ...(redact(rest) as object), ...(command === undefined ? {} : { command }) }
}

/** A word as a shell takes it. */
export const quoted = (text: string): string =>
    /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`

/** A command line: what is empty or false is left out, a list is said again and again. */
export function commandOf(
    verb: string,
    words: readonly string[],
    options: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>> = {},
): string {
    const said = Object.entries(options).flatMap(([name, value]) => {
        if (value === true) return [`--${name}`]
        if (value === undefined || value === false || value === '') return []
        const values = typeof value === 'object' ? value : [String(value)]
        return values.flatMap(one => [`--${name}`, quoted(one)])
    })
    return ['debvisor', verb, ...words.map(quoted), ...said].join(' ')
}

/** Such as `size=20G,bus=scsi`: what is empty is left out. */
export const pairsOf = (pairs: Readonly<Record<string, string | number>>): string =>
    Object.entries(pairs)
        .flatMap(([key, value]) => (value === '' || value === 0 ? [] : [`${key}=${value}`]))
        .join(',')
