// More disks for a pool: one more part like those that are there, a disk at the side of another, or a spare. It is for ever.
import type { Finding } from '../../../base/finding.ts'
import type { OwnPlan } from '../../../engine/resource.ts'
import type { Step } from '../../../engine/step.ts'
import { withAdded } from '../disk-list.ts'
import type { AddWish } from '../driver.ts'
import type { DiskSeen, TopologySeen } from '../placing.ts'
import * as placing from '../placing.ts'
import { cannotSay, DISKS } from './replace.ts'
import { calledOf, membersOf, namesOf, type PoolTree, type Vdev } from './topology.ts'

const ADD_MS = 300_000
const { error } = placing
const refuse = (...findings: Finding[]): OwnPlan => ({ steps: [], findings })

/** What `zpool` is asked, what becomes of the pool, and what can never be undone. */
interface Way {
    args: string[]
    say: string
    warns: Finding[]
    leastBytes: number
}

/** Planned again until it is empty. `pool` is the document's; a wish may name another. */
export function planAdd(
    wish: AddWish,
    seen: TopologySeen,
    { pool: own, path }: { pool: string; path: string },
): OwnPlan {
    if (!seen.pools) return refuse(cannotSay)
    const name = wish.to ?? own
    const pool = seen.pools.find(one => one.name === name)
    if (!pool) return refuse(noPool(name, seen.pools))
    const found = wish.disks.map(word => ({ word, disk: placing.diskNamed(word, seen) }))
    const missing = found.filter(({ disk }) => !disk)
    if (missing.length > 0) return refuse(...missing.map(({ word }) => placing.noSuchDisk(word, seen)))
    const disks = [...new Set(found.map(({ disk }) => disk!))]
    const leaves = [...membersOf(pool).map(({ leaf }) => leaf), ...pool.spares]
    const ids = disks.map(({ id }) => id)
    const naming =
        wish.as === 'spare' || seen.text === undefined
            ? []
            : placing.documentStep(path, seen.text, withAdded(seen.text, DISKS, ids))
    if (disks.every(disk => leaves.some(leaf => placing.liesOn(leaf, disk, seen.real)))) return { steps: naming }
    const way = wayOf(wish, pool, disks)
    if ('severity' in way) return refuse(way)
    const findings = disks.flatMap(disk => placing.against(disk, way.leastBytes, seen))
    const { force, marks, fingerprints } = placing.taking(disks)
    if (findings.length > 0) return { steps: [], findings, fingerprints }
    const [verb = '', ...rest] = way.args
    const say = `${way.say}: ${disks.map(disk => `${disk.id} (${disk.words})`).join(', ')}`
    const args = [verb, ...force, ...rest, ...(verb === 'attach' ? ids : [])]
    const step = { do: 'run', say, tool: 'zpool', args, deadlineMs: ADD_MS, ...marks } as Step
    return { steps: [step, ...naming], findings: way.warns, fingerprints }
}

function wayOf(wish: AddWish, pool: PoolTree, disks: readonly DiskSeen[]): Way | Finding {
    const ids = disks.map(({ id }) => id)
    if (typeof wish.as === 'object') return attach(wish.as.attachedTo, pool, disks)
    if (wish.as === 'spare') {
        const say = `Keep for the pool ${pool.name}, to take the place of a disk that fails`
        return { args: ['add', pool.name, 'spare', ...ids], say, warns: [], leastBytes: leastOf(pool.data) }
    }
    const [first] = pool.data
    const plain = pool.data.every(vdev => vdev.children.length === 0)
    if (wish.as === 'stripe') {
        if (!plain) return weaker(pool)
        const say = `Widen the pool ${pool.name}, which has no redundancy, by ${countWords(disks.length)}`
        return { args: ['add', pool.name, ...ids], say, warns: [noRedundancy(pool)], leastBytes: 0 }
    }
    if (!first || plain) return sayHow(pool)
    const width = first.children.length
    const kind = kindOf(first)
    const mixed = pool.data.some(vdev => kindOf(vdev) !== kind || vdev.children.length !== width)
    if (mixed) return mixedParts(pool)
    if (disks.length % width !== 0) return otherCount(pool, kind, width, disks.length)
    const parts = Array.from({ length: disks.length / width }, (_, at) => ids.slice(at * width, (at + 1) * width))
    const more = parts.length === 1 ? `one more ${kind}` : `${parts.length} more parts of ${kind}`
    return {
        args: ['add', pool.name, ...parts.flatMap(part => [kind, ...part])],
        say: `Widen the pool ${pool.name} by ${more} of ${countWords(width)} each`,
        warns: [forEver(pool, kind)],
        leastBytes: 0,
    }
}

const kindOf = ({ type, name }: Vdev) => (type === 'mirror' ? 'mirror' : name.replace(/-\d+$/, ''))
const countWords = (count: number) => (count === 1 ? '1 disk' : `${count} disks`)
const leastOf = (vdevs: readonly Vdev[]): number =>
    Math.max(
        0,
        ...vdevs.map(vdev => vdev.leastBytes ?? 0),
        ...vdevs.map(vdev => (vdev.children.length ? leastOf(vdev.children) : 0)),
    )

function attach(word: string, pool: PoolTree, disks: readonly DiskSeen[]): Way | Finding {
    const members = membersOf(pool)
    const part = pool.data.find(({ name, children }) => name === word && children.length > 0)
    const member = members.find(({ leaf }) => namesOf(leaf).includes(word))
    const top = part ?? member?.above[0]
    const all = placing.listed(members.map(({ leaf }) => leaf))
    if (!part && !member) return error('no-such-member', 'The pool has no such disk or part', word, `It has: ${all}.`)
    if (disks.length !== 1) {
        const fix = 'Attach them one by one, each when the one before is whole.'
        return error('one-disk', 'One disk at a time is attached', countWords(disks.length), fix)
    }
    if (top && kindOf(top).startsWith('raidz')) {
        const count = top.children.length
        return {
            args: ['attach', pool.name, top.name],
            say: `Widen ${top.name} of the pool ${pool.name} from ${count} disks to ${count + 1}`,
            warns: [widens(top)],
            leastBytes: leastOf([top]),
        }
    }
    if (top && top.type !== 'mirror') {
        return error(
            'no-mirror',
            'To that part no disk can be attached',
            top.name,
            'Name a disk of a mirror, or a raidz.',
        )
    }
    const side = member?.leaf ?? top!.children.find(({ state }) => state === 'ONLINE') ?? top!.children[0]!
    const count = (top?.children.length ?? 1) + 1
    return {
        args: ['attach', pool.name, side.guid],
        say: `Keep all that is on ${calledOf(side)} a second time: a mirror of ${count} in the pool ${pool.name}`,
        warns: [],
        leastBytes: side.leastBytes ?? leastOf(top ? [top] : []),
    }
}

const warning = (code: string, summary: string, detail: string, fix: string): Finding => ({
    ...error(code, summary, detail, fix),
    severity: 'warning',
})

const forEver = ({ name, data }: PoolTree, kind: string) =>
    warning(
        'for-ever',
        kind === 'mirror'
            ? 'The pool has more room, and more parts that must not fail'
            : 'The pool has more room, and more parts that must not fail; a part of raidz never leaves it again',
        `${name}: when one of its ${data.length + 1} parts loses more disks than it can, all of the pool is lost`,
        'What is there is not spread anew: only what is written from now on.',
    )

const widens = ({ name, children }: Vdev) =>
    warning(
        'for-ever',
        'The part has more room, bears no more failures than before, and never becomes smaller again',
        `${name}: ${children.length + 1} disks`,
        'What is there is moved meanwhile, for hours. To follow: debvisor storage status --wait',
    )

const noRedundancy = ({ name, data }: PoolTree) =>
    warning(
        'no-redundancy',
        'When one disk of the pool fails, all that is on it is lost',
        `${name}: one of ${data.length + 1} disks or more, from now on`,
        'With --attach the disk becomes the mirror of another instead.',
    )

const weaker = ({ name }: PoolTree) =>
    error(
        'weaker',
        'A disk without redundancy would take the redundancy of the whole pool away',
        name,
        'Leave --stripe out.',
    )

const sayHow = ({ name, data }: PoolTree) =>
    error(
        'say-how',
        'The pool has no redundancy: say what the disk is for',
        placing.listed(data),
        `To mirror a disk: --attach ${data[0] ? calledOf(data[0]) : 'DISK'}. For more room in ${name} without redundancy: --stripe`,
    )

const mixedParts = ({ name, data }: PoolTree) =>
    error(
        'mixed-parts',
        'The parts of the pool are of different kinds',
        `${name}: ${data.map(vdev => `${vdev.name} of ${countWords(vdev.children.length || 1)}`).join(', ')}`,
        'Add a part by zpool add, and think twice: it is for ever.',
    )

const otherCount = ({ name }: PoolTree, kind: string, width: number, count: number) =>
    error(
        'other-count',
        'That is not the number of disks that one more part takes',
        `${name} is made of ${kind} of ${width}; named: ${countWords(count)}`,
        kind === 'mirror'
            ? `Name ${width}, or mirror a disk once more: --attach DISK. To keep it for a failure: --spare`
            : `Name ${width}, or widen a part by one disk: --attach ${kind}-0. To keep it for a failure: --spare`,
    )

const noPool = (name: string, pools: readonly PoolTree[]) =>
    error(
        'no-such-pool',
        'There is no such pool',
        name,
        pools.length > 0
            ? `Pools are: ${pools.map(pool => pool.name).join(', ')}.`
            : 'Make one first: debvisor node apply',
    )
