// Carries out one step: the only place of the engine that touches. What a tool says goes to the journal, not to people.
import { createHash } from 'node:crypto'
import { Fault } from '../base/fault.ts'
import type { Clock, System, ToolResult } from '../ports/ports.ts'
import { guardOf, type Kit, toolOf } from './kit.ts'
import type { Touch } from './resource.ts'
import { secretText } from './see-basics.ts'
import { settle } from './settled.ts'
import type { Condition, GuardStep, InstallStep, RunStep, SecretRef, Step, UnitStep, WriteStep } from './step.ts'

export interface Carrying {
    touch: Touch
    kit: Kit
    clock: Clock
    /** Ends what only waits. A tool that has begun is let finish: a cancelled apply stops between two steps. */
    signal: AbortSignal
    /** Keeps what stands at a path before it is replaced or removed; durable when it returns. */
    keep(path: string, secret: boolean): Promise<void>
    /** Words of tools, for the journal. */
    hear(words: { tool: string; exitCode: number; stdout: string; stderr: string }): Promise<void>
    /** systemd has not read the unit files that are there; true until the first unit action has made it so. */
    units: { stale: boolean }
    /** Guards that came back before: their change is not tried again unasked. */
    rejected: { has(hash: string): boolean; add(hash: string): Promise<void>; drop(hash: string): Promise<void> }
    /** Asks the operator, who has that long to answer; absent where there is none. */
    ask?(question: string, deadlineMs: number): Promise<boolean>
}

const UNIT_MS = 120_000
const INSTALL_MS = 45 * 60_000
const POLL_MS = 250
const TOLD_LENGTH = 20_000

/** @throws Fault where it could not be done; what a step does is safe to do again */
export async function carryOut(step: Step, how: Carrying): Promise<void> {
    const { root } = how.touch
    switch (step.do) {
        case 'run':
            return runTool(step, how)
        case 'write':
            return write(step, how)
        case 'folder':
            await root.makeDirectory(step.path, step.mode)
            return give(root, step.path, step.owner)
        case 'link':
            return root.link(step.path, step.target)
        case 'remove':
            for (const unit of step.unsettles ?? []) await settle(root, unit, undefined)
            return removeOne(step.path, how)
        case 'unit':
            return unitAction(step, how)
        case 'install':
            return install(step, how)
        case 'wait':
            return waitFor(step.for, step.deadlineMs, how)
        case 'guard':
            return guarded(step, how)
    }
}

const UNIT_FILES = /^\/etc\/(systemd\/|fstab$)/

const halfOf = ({ touch }: Carrying, half: 'root' | 'machine'): System => touch[half]

async function runTool(step: RunStep, how: Carrying): Promise<void> {
    const tool = toolOf(how.kit, step.tool)
    const told = typeof step.stdin === 'object' ? await secretOf(step.stdin, how) : step.stdin
    const stdin = told === undefined ? undefined : `${step.stdinBefore ?? ''}${told}`
    const argv = [tool.program, ...step.args] as [string, ...string[]]
    const run = { argv, stdin, deadlineMs: step.deadlineMs }
    const result = await halfOf(how, tool.half).run(run)
    const keeps = step.stdoutTo !== undefined
    await how.hear({ tool: tool.name, ...result, stdout: keeps ? '' : result.stdout.slice(-TOLD_LENGTH) })
    const codes = step.codes ?? [0]
    if (!codes.includes(result.exitCode)) throw toolFault(tool.name, result)
    if (step.stdoutTo) {
        await how.touch.root.writeFile(step.stdoutTo.path, result.stdout, step.stdoutTo.mode)
        await give(how.touch.root, step.stdoutTo.path, step.stdoutTo.owner)
    }
    if (step.after && !(await holds(step.after, how))) {
        throw new Fault('precondition', {
            summary: 'A tool ended well, but what it should have brought about is not so',
            detail: `${tool.name}: ${conditionWords(step.after)}`,
            fix: 'Look at the journal of this apply: debvisor node history --verbose',
        })
    }
}

const toolFault = (name: string, { exitCode }: ToolResult) =>
    new Fault('precondition', {
        summary: 'A tool could not do its work',
        detail: `${name} ended with ${exitCode}`,
        fix: 'What it said is in the journal of this apply: debvisor node history --verbose',
    })

const secretOf = (secret: SecretRef, { touch }: Carrying) => secretText(touch.machine, secret)

async function write(step: WriteStep, how: Carrying): Promise<void> {
    const { root } = how.touch
    const content = typeof step.content === 'string' ? step.content : await secretOf(step.content, how)
    for (const unit of step.unsettles ?? []) await settle(root, unit, undefined)
    if (UNIT_FILES.test(step.path)) how.units.stale = true
    await how.keep(step.path, step.secret === true)
    await root.makeDirectory(step.path.slice(0, step.path.lastIndexOf('/')) || '/')
    await root.writeFile(step.path, content, step.mode)
    await give(root, step.path, step.owner)
}

/** Gives a path to `user:group`, by the names of the tree that it stands in. */
async function give(root: System, path: string, owner = 'root:root'): Promise<void> {
    const [user = '', group = ''] = owner.split(':')
    const [uid, gid] = [await numberOf(root, '/etc/passwd', user), await numberOf(root, '/etc/group', group)]
    const facts = await root.look(path)
    if (facts && (facts.uid !== uid || facts.gid !== gid)) await root.chown(path, uid, gid)
}

async function numberOf(root: System, file: string, name: string): Promise<number> {
    if (name === 'root') return 0
    const line = ((await root.readText(file)) ?? '').split('\n').find(one => one.startsWith(`${name}:`))
    const number = Number(line?.split(':')[2])
    if (line && Number.isInteger(number)) return number
    throw new Fault('precondition', {
        summary: 'A user or group that should own a file does not exist',
        detail: `${name} in ${file}`,
        fix: 'Install the package that makes it, then apply again.',
    })
}

async function removeOne(path: string, how: Carrying): Promise<void> {
    const { root } = how.touch
    const facts = await root.look(path)
    if (!facts) return
    if (facts.kind === 'directory' && (await root.list(path)).length > 0) {
        throw new Fault('precondition', {
            summary: 'A folder that should go is not empty',
            detail: path,
            fix: 'Look at what is in it, and move it away.',
        })
    }
    if (UNIT_FILES.test(path)) how.units.stale = true
    if (facts.kind === 'file') await how.keep(path, false)
    await root.remove(path)
}

const OFFLINE: ReadonlySet<string> = new Set(['enable', 'disable', 'mask', 'unmask'])

async function unitAction(step: UnitStep, how: Carrying): Promise<void> {
    const half = OFFLINE.has(step.action) ? 'root' : 'machine'
    const system = halfOf(how, half)
    const offline = how.touch.phase === 'image'
    if (offline && half === 'machine') return
    if (!offline && how.units.stale) {
        await told(system, ['systemctl', 'daemon-reload'], how)
        how.units.stale = false
    }
    // One that failed too often in a row is not started again before that is forgotten. An unknown one has nothing to forget.
    if (step.action === 'start' || step.action === 'restart')
        await system.run({ argv: ['systemctl', 'reset-failed', '--', step.unit], deadlineMs: UNIT_MS })
    const argv: [string, ...string[]] = ['systemctl', step.action, '--', step.unit]
    await told(system, argv, how, step.deadlineMs ?? UNIT_MS)
    if (step.settles) await settle(how.touch.root, step.unit, step.settles)
}

async function told(system: System, argv: [string, ...string[]], how: Carrying, deadlineMs = UNIT_MS): Promise<void> {
    const result = await system.run({ argv, deadlineMs })
    await how.hear({ tool: argv[0], ...result })
    if (result.exitCode === 0) return
    const unit = argv.at(-1)!
    throw new Fault('precondition', {
        summary: argv[0] === 'systemctl' ? 'A unit could not be changed' : 'A tool could not do its work',
        detail: argv.slice(0, 2).join(' ') + (argv[0] === 'systemctl' ? ` ${unit}` : ''),
        fix: argv[0] === 'systemctl' ? `Look at it: systemctl status ${unit}` : 'Look at the journal of this apply.',
    })
}

/** Debian's own questions are not asked, and files that are ours stay. Half-installed packages are finished first. */
async function install({ packages }: InstallStep, how: Carrying): Promise<void> {
    const { root } = how.touch
    const env = { DEBIAN_FRONTEND: 'noninteractive' }
    const apt = (...rest: string[]) => root.run({ argv: ['apt-get', '--quiet', ...rest], env, deadlineMs: INSTALL_MS })
    const options = ['-o', 'Dpkg::Options::=--force-confold', '-o', 'DPkg::Lock::Timeout=300']
    const all = ['install', '--yes', '--no-install-recommends', ...options, '--', ...packages]
    const configured = await root.run({
        argv: ['dpkg', '--configure', '-a', '--force-confold'],
        env,
        deadlineMs: INSTALL_MS,
    })
    await how.hear({ tool: 'dpkg', ...configured })
    let result = await apt(...all)
    if (result.exitCode !== 0) {
        await how.hear({ tool: 'apt-get', ...result, stdout: result.stdout.slice(-TOLD_LENGTH) })
        await apt('update', ...options)
        result = await apt(...all)
    }
    await how.hear({ tool: 'apt-get', ...result, stdout: result.stdout.slice(-TOLD_LENGTH) })
    if (result.exitCode === 0) return
    throw new Fault('unavailable', {
        summary: 'Packages could not be installed',
        detail: packages.join(' '),
        fix: 'See whether the package archive can be reached: apt-get update; then apply again.',
    })
}

/** @throws Fault `deadline` with what was waited for */
async function waitFor(condition: Condition, deadlineMs: number, how: Carrying): Promise<void> {
    const end = how.clock.ticks() + deadlineMs
    while (!(await holds(condition, how))) {
        if (how.signal.aborted) throw new Fault('cancelled', { summary: 'The apply was cancelled' })
        if (how.clock.ticks() > end) {
            throw new Fault('deadline', {
                summary: 'Something that was waited for did not come',
                detail: `${conditionWords(condition)}, after ${Math.round(deadlineMs / 1000)} s`,
                fix: 'Look at the journal of the node, then apply again.',
            })
        }
        await pause(how.clock, POLL_MS)
    }
}

const pause = (clock: Clock, ms: number) => new Promise<void>(resolve => clock.after(ms, resolve))

async function holds(condition: Condition, { touch, kit }: Carrying): Promise<boolean> {
    if (condition.is === 'path') return (await touch.root.look(condition.path)) !== undefined
    if (condition.is === 'unit') {
        const argv: [string, ...string[]] = ['systemctl', 'is-active', '--quiet', '--', condition.unit]
        const { exitCode } = await touch.machine.query({ argv, deadlineMs: UNIT_MS })
        return (exitCode === 0) === condition.active
    }
    const tool = toolOf(kit, condition.tool)
    const argv = [tool.program, ...condition.args] as [string, ...string[]]
    const result = await touch[tool.half].query({ argv, deadlineMs: 30_000 }).catch(() => undefined)
    if (!result || !(condition.codes ?? [0]).includes(result.exitCode)) return false
    return condition.says === undefined || result.stdout.includes(condition.says)
}

const conditionWords = (condition: Condition) =>
    condition.is === 'path'
        ? `${condition.path} is there`
        : condition.is === 'unit'
          ? `${condition.unit} is ${condition.active ? 'active' : 'not active'}`
          : `${condition.tool} ${condition.args.join(' ')}${condition.says ? ` says ${condition.says}` : ''}`

/** The checks have four fifths of the time, and the operator what is left of nine tenths: no commit races a rollback. */
async function guarded(step: GuardStep, how: Carrying): Promise<void> {
    const hash = createHash('sha256')
        .update(step.revision ?? JSON.stringify(step.steps))
        .digest('hex')
    if (how.rejected.has(hash)) {
        throw new Fault('precondition', {
            summary: 'This change was tried before and came back by itself',
            detail: step.say,
            fix: 'Change the document, or apply with --retry to try it once more.',
        })
    }
    const guard = guardOf(how.kit, step.guard)
    const beganMs = how.clock.ticks()
    const leftMs = (share: number) => Math.max(1000, beganMs + step.rollbackAfterMs * share - how.clock.ticks())
    const token = await guard.open(how.touch.machine, step.rollbackAfterMs)
    try {
        if (guard.remembersTries) await how.rejected.add(hash)
        for (const inner of step.steps) await carryOut(inner, how)
        for (const check of step.check) await waitFor(check, leftMs(0.8), how)
        if (step.asks && how.ask && !(await how.ask(step.asks, leftMs(0.9)))) {
            throw new Fault('cancelled', {
                summary: 'The change was not confirmed, and comes back',
                detail: step.say,
                fix: 'Apply again with --retry, and answer within the time.',
            })
        }
        await guard.commit(how.touch.machine, token)
    } catch (thrown) {
        await how.rejected.add(hash)
        // When this fails, the checkpoint comes back by itself.
        await guard.rollback(how.touch.machine, token).catch(() => undefined)
        throw thrown
    }
    await how.rejected.drop(hash)
}
