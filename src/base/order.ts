// Puts things that need one another in an order that can be carried out, always the same one for the same things.

export interface Ordered {
    name: string
    /** What must come before, by the words others provide. A word that nobody provides is no wait. */
    needs?: readonly string[]
    /** The words that others may need; its name is one by itself. */
    provides?: readonly string[]
}

/**
 * The same things, each after all that it needs; ties keep the order in which they were given.
 * @throws Error when things need one another in a circle: a mistake in the program, not in a document
 */
export function inOrder<T extends Ordered>(things: readonly T[]): T[] {
    const providers = new Map<string, T[]>()
    for (const thing of things) {
        for (const word of [thing.name, ...(thing.provides ?? [])]) {
            providers.set(word, [...(providers.get(word) ?? []), thing])
        }
    }
    const done = new Set<T>()
    const under = new Set<T>()
    const sorted: T[] = []
    const visit = (thing: T, path: string[]) => {
        if (done.has(thing)) return
        if (under.has(thing)) throw new Error(`these need one another: ${[...path, thing.name].join(' → ')}`)
        under.add(thing)
        for (const word of thing.needs ?? []) {
            for (const provider of providers.get(word) ?? []) {
                if (provider !== thing) visit(provider, [...path, thing.name])
            }
        }
        under.delete(thing)
        done.add(thing)
        sorted.push(thing)
    }
    for (const thing of things) visit(thing, [])
    return sorted
}
