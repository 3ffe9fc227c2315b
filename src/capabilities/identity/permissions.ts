// Which permissions a role, grant or token scope holds: patterns such as `vm.*`, `*.view` and `*`, and `!…` for not.
import { Fault } from '../../base/fault.ts'

export interface Role {
    name: string
    summary: string
    /** Patterns; one that begins with `!` takes away what others give. */
    permissions: readonly string[]
    /** True where it can be given on one VM or tag. */
    grantable: boolean
}

const OPERATOR = [
    ...['vm.*', '!vm.raw', '!vm.host', 'console.*', 'image.*', '!image.pools'],
    ...['container.*', '!container.registries', 'stack.*'],
    ...['network.view', 'network.bridge', 'node.view', 'certificate.view', 'task.*'],
]

export const ROLES: readonly Role[] = [
    { name: 'admin', summary: 'May do everything', permissions: ['*'], grantable: false },
    {
        name: 'operator',
        summary:
            'Makes, runs and deletes VMs, containers and images; changes neither pools, networks, the node nor users',
        // What reaches past a VM or container into the host (raw XML, devices, paths) is an administrator's to do, or to give.
        permissions: [...OPERATOR, '!container.host'],
        grantable: true,
    },
    {
        name: 'host-operator',
        summary: 'An operator who also makes, enters and changes containers and stacks that reach into the node',
        permissions: OPERATOR,
        grantable: true,
    },
    {
        name: 'viewer',
        summary: 'Sees everything but the audit log and the users; changes nothing',
        permissions: ['*.view', '!audit.view', '!identity.view'],
        grantable: true,
    },
    {
        name: 'auditor',
        summary: 'Reads the audit log and sees everything, users included; changes nothing',
        permissions: ['audit.*', '*.view'],
        grantable: false,
    },
]

/** The role of that name. @throws Fault `invalid` */
export function roleNamed(name: string, at = 'role'): Role {
    const role = ROLES.find(r => r.name === name)
    if (role) return role
    throw new Fault('invalid', {
        summary: 'There is no such role',
        detail: JSON.stringify(name.slice(0, 40)),
        fix: `Use one of ${ROLES.map(r => r.name).join(', ')}.`,
        at,
    })
}

const PATTERN = /^(\*|(\*|[a-z][a-z0-9-]*)\.(\*|[a-z][a-z0-9-]*))$/

/** The same pattern, when a token's scope may hold it. @throws Fault `invalid` */
export function checkPattern(pattern: string, at: string): string {
    if (PATTERN.test(pattern) && pattern !== '*.*') return pattern
    throw new Fault('invalid', {
        summary: 'That is not a permission',
        detail: JSON.stringify(pattern.slice(0, 60)),
        fix: 'Write it as vm.view, vm.*, *.view or *.',
        at,
    })
}

/** Whether one pattern (without `!`) holds a permission; or another pattern wholly. */
export function matches(pattern: string, permission: string): boolean {
    if (pattern === '*' || pattern === permission) return true
    if (permission === '*') return false
    const [family, verb] = pattern.split('.')
    const [otherFamily, otherVerb] = permission.split('.')
    if (family === undefined || verb === undefined || !otherFamily || !otherVerb) return false
    if (permission.split('.').length !== 2) return false
    return (family === '*' || family === otherFamily) && (verb === '*' || verb === otherVerb)
}

/** Answers of `allows` for the same list of patterns: it is asked for each of thousands of VMs. */
const answers = new WeakMap<readonly string[], Map<string, boolean>>()

/** Whether the patterns together hold a permission: some pattern gives it, none takes it away. */
export function allows(patterns: readonly string[], permission: string): boolean {
    const known = answers.get(patterns) ?? new Map<string, boolean>()
    if (known.size === 0) answers.set(patterns, known)
    const before = known.get(permission)
    if (before !== undefined) return before
    const taken = patterns.some(pattern => pattern.startsWith('!') && matches(pattern.slice(1), permission))
    const given = patterns.some(pattern => !pattern.startsWith('!') && matches(pattern, permission))
    if (known.size < 1000) known.set(permission, given && !taken)
    return given && !taken
}

/** Whether everything that the inner patterns hold is held by a scope; an empty scope is no limit. */
export function within(scope: readonly string[], inner: readonly string[]): boolean {
    if (scope.length === 0) return true
    const gives = inner.filter(pattern => !pattern.startsWith('!'))
    return gives.length > 0 && gives.every(pattern => scope.some(outer => matches(outer, pattern)))
}
