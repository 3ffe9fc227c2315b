// Starting and stopping containers: what each state allows, and what the Engine is asked for.
import { Fault } from '../../base/fault.ts'
import { State } from '../../gen/proto/capabilities/container/container_pb.js'
import { type Change, type ContainerDeps, notNow, onContainer, pathOf } from './begin.ts'
import type { ContainerEntry } from './entry.ts'

const PATIENCE_MS = 60_000
const MOST_SECONDS = 86_400

/** One request about a container, and the inventory as it is afterwards. */
async function post(
    deps: ContainerDeps,
    entry: ContainerEntry,
    asked: { verb: string; query?: Record<string, string | number>; deadlineMs?: number; signal?: AbortSignal },
): Promise<void> {
    const { verb, query, deadlineMs = PATIENCE_MS, signal } = asked
    await deps.docker.json({ method: 'POST', path: pathOf(entry, verb), query, deadlineMs, signal, own: true })
    await deps.inventory.refresh(entry.id)
}

/** @throws Fault `precondition` for one that runs */
export function planStart(deps: ContainerDeps, entry: ContainerEntry): Change {
    if (entry.line.state === State.PAUSED) throw notNow(entry, 'The container is paused, not stopped', 'Resume it.')
    if (entry.running) throw notNow(entry, 'The container runs already', 'Nothing is to be done.')
    return {
        kind: 'container.start',
        title: `Start ${entry.name}`,
        on: onContainer(entry),
        plan: [{ sentence: `Start ${entry.name}` }],
        work: () => post(deps, entry, { verb: 'start' }),
    }
}

/** @throws Fault `precondition` for one that does not run, `invalid` for a deadline beyond a day */
export function planStop(deps: ContainerDeps, entry: ContainerEntry, deadlineSeconds: number): Change {
    needRunning(entry)
    const patience = patienceOf(deadlineSeconds)
    return {
        kind: 'container.stop',
        stops: true,
        title: `Stop ${entry.name}`,
        on: onContainer(entry),
        plan: [{ sentence: `Ask ${entry.name} to end, and kill it when it has not after ${patience.words}` }],
        work: () => post(deps, entry, { verb: 'stop', ...patience }),
    }
}

/** @throws Fault `invalid` for a deadline beyond a day */
export function planRestart(deps: ContainerDeps, entry: ContainerEntry, deadlineSeconds: number): Change {
    const patience = patienceOf(deadlineSeconds)
    return {
        kind: 'container.restart',
        title: `Restart ${entry.name}`,
        on: onContainer(entry),
        plan: entry.running
            ? [
                  { sentence: `Ask ${entry.name} to end, and kill it when it has not after ${patience.words}` },
                  { sentence: `Start ${entry.name}` },
              ]
            : [{ sentence: `Start ${entry.name}` }],
        work: () => post(deps, entry, { verb: 'restart', ...patience }),
    }
}

/** @throws Fault `precondition` for one that does not run, `invalid` for what is no signal */
export function planKill(deps: ContainerDeps, entry: ContainerEntry, signal: string): Change {
    needRunning(entry)
    const name = (signal || 'KILL').toUpperCase().replace(/^SIG/, '')
    if (!/^[A-Z][A-Z0-9+-]{1,11}$/.test(name))
        throw new Fault('invalid', {
            summary: 'That is not a signal',
            detail: JSON.stringify(signal.slice(0, 40)),
            at: 'signal',
            fix: 'Write it such as KILL, TERM or HUP.',
        })
    return {
        kind: 'container.kill',
        stops: true,
        title: `Send ${name} to ${entry.name}`,
        on: onContainer(entry),
        plan: [
            {
                sentence:
                    name === 'KILL'
                        ? `Kill ${entry.name}: what it has not written is lost`
                        : `Send the signal ${name} to ${entry.name}`,
            },
        ],
        work: () => post(deps, entry, { verb: 'kill', query: { signal: name } }),
    }
}

/** @throws Fault `precondition` for one that does not run */
export function planPause(deps: ContainerDeps, entry: ContainerEntry): Change {
    needRunning(entry)
    if (entry.line.state === State.PAUSED) throw notNow(entry, 'The container is paused', 'Nothing is to be done.')
    return {
        kind: 'container.pause',
        stops: true,
        title: `Pause ${entry.name}`,
        on: onContainer(entry),
        plan: [{ sentence: `Pause ${entry.name}; its memory stays taken` }],
        work: () => post(deps, entry, { verb: 'pause' }),
    }
}

/** @throws Fault `precondition` for one that is not paused */
export function planUnpause(deps: ContainerDeps, entry: ContainerEntry): Change {
    if (entry.line.state !== State.PAUSED)
        throw notNow(entry, 'The container is not paused', entry.running ? 'Nothing is to be done.' : 'Start it.')
    return {
        kind: 'container.unpause',
        title: `Resume ${entry.name}`,
        on: onContainer(entry),
        plan: [{ sentence: `Let ${entry.name} go on` }],
        work: () => post(deps, entry, { verb: 'unpause' }),
    }
}

function needRunning(entry: ContainerEntry): void {
    if (!entry.running) throw notNow(entry, 'The container does not run', 'Nothing is to be done.')
}

/** The Engine answers when the container has ended: its own patience counts, and some more. */
function patienceOf(seconds: number): { words: string; query?: { t: number }; deadlineMs: number } {
    if (seconds > MOST_SECONDS)
        throw new Fault('invalid', {
            summary: 'That is too long to wait',
            detail: `${seconds} s`,
            fix: 'Give at most 86400 seconds, which is a day.',
            at: 'deadline_seconds',
        })
    if (seconds === 0) return { words: 'the time that it asks for, else 10 s', deadlineMs: MOST_SECONDS * 1000 }
    return { words: `${seconds} s`, query: { t: seconds }, deadlineMs: seconds * 1000 + PATIENCE_MS }
}
