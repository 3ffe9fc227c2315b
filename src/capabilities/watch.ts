// Views that follow a stream: drawn anew on a terminal for each change, and with --json a line for each.
import type { JsonValue } from '@bufbuild/protobuf'
import type { VerbContext, View } from './verb.ts'

export interface Rows<C, T> {
    changes: AsyncIterable<C>
    /** The change as it came. */
    json(change: C): JsonValue
    /** Puts it into the rows. False while what there was is still coming. */
    apply(change: C, rows: Map<string, T>): boolean
    view(rows: T[]): View
}

/** A table that stays true until Ctrl-C. */
export async function watchRows<C, T>(context: VerbContext, { changes, json, apply, view }: Rows<C, T>): Promise<View> {
    const rows = new Map<string, T>()
    for await (const change of changes) {
        const whole = apply(change, rows)
        if (context.options.json) context.show({ kind: 'text', text: '', json: json(change) })
        else if (whole) context.show(view([...rows.values()]))
    }
    return { kind: 'nothing' }
}

/** One object, shown at once and looked at again after each change that is about it, until Ctrl-C. */
export async function watchOne<C>(
    context: VerbContext,
    watched: { changes: AsyncIterable<C>; about(change: C): boolean; look(): Promise<View> },
): Promise<View> {
    context.show(await watched.look())
    for await (const change of watched.changes) if (watched.about(change)) context.show(await watched.look())
    return { kind: 'nothing' }
}
