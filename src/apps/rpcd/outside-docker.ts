// Which of Docker's events tell that somebody changed a container, and which that it only went its own way.
import type { EngineEvent } from '../../drivers/docker/link.ts'
import type { Clock } from '../../ports/ports.ts'

export interface SeenContainer {
    kind: 'container'
    uuid: string
    name: string
    /** Such as `removed`. */
    what: string
    why?: string
    /** Of Compose's project that it belongs to. */
    stack?: string
}

const WORDS: Record<string, string> = {
    create: 'created',
    start: 'started',
    stop: 'stopped',
    kill: 'killed',
    destroy: 'removed',
    pause: 'paused',
    unpause: 'resumed',
    rename: 'renamed',
    update: 'changed',
}
const PROJECT = 'com.docker.compose.project'
/** Docker waits up to a minute before it starts one again that ends all the time. */
const RESTART_MS = 120_000
const KEPT = 5_000

/** Answers the change that an event tells of; undefined for what nobody did. */
export function containerChanges(clock: Clock): (event: EngineEvent) => SeenContainer | undefined {
    /** Ends that nobody asked for, by id: the start that follows is Docker's own. */
    const ended = new Map<string, number>()
    const asked = new Map<string, number>()
    const note = (of: Map<string, number>, id: string) => {
        of.delete(id)
        of.set(id, clock.ticks())
        if (of.size > KEPT) of.delete(of.keys().next().value!)
    }
    const recent = (of: Map<string, number>, id: string) => clock.ticks() - (of.get(id) ?? -RESTART_MS) < RESTART_MS
    return ({ Type, Action, Actor }) => {
        if (Type !== 'container') return undefined
        const { ID: uuid, Attributes: words = {} } = Actor
        if (Action === 'kill' || Action === 'stop') {
            note(asked, uuid)
            ended.delete(uuid)
        }
        if (Action === 'die' && !recent(asked, uuid)) note(ended, uuid)
        if (Action === 'start' && recent(ended, uuid)) return undefined
        const what = WORDS[Action]
        // A stop is told as a signal first, and as a stop afterwards.
        if (!what || (Action === 'kill' && words.signal !== '9')) return undefined
        return { kind: 'container', uuid, name: words.name ?? '', what, why: words.image, stack: words[PROJECT] }
    }
}
