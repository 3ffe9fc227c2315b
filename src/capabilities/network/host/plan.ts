// What it takes to have the wanted network: tried in memory under a guard first, written for the next boot when it holds.
import type { Finding } from '../../../base/finding.ts'
import type { OwnPlan } from '../../../engine/resource.ts'
import type { Condition, Step } from '../../../engine/step.ts'
import { checksOf, keptWords } from './checks.ts'
import * as nmcli from './nmcli.ts'
import { ETC_FOLDER, type HostSeen, RUN_FOLDER } from './observe.ts'
import type { Profile } from './profiles.ts'

/** The checks have four fifths of it: a minute. */
export const GUARD_MS = 75_000

export interface HostWant {
    profiles: readonly Profile[]
    /** Why it cannot be done as things are. */
    troubles: readonly Finding[]
}

/** Who answered before the change; undefined: nobody was asked, as nothing is to change. */
export type Answers = { asked: readonly string[]; answered: readonly string[] } | undefined

/** Pure. */
export function planHost({ profiles, troubles }: HostWant, seen: HostSeen, answers: Answers): OwnPlan {
    if (troubles.some(({ severity }) => severity === 'error')) return { steps: [], findings: [...troubles] }
    const boot = bootSteps(profiles, seen)
    if (seen.offline) return { steps: boot, findings: [...troubles] }
    if (!seen.manager) {
        if (boot.length === 0) return { steps: [], findings: [...troubles] }
        const reason = 'The network is changed when NetworkManager runs'
        return {
            steps: [],
            findings: [...troubles],
            deferred: [{ reason, kinds: ['guard', 'write', 'remove', 'run'] }],
        }
    }
    const live = liveSteps(profiles, seen)
    if (live.length === 0 && boot.length === 0) return { steps: [], findings: [...troubles] }
    if (seen.openChange) return { steps: [], findings: [...troubles, waits] }
    const after = boot.length > 0 ? [...boot, nmcli.reloadStep()] : []
    if (live.length === 0) return { steps: after, findings: [...troubles] }
    const { check, findings } = checksOf(profiles, seen, answers)
    return { steps: [guarded(profiles, live, check), ...after], findings: [...troubles, ...findings] }
}

/** Whether the running network would be changed, so that it must be known who answers before. */
export const changesNetwork = (want: HostWant, seen: HostSeen): boolean =>
    planHost(want, seen, undefined).steps.some(step => step.do === 'guard')

const waits: Finding = {
    ...{ severity: 'error', code: 'change-open', at: 'network' },
    summary: 'A change of the network waits for its confirmation',
    detail: 'without one, the network of before comes back within a minute or two',
    fix: 'Wait until it has come back, then apply again.',
}

function guarded(profiles: readonly Profile[], steps: readonly Step[], check: readonly Condition[]): Step {
    const letsGo = steps.some(step => step.do === 'run' && (step.args.includes('up') || step.args.includes('down')))
    const disrupts = letsGo
        ? 'The network of this machine, for some seconds; of VMs on its bridges, too'
        : 'Connections to addresses that this machine gives up'
    return {
        ...{ do: 'guard', guard: 'networkmanager', rollbackAfterMs: GUARD_MS, steps, check },
        say: `Change the network; it comes back after ${GUARD_MS / 1000} s unless ${keptWords(check)}`,
        // The wish alone: what it takes to fulfil it may differ from one try to the next.
        revision: profiles.map(one => one.content).join('\n'),
        asks: 'The network is changed, and what was checked holds. Keep it? Without a yes it comes back.',
        disrupts,
    }
}

const runPath = ({ file }: Pick<Profile, 'file'>) => `${RUN_FOLDER}/${file}`
const etcPath = ({ file }: Pick<Profile, 'file'>) => `${ETC_FOLDER}/${file}`
const isAtBoot = (one: Profile, seen: HostSeen) => {
    const file = seen.etc[one.file]
    return file?.content === one.content && file.closed
}

/** Files of ours that the document does not want. */
const staleIn = (files: HostSeen['etc'], profiles: readonly Profile[]) =>
    Object.keys(files).filter(file => !profiles.some(one => one.file === file))

/** What makes the next boot so: carriers first, then NICs, then what goes; each state in between can be booted. */
function bootSteps(profiles: readonly Profile[], seen: HostSeen): Step[] {
    const remove = (file: string): Step => {
        const path = `${ETC_FOLDER}/${file}`
        return { do: 'remove', say: `Remove ${path}`, path }
    }
    const stale = staleIn(seen.etc, profiles)
    // NetworkManager's rollback writes what it brings back to a file of its own choice: there must not be two of one.
    const doubles = stale.filter(file => profiles.some(one => seen.etc[file]!.content.includes(`uuid=${one.uuid}\n`)))
    const steps: Step[] = doubles.map(remove)
    for (const one of profiles) {
        if (isAtBoot(one, seen)) continue
        // What was shown when it was tried need not be shown again.
        const was = needs(one, seen) && !seen.offline ? one.content : seen.etc[one.file]?.content
        const say = `${seen.etc[one.file] === undefined ? 'Write' : 'Change'} ${etcPath(one)} (${one.name} from the next boot on)`
        steps.push({
            ...{ do: 'write', say, path: etcPath(one), content: one.content, mode: 0o600 },
            ...(was === undefined ? {} : { was }),
        })
    }
    steps.push(...stale.filter(file => !doubles.includes(file)).map(remove))
    // What was tried in memory would hide what is written, until the next boot.
    const tried = seen.offline
        ? []
        : [
              ...new Set([
                  ...Object.keys(seen.run),
                  ...profiles.filter(p => needs(p, seen) && !isAtBoot(p, seen)).map(p => p.file),
              ]),
          ]
    for (const file of tried)
        steps.push({
            do: 'remove',
            say: `Remove ${RUN_FOLDER}/${file} (it was for the try)`,
            path: `${RUN_FOLDER}/${file}`,
        })
    return steps
}

/** What makes the running network so, in memory only. */
function liveSteps(profiles: readonly Profile[], seen: HostSeen): Step[] {
    const changed = profiles.filter(one => needs(one, seen))
    // By UUID: what a rollback puts back into memory has a file that is called after its id.
    const stale = seen.manager!.profiles.filter(
        ({ path, device, uuid }) =>
            device !== '' && /\/debvisor-[^/]*$/.test(path) && !profiles.some(one => one.uuid === uuid),
    )
    if (changed.length === 0 && stale.length === 0) return []
    const written = changed.filter(one => !isAtBoot(one, seen))
    const hidden = changed.filter(one => isAtBoot(one, seen) && seen.run[one.file])
    const writes: Step[] = written.map(one => ({
        ...{
            do: 'write',
            say: `Try it in memory: ${runPath(one)}`,
            path: runPath(one),
            content: one.content,
            mode: 0o600,
        },
        ...(seen.etc[one.file] ? { was: seen.etc[one.file]!.content } : {}),
    }))
    const removes: Step[] = hidden.map(one => ({ do: 'remove', say: `Remove ${runPath(one)}`, path: runPath(one) }))
    const read = changed.map(one => (isAtBoot(one, seen) ? etcPath(one) : runPath(one)))
    const reads = changed.length === 0 ? [] : hidden.length > 0 ? [nmcli.reloadStep()] : [nmcli.loadStep(read)]
    const gentle = changed.filter(one => canReapply(one, seen))
    const again = changed.filter(one => !gentle.includes(one))
    // What is in a bridge or bond that is brought up comes up with it.
    const carried = (one: Profile) => again.some(other => other.name === one.controller)
    const ups = again.filter(one => !carried(one)).map(one => nmcli.upStep(one.name, one.uuid))
    // Brought up anew, a bridge lets go of what is not NetworkManager's: the taps of running VMs.
    const backs = again.flatMap(({ name }) =>
        seen.links
            .filter(link => link.master === name && !profiles.some(one => one.name === link.name))
            .filter(link => !seen.cards.includes(link.name))
            .map(link => joinStep(link.name, name)),
    )
    const downs = stale.map(({ device, uuid }) => nmcli.downStep(device, uuid))
    return [
        ...writes,
        ...removes,
        ...reads,
        ...gentle.map(one => nmcli.reapplyStep(one.name)),
        ...ups,
        ...backs,
        ...downs,
    ]
}

/** 1: it has gone meanwhile. */
const joinStep = (name: string, bridge: string): Step => ({
    ...{ do: 'run', say: `Let ${name} join ${bridge} again`, tool: 'ip-join', deadlineMs: 30_000, codes: [0, 1] },
    args: ['link', 'set', 'dev', name, 'master', bridge],
})

/** True where the running network is not as this profile says. */
function needs(one: Profile, seen: HostSeen): boolean {
    const loaded = seen.manager?.profiles.find(({ uuid }) => uuid === one.uuid)
    const tried = seen.run[one.file]
    if (loaded?.id !== one.id) return true
    // Edited by hand, and perhaps loaded: nobody knows but NetworkManager.
    if (tried ? tried.content !== one.content : !isAtBoot(one, seen)) return true
    if (!canRun(one, seen)) return false
    if (loaded.device !== one.name || !/^activat(ed|ing)$/.test(loaded.state)) return true
    const link = seen.links.find(({ name }) => name === one.name)
    if (!link) return true
    if (one.controller && link.master !== one.controller) return true
    if (one.mtu && link.mtu !== one.mtu) return true
    const has = new Set(link.global.map(({ address }) => address))
    return one.addresses.some(address => !has.has(address))
}

/** A card without a cable waits for one. */
const canRun = ({ kind, name }: Profile, seen: HostSeen): boolean =>
    kind !== 'ethernet' || seen.links.some(link => link.name === name && link.carrier)

/** Only addresses and names differ from what is active: nothing is let go of. */
function canReapply(one: Profile, seen: HostSeen): boolean {
    if (one.controller) return false
    const loaded = seen.manager?.profiles.find(({ uuid }) => uuid === one.uuid)
    const before = (seen.run[one.file] ?? seen.etc[one.file])?.content
    if (!before || loaded?.device !== one.name || loaded.state !== 'activated') return false
    return structure(before) === structure(one.content)
}

/** A profile without its id and without what can be changed while it is active. */
const structure = (text: string) => text.replace(/^id=.*$/m, '').replace(/^\[ipv[46]\]\n(?:[^[\n].*\n)*/gm, '')
