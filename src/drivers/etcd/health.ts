// Which member is spoken to, and whether it answers: a heartbeat, quicker while something is wrong.
import type { Etcd3 } from 'etcd3'
import type { Clock, Log } from '../../ports/ports.ts'
import { classify } from './trouble.ts'

export interface Members {
    /** Index of the member to ask. */
    current(): number
    state(): 'untried' | 'up' | 'down'
    /** A call met trouble: look at once. */
    suspect(): void
    /** That one answered; ask it from now on. */
    moveTo(member: number): void
    onTurn(listener: (up: boolean) => void): () => void
    /** Called when another member is asked from now on. */
    onMove(listener: () => void): () => void
    close(): void
}

const RETRY_MS = 500

export function followMembers(options: {
    clients: Etcd3[]
    clock: Clock
    log: Log
    deadlineMs: number
    heartbeatMs: number
}): Members {
    const { clients, clock, log, deadlineMs, heartbeatMs } = options
    const turns = new Set<(up: boolean) => void>()
    const moves = new Set<() => void>()
    let state: 'untried' | 'up' | 'down' = 'untried'
    let current = 0
    let closed = false
    let looking = false
    let cancelTimer = () => {}

    const turn = (next: 'up' | 'down') => {
        if (state === next || closed) return
        const told = state !== 'untried' || next === 'down'
        state = next
        if (next === 'down') log.warn('The state store does not answer')
        else if (told) log.info('The state store answers again')
        for (const listener of [...turns]) listener(next === 'up')
    }
    const moveTo = (member: number) => {
        if (member === current || closed) return
        current = member
        for (const listener of [...moves]) listener()
    }

    /** A read that needs a majority, so that a member cut off from the others does not count as answering. */
    const answers = async (member: number): Promise<boolean> => {
        try {
            const request = { key: Buffer.from('/debvisor/'), limit: 1, keys_only: true }
            await clients[member]!.kv.range(request, { deadline: Date.now() + deadlineMs })
            return true
        } catch (thrown) {
            // An answer, if a bad one; those who call will see what it is.
            return classify(thrown) === 'refused'
        }
    }
    const look = async () => {
        if (looking || closed) return
        looking = true
        cancelTimer()
        let found = false
        const first = current
        for (let tries = 0; tries < clients.length && !found && !closed; tries++) {
            const member = (first + tries) % clients.length
            found = await answers(member)
            if (found) moveTo(member)
        }
        looking = false
        turn(found ? 'up' : 'down')
        if (!closed) cancelTimer = clock.after(found ? heartbeatMs : RETRY_MS, () => void look())
    }
    void look()

    return {
        current: () => current,
        state: () => state,
        suspect: () => void look(),
        moveTo,
        onTurn: listener => listen(turns, listener),
        onMove: listener => listen(moves, listener),
        close() {
            closed = true
            cancelTimer()
            turns.clear()
            moves.clear()
        },
    }
}

function listen<T>(all: Set<T>, one: T): () => void {
    all.add(one)
    return () => void all.delete(one)
}
