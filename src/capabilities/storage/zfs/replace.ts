// A disk in the place of another of a pool: what speaks against it, the steps, and how far ZFS's own copying has come.
import type { Finding } from '../../../base/finding.ts'
import { nearest } from '../../../base/nearest.ts'
import type { OwnPlan } from '../../../engine/resource.ts'
import type { Step } from '../../../engine/step.ts'
import { disksIn, withReplaced } from '../disk-list.ts'
import { COPYING, type ReplaceWish } from '../driver.ts'
import type { DiskSeen, TopologySeen } from '../placing.ts'
import * as placing from '../placing.ts'
import { calledOf, type Member, membersOf, namesOf, wholeDisk } from './topology.ts'

const REPLACE_MS = 300_000
const WORKS: ReadonlySet<string> = new Set(['ONLINE', 'DEGRADED'])
const STOPPED: ReadonlySet<string> = new Set(['UNAVAIL', 'FAULTED', 'SUSPENDED'])
export const DISKS = ['storage', 'zfs', 'disks'] as const

const { error, info } = placing
const refuse = (...findings: Finding[]): OwnPlan => ({ steps: [], findings })
const parentOf = ({ above }: Member) => above.at(-1)

/** Planned again after its steps, and after a power cut, until it is empty. `document` is where the document stands. */
export function planReplace(wish: ReplaceWish, seen: TopologySeen, document: string): OwnPlan {
    if (!seen.pools) return refuse(cannotSay)
    const members = seen.pools.flatMap(membersOf)
    const named = members.filter(({ leaf }) => namesOf(leaf).includes(wish.old))
    const under = named.find(member => parentOf(member)?.type === 'replacing')
    const old = under ? oldOf(under) : named[0]
    const disk = wish.new === undefined ? old && inPlace(old, seen) : placing.diskNamed(wish.new, seen)
    const naming = () => documentSteps(wish, old, disk, seen, document)
    if (!old) {
        // The old one is gone from the pool when all is copied.
        const there = disk && members.some(({ leaf }) => placing.liesOn(leaf, disk, seen.real))
        return there ? { steps: naming() } : refuse(noSuchMember(wish.old, members))
    }
    if (named.length > 1 && !under) return refuse(ambiguous(wish.old, named))
    if (wish.new === undefined && old.leaf.state === 'ONLINE' && !under) return refuse(works(old))
    if (!disk) return refuse(wish.new === undefined ? sayWhich(old, seen) : placing.noSuchDisk(wish.new, seen))
    const held = members.find(({ leaf }) => leaf !== old.leaf && placing.liesOn(leaf, disk, seen.real))
    const parent = parentOf(old)
    if (held && parent?.type === 'replacing' && parentOf(held) === parent) return { steps: naming() }
    if (parent?.type === 'replacing') return refuse(another(old))
    if (held && parent?.type === 'spare' && parentOf(held) === parent) {
        return letGo(old, held, naming())
    }
    return place(old, disk, seen, naming())
}

/** Of two under one `replacing`, the first is the old one. (zpool-replace(8), vdev_add_parent) */
const oldOf = (member: Member): Member => ({ ...member, leaf: parentOf(member)!.children[0]! })

/** A new disk that has the name of the old one: names by slot, or a disk that was wiped. */
const inPlace = ({ leaf }: Member, seen: TopologySeen) =>
    leaf.path === undefined ? undefined : seen.disks.find(({ id }) => id === wholeDisk(leaf.path!))

function place(old: Member, disk: DiskSeen, seen: TopologySeen, naming: Step[]): OwnPlan {
    const { pool, leaf, above } = old
    if (STOPPED.has(pool.state)) return refuse(stopped(pool))
    const top = above[0]
    if (!WORKS.has(leaf.state) && (!top || STOPPED.has(top.state))) return refuse(lost(old))
    const spare = pool.spares.find(one => placing.liesOn(one, disk, seen.real))
    if (spare?.state === 'AVAIL') {
        const say = `Let the spare ${disk.id} take the place of ${calledOf(leaf)} in the pool ${pool.name}`
        return { steps: [replaceStep(say, [pool.name, leaf.guid, disk.id], {})] }
    }
    if (placing.liesOn(leaf, disk, seen.real)) return refuse(itself(old))
    const findings = placing.against(disk, leaf.leastBytes ?? siblingsLeast(old), seen)
    const { force, marks, fingerprints } = placing.taking([disk])
    if (findings.length > 0) return { steps: [], findings, fingerprints }
    const say = `Replace ${placing.listed([leaf])} in the pool ${pool.name} by ${disk.id} (${disk.words})`
    const step = replaceStep(say, [...force, pool.name, leaf.guid, disk.id], marks)
    return { steps: [step, ...naming], findings: hints(old), fingerprints }
}

const replaceStep = (say: string, args: string[], marks: Partial<Step>): Step =>
    ({ do: 'run', say, tool: 'zpool', args: ['replace', ...args], deadlineMs: REPLACE_MS, ...marks }) as Step

/** Of a disk that is gone ZFS may not know what it had; the others of its part do. */
const siblingsLeast = ({ above }: Member) => Math.max(0, ...(above[0]?.children ?? []).map(one => one.leastBytes ?? 0))

/** The spare has all data: it stays, and the old one goes. */
function letGo({ pool, leaf }: Member, spare: Member, naming: Step[]): OwnPlan {
    const called = calledOf(spare.leaf)
    if (pool.scan?.what === 'resilver' && pool.scan.running) {
        return refuse(
            info(COPYING, 'The spare is not whole yet', called, 'When it is, do the same again, so that it stays.'),
        )
    }
    if (spare.leaf.state !== 'ONLINE') {
        const fix = 'Name another disk.'
        return refuse(error('spare-fails', 'The spare does not work either', placing.listed([spare.leaf]), fix))
    }
    const say = `Let ${placing.listed([leaf])} go from the pool ${pool.name}: ${called} stays`
    const args = ['detach', pool.name, leaf.guid]
    return { steps: [{ do: 'run', say, tool: 'zpool', args, deadlineMs: REPLACE_MS }, ...naming] }
}

function hints(old: Member): Finding[] {
    const findings: Finding[] = []
    if (old.leaf.state === 'ONLINE') {
        const detail = `${calledOf(old.leaf)} is ONLINE`
        findings.push(info('disk-works', 'That disk still works: it stays in the pool until all is copied', detail))
    }
    const parent = parentOf(old)
    const spare = parent?.type === 'spare' ? parent.children.find(one => one !== old.leaf) : undefined
    if (spare) {
        findings.push(info('spare-returns', 'The spare is free again when all is copied', calledOf(spare)))
    }
    return findings
}

function documentSteps(
    { old: word }: ReplaceWish,
    old: Member | undefined,
    disk: DiskSeen | undefined,
    { text }: TopologySeen,
    path: string,
): Step[] {
    if (text === undefined || !disk) return []
    const names = old ? namesOf(old.leaf) : [word]
    const entry = disksIn(text, DISKS)?.find(one => names.includes(one) || one.endsWith(`/${word}`))
    if (entry === undefined) return []
    return placing.documentStep(path, text, withReplaced(text, DISKS, { old: entry, new: disk.id }))
}

export const cannotSay = error(
    'zfs-cannot-say',
    'ZFS does not say what its pools are made of',
    'zpool status -j',
    'Is its module loaded? See: zpool status. It takes OpenZFS 2.3.',
)

function noSuchMember(word: string, members: readonly Member[]): Finding {
    const meant = nearest(
        word,
        members.flatMap(({ leaf }) => namesOf(leaf)),
    )
    const all = placing.listed(members.map(({ leaf }) => leaf))
    const fix = meant
        ? `Did you mean ${meant}?`
        : all
          ? `Disks of pools are: ${all}.`
          : 'There is no pool: zpool import'
    return error('no-such-member', 'No pool has such a disk', word, fix)
}

const ambiguous = (word: string, named: readonly Member[]) =>
    error(
        'which-member',
        'More than one disk of the pools has that name',
        word,
        `Name one by its number: ${named.map(({ leaf }) => `${leaf.guid} (${leaf.state})`).join(', ')}.`,
    )

const works = ({ leaf }: Member) =>
    info(
        'disk-works',
        'That disk works, and nothing is done',
        placing.listed([leaf]),
        'To put another in its place, name the new one behind it.',
    )

const sayWhich = ({ leaf }: Member, seen: TopologySeen) =>
    error('which-disk', 'Say which disk takes the place of the old one', calledOf(leaf), placing.freeWords(seen))

const another = (old: Member) => {
    const other = parentOf(old)!.children.at(-1)!
    return error(
        'replaced-already',
        'Another disk is taking the place of that one already',
        placing.listed([other]),
        `Wait for it: debvisor storage status --wait. To stop that: zpool detach ${old.pool.name} ${other.guid}`,
    )
}

const itself = ({ pool, leaf }: Member) =>
    error(
        'still-member',
        'That is the disk itself, and it still holds what the pool wrote on it',
        placing.listed([leaf]),
        `To use it again: zpool online ${pool.name} ${leaf.guid}. To begin anew with it, wipe it first.`,
    )

const stopped = ({ name, state }: { name: string; state: string }) =>
    error(
        'pool-stopped',
        'The pool does not work, so nothing can be copied',
        `${name} is ${state}`,
        `Look at the disks and their cables, then: zpool clear ${name}`,
    )

const lost = ({ pool, leaf }: Member) =>
    error(
        'no-copy-left',
        'There is no other copy of what was on that disk',
        `${placing.listed([leaf])}, in ${pool.name}`,
        'Bring the old disk back, or make the pool anew and restore a backup.',
    )
