// A stack as lists show it, made from what is kept of it and from its containers. Pure.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Stack, StackSchema, State } from '../../gen/proto/capabilities/stack/stack_pb.js'
import type { Guarded } from '../caller.ts'
import { driftOf } from './plan.ts'
import { type KnownContainer, seenContainer } from './seen.ts'
import type { StackDoc } from './store.ts'

export const tagOf = (name: string): string => `stack:${name}`

/** What grants cover it by: its name, and the tag that its containers have too. */
export const guardedOf = ({ name, tags, owner }: Pick<Stack, 'name' | 'tags' | 'owner'>): Guarded => ({
    ...{ id: name, tags: [...tags, tagOf(name)], owner },
})

export function lineOf(name: string, doc: StackDoc | undefined, containers: readonly KnownContainer[]): Stack {
    const newest = doc?.versions[0]
    const running = containers.filter(one => one.running).length
    const services = new Set([...(newest?.services ?? []), ...containers.map(({ line }) => line.service)])
    const wanted = doc?.applied ? Object.values(doc.applied.services).reduce((sum, one) => sum + one.wanted, 0) : 0
    return create(StackSchema, {
        ...{ name, managed: doc !== undefined, version: newest?.number ?? 0, running, containers: containers.length },
        ...{ applied: doc?.applied?.version ?? 0, unfinished: doc?.unfinished?.version ?? 0 },
        state: stateOf(running, Math.max(containers.length, wanted), containers.length),
        drift: doc?.applied ? driftOf(doc.applied.services, containers.map(seenContainer)) : [],
        tags: newest?.tags ?? [],
        services: [...services].sort(),
        marks: [...new Set(containers.flatMap(({ marks }) => marks))].sort(),
        ...{ owner: doc?.owner ?? '', catalogue: doc?.catalogue ?? '' },
        changed: newest && timestampFromMs(newest.atMs),
        files: doc ? [] : [...new Set(containers.flatMap(({ composed }) => composed?.files ?? []))],
    })
}

function stateOf(running: number, wanted: number, there: number): State {
    if (there === 0) return State.DOWN
    if (running === 0) return State.STOPPED
    return running < wanted ? State.PARTLY : State.RUNNING
}
