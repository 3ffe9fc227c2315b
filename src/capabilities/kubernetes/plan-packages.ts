// How the packages come: from the pool that came with the ISO, or from the project's archive, once its key was checked.
import type { Finding } from '../../base/finding.ts'
import type { OwnPlan } from '../../engine/resource.ts'
import type { Step } from '../../engine/step.ts'
import { fetchArgs, keyArgs, type Origin, pinText, sourceText } from './apt.ts'
import { ARCHIVE, KEY_FILE, PACKAGES, PIN_FILE, POOL, SOURCE_FILE } from './versions.ts'

export interface PackagesSeen {
    missing: readonly string[]
    /** The pool has packages. */
    pool: boolean
    /** curl and gpg are there. */
    tools: boolean
    /** What stands in the key's file: the key of the project, something else, or nothing. */
    key: 'ours' | 'other' | 'none'
    /** Whether the archive answers; asked only where it is needed. */
    reached: boolean
    source?: string
    pin?: string
}

export function planPackages(seen: PackagesSeen): OwnPlan {
    if (seen.missing.length === 0) return { steps: originOf(seen) ? sourceSteps(seen, originOf(seen)!) : [] }
    if (seen.pool) return { steps: [...sourceSteps(seen, 'pool'), install(seen.missing)] }
    if (!seen.tools)
        return { steps: [], deferred: [{ reason: 'The archive is asked when curl and gpg are there', kinds: KINDS }] }
    if (!seen.reached) return { steps: [], deferred: [waiting], findings: [outOfReach] }
    if (seen.key !== 'ours') {
        return {
            steps: [
                {
                    ...{
                        do: 'run',
                        say: `Fetch the key of ${ARCHIVE.uri}, and check that it is ${ARCHIVE.fingerprint}`,
                    },
                    ...{ tool: 'curl', args: fetchArgs(ARCHIVE.keyUri), deadlineMs: 150_000 },
                    stdoutTo: { path: KEY_FILE, mode: 0o644 },
                    after: { is: 'tool', tool: 'gpg', args: keyArgs, says: `:${ARCHIVE.fingerprint}:` },
                },
            ],
            deferred: [{ reason: 'The packages are planned when the key of their archive was checked', kinds: KINDS }],
        }
    }
    return { steps: [...sourceSteps(seen, 'archive'), install(seen.missing)] }
}

const KINDS = ['run', 'write', 'install'] as const

const install = (packages: readonly string[]): Step => ({
    ...{ do: 'install', say: `Install the packages ${packages.join(', ')}`, packages },
})

/** Where it is had from later: what stands stays, while it may. */
function originOf({ source, pool, key }: PackagesSeen): Origin | undefined {
    if (source === sourceText('archive') && key === 'ours') return 'archive'
    return pool ? 'pool' : key === 'ours' ? 'archive' : undefined
}

function sourceSteps({ source, pin }: PackagesSeen, origin: Origin): Step[] {
    const write = (path: string, content: string, was: string | undefined, what: string): Step[] =>
        was === content
            ? []
            : [
                  {
                      ...{ do: 'write', say: `${was === undefined ? 'Write' : 'Change'} ${path} (${what})` },
                      ...{ path, content, mode: 0o644, ...(was === undefined ? {} : { was }) },
                  },
              ]
    return [
        ...write(PIN_FILE, pinText(), pin, 'which versions of Kubernetes may be installed'),
        ...write(SOURCE_FILE, sourceText(origin), source, 'where packages of Kubernetes come from'),
    ]
}

const waiting = {
    reason: 'Kubernetes is installed when its packages can be reached; a timer tries again',
    kinds: KINDS,
}

const outOfReach: Finding = {
    ...{ severity: 'warning', code: 'packages-away', at: 'kubernetes.enabled' },
    summary: 'The packages of Kubernetes cannot be reached',
    detail: `neither ${POOL} nor ${ARCHIVE.uri}`,
    fix: `The rest of the node works. Let the node reach that address, or put ${PACKAGES.join(', ')} into ${POOL}.`,
}
