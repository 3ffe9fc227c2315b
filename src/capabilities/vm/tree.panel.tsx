// The machines in the tree on the left, by state, by tag or by name, and what the search over everything finds of them.
import { State, type Vm } from '../../gen/proto/capabilities/vm/vm_pb.js'
import type { Asked, Branch, Find, Finder, Leaf } from '../pages.panel.tsx'
import { rankOf } from '../pages.panel.tsx'
import { address } from '../parts.panel.tsx'
import { fill } from '../words.panel.tsx'
import { askReset, askStop, fits, power } from './actions.panel.tsx'
import { stateKey, vms } from './store.panel.tsx'
import { stateWord, words } from './words.panel.tsx'

const collator = new Intl.Collator(undefined, { numeric: true })

const looks: Partial<Record<State, NonNullable<Leaf['tone']>['look']>> = {
    [State.RUNNING]: 'good',
    [State.PAUSED]: 'warn',
    [State.SHUTTING_DOWN]: 'warn',
    [State.CRASHED]: 'bad',
    [State.SLEEPING]: 'warn',
}

const leafOf = (vm: Vm): Leaf => ({
    key: vm.uuid,
    label: vm.name,
    to: `/vms/${vm.uuid}`,
    tone: { look: looks[vm.state] ?? 'idle', word: stateWord(vm.state) },
})

const byName = (list: readonly Vm[]): Leaf[] => [...list].sort((a, b) => collator.compare(a.name, b.name)).map(leafOf)

// Sorting thousands is not for every change of their load: what the tree shows is kept until more than that changes.
let known = { sign: '', way: '', leaves: [] as Leaf[] }

function signOf(list: readonly Vm[]): string {
    let sum = 0
    for (const vm of list) sum = (Math.imul(sum, 31) + vm.changes + vm.state) | 0
    return `${list.length} ${sum}`
}

export const branch: Branch = {
    from: vms,
    ways: [
        { key: 'state', label: words.byState },
        { key: 'tag', label: words.byTag },
        { key: 'name', label: words.byName },
    ],
    leaves(way) {
        const { list } = vms.get()
        const sign = signOf(list)
        if (known.sign !== sign || known.way !== way) known = { sign, way, leaves: grouped(list, way) }
        return known.leaves
    },
}

function grouped(list: readonly Vm[], way: string): Leaf[] {
    if (way === 'name') return byName(list)
    const groups = new Map<string, Vm[]>()
    const put = (key: string, vm: Vm): void => {
        const group = groups.get(key)
        if (group) group.push(vm)
        else groups.set(key, [vm])
    }
    for (const vm of list) {
        if (way === 'state') put(String(vm.state), vm)
        else if (vm.tags.length === 0) put('', vm)
        else for (const tag of vm.tags) put(tag, vm)
    }
    const group = (key: string, label: string, to?: string): Leaf => {
        const members = groups.get(key) ?? []
        let leaves: Leaf[] | undefined
        return { key: `${way}:${key}`, label, to, count: members.length, leaves: () => (leaves ??= byName(members)) }
    }
    if (way === 'state')
        return [...groups.keys()]
            .sort((a, b) => Number(a) - Number(b))
            .map(key => group(key, stateWord(Number(key)), address('/vms', { state: stateKey(Number(key)) })))
    return [...groups.keys()]
        .sort((a, b) => Number(a === '') - Number(b === '') || collator.compare(a, b))
        .map(key => (key === '' ? group(key, words.noTag) : group(key, key, address('/vms', { tag: key }))))
}

const MOST = 8

interface Verb {
    key: string
    label: string
    permission: string
    fits(vm: Vm): boolean
    run?(vm: Vm): void
    to?(vm: Vm): string
}

const verbs: Verb[] = [
    ...(['start', 'shutdown', 'reboot', 'suspend', 'resume'] as const).map(verb => ({
        key: verb,
        label: words[verb],
        permission: 'vm.power',
        fits: (vm: Vm) => fits(verb, vm),
        run: (vm: Vm) => void power(verb, vm),
    })),
    { key: 'stop', label: words.stop, permission: 'vm.power', fits: vm => fits('stop', vm), run: askStop },
    { key: 'reset', label: words.reset, permission: 'vm.power', fits: vm => fits('reset', vm), run: askReset },
    ...(['console', 'hardware', 'snapshots', 'settings'] as const).map(tab => ({
        key: tab,
        label: words.finds[tab],
        permission: tab === 'console' ? 'console.open' : 'vm.view',
        fits: () => true,
        to: (vm: Vm) => `/vms/${vm.uuid}/${tab}`,
    })),
]

/** What follows the verb, where the text begins with one of its words. */
function after(verb: Verb, text: string): string | undefined {
    const heads = [
        verb.label.toLowerCase(),
        ...((words.finds.also as Record<string, string>)[verb.key] ?? '').split('|'),
    ]
    const head = heads.filter(Boolean).find(word => text.startsWith(`${word} `))
    return head === undefined ? undefined : text.slice(head.length + 1)
}

const best = (text: string): { vm: Vm; rank: number }[] =>
    vms
        .get()
        .list.flatMap(vm => {
            const rank = rankOf(vm.name, text)
            return rank === undefined ? [] : [{ vm, rank }]
        })
        .sort((a, b) => a.rank - b.rank || collator.compare(a.vm.name, b.vm.name))
        .slice(0, MOST)

const doing = (verb: Verb, { vm, rank }: { vm: Vm; rank: number }): Find => ({
    key: `vm ${verb.key} ${vm.uuid}`,
    label: fill(words.finds.doIt, { verb: verb.label, name: vm.name }),
    kind: words.finds.action,
    hint: stateWord(vm.state),
    rank,
    to: verb.to?.(vm),
    run: () => verb.run?.(vm),
})

export const finder: Finder = {
    permission: 'vm.view',
    from: vms,
    find({ text, may }: Asked) {
        const finds: Find[] = []
        const make = rankOf(words.create, text)
        if (make !== undefined && may('vm.create'))
            finds.push({ key: 'vm create', label: words.create, kind: words.finds.action, rank: make, to: '/create' })
        if (text === '') return finds
        for (const verb of verbs) {
            const rest = after(verb, text)
            if (rest === undefined || rest === '') continue
            for (const one of best(rest))
                if (verb.fits(one.vm) && may(verb.permission, one.vm)) finds.push(doing(verb, one))
        }
        const named = best(text)
        for (const { vm, rank } of named)
            finds.push({
                key: `vm ${vm.uuid}`,
                label: vm.name,
                kind: words.vm,
                hint: [stateWord(vm.state), ...vm.tags].join(', '),
                rank,
                to: `/vms/${vm.uuid}`,
            })
        // Of the one that is meant, also what can be done with it.
        const [first] = named
        if (first && (first.rank === 0 || named.length === 1))
            for (const verb of verbs)
                if (verb.fits(first.vm) && may(verb.permission, first.vm))
                    finds.push({ ...doing(verb, first), rank: first.rank + 0.5 })
        return finds
    },
}
