// The columns that the list of machines can have, how each is sorted by, and the views that a person keeps.
import { State, type Vm } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { common } from '../words.panel.tsx'
import { words } from './words.panel.tsx'

export type ColumnKey =
    | 'name'
    | 'state'
    | 'cpu'
    | 'memory'
    | 'networks'
    | 'tags'
    | 'uptime'
    | 'description'
    | 'owner'
    | 'autostart'

export const columns: { key: ColumnKey; label: string }[] = [
    { key: 'name', label: common.name },
    { key: 'state', label: common.state },
    { key: 'cpu', label: words.cpu },
    { key: 'memory', label: words.memory },
    { key: 'networks', label: words.networks },
    { key: 'tags', label: words.tags },
    { key: 'uptime', label: words.uptime },
    { key: 'description', label: words.facts.description },
    { key: 'owner', label: words.facts.owner },
    { key: 'autostart', label: words.set.autostart },
]

/** Whose name a column has, is always there. */
export const FIXED: ColumnKey = 'name'
export const USUAL: ColumnKey[] = ['name', 'state', 'cpu', 'memory', 'networks', 'tags', 'uptime']

export const isColumns = (value: unknown): value is ColumnKey[] =>
    Array.isArray(value) && value.includes(FIXED) && value.every(one => columns.some(column => column.key === one))

export interface Sort {
    key: ColumnKey
    down: boolean
}

const collator = new Intl.Collator(undefined, { numeric: true })
const startedMs = (vm: Vm): number => (vm.started ? Number(vm.started.seconds) : Number.MAX_SAFE_INTEGER)

/** Equal ones stand by name, so that rows do not jump. */
const order: Record<ColumnKey, (a: Vm, b: Vm) => number> = {
    name: () => 0,
    state: (a, b) => a.state - b.state,
    cpu: (a, b) => a.cpu * a.vcpus - b.cpu * b.vcpus,
    memory: (a, b) => Number(a.memoryBytes - b.memoryBytes),
    networks: (a, b) => collator.compare(a.networks.join(), b.networks.join()),
    tags: (a, b) => collator.compare(a.tags.join(), b.tags.join()),
    uptime: (a, b) => startedMs(b) - startedMs(a),
    description: (a, b) => collator.compare(a.description, b.description),
    owner: (a, b) => collator.compare(a.owner, b.owner),
    autostart: (a, b) => Number(a.autostart) - Number(b.autostart),
}

export function sorted(rows: Vm[], sort: Sort): Vm[] {
    const by = order[sort.key]
    rows.sort((a, b) => by(a, b) || collator.compare(a.name, b.name))
    return sort.down ? rows.reverse() : rows
}

/** `cpu` up, `-cpu` down; by name for what is no column. */
export function readSort(text: string): Sort {
    const down = text.startsWith('-')
    const key = columns.find(column => column.key === text.replace(/^-/, ''))?.key
    return key ? { key, down } : { key: FIXED, down: false }
}
export const writeSort = ({ key, down }: Sort): string => (key === FIXED && !down ? '' : `${down ? '-' : ''}${key}`)

export const filterStates = [
    State.RUNNING,
    State.STOPPED,
    State.PAUSED,
    State.SHUTTING_DOWN,
    State.CRASHED,
    State.SLEEPING,
] as const

/** A list as it was, under a name: what was searched and filtered, and how it was sorted. */
export interface View {
    name: string
    q: string
    state: string
    tag: string
    network: string
    sort: string
}

export const isViews = (value: unknown): value is View[] =>
    Array.isArray(value) &&
    value.every(
        one =>
            typeof one === 'object' &&
            one !== null &&
            ['name', 'q', 'state', 'tag', 'network', 'sort'].every(
                key => typeof (one as Record<string, unknown>)[key] === 'string',
            ),
    )
