// The monitor and the manager of one node: made once with plain tools, started, and given the keys that the rest needs.
import type { Finding } from '../../../base/finding.ts'
import type { Agreed } from '../../../engine/plan.ts'
import type { Deferred, OwnPlan } from '../../../engine/resource.ts'
import type { Step } from '../../../engine/step.ts'
import { isBegun } from '../choose.ts'
import { asMonitor, ceph } from './ceph.ts'
import {
    adminKeyring,
    type CephWant,
    type Ground,
    type Identity,
    identityOf,
    isComing,
    MADE,
    RECORD,
    storeOf,
} from './identity.ts'
import { type Keyring, keyringSteps } from './keys.ts'
import { type UnitNow, unitSteps } from './units.ts'

export const CONF = '/etc/ceph/ceph.conf'
/** What is needed only until the store is whole; gone afterwards. */
const SCRATCH = '/var/lib/ceph/debvisor'
const TOOL_MS = 120_000
const QUORUM_MS = 300_000
/** Debian's ceph-mgr loads its modules in sub-interpreters, in which bcrypt cannot be loaded. */
export const MGR_UTIL = '/usr/share/ceph/mgr/mgr_util.py'
export const STAND_IN = '/usr/share/ceph/mgr/bcrypt.py'

export interface MonSeen extends Ground {
    /** Text of ceph.conf. */
    conf?: string
    /** There is something where the store belongs. */
    store: boolean
    /** Paths of keyrings that are there. */
    keyrings: ReadonlySet<string>
    units: ReadonlyMap<string, UnitNow>
    /** mgr_util.py needs bcrypt to be loaded at all. */
    mgrNeedsBcrypt: boolean
    /** Text of our stand-in. */
    standIn?: string
}

export const monUnit = (name: string): string => `ceph-mon@${name}.service`
export const mgrUnit = (name: string): string => `ceph-mgr@${name}.service`

export function confText({ fsid, name, address }: Identity): string {
    const six = address.includes(':')
    const host = six ? `[${address}]` : address
    return `${[
        '# Written by DebVisor from /etc/debvisor/node.yaml: a change made here is overwritten.',
        '# Settings of the running cluster belong elsewhere: ceph config set.',
        '[global]',
        `fsid = ${fsid}`,
        `mon_initial_members = ${name}`,
        `mon_host = [v2:${host}:3300,v1:${host}:6789]`,
        '# All daemons of this node listen on this one address.',
        `public_network = ${address}/${six ? 128 : 32}`,
        ...(six ? ['ms_bind_ipv4 = false', 'ms_bind_ipv6 = true'] : []),
        'auth_cluster_required = cephx',
        'auth_service_required = cephx',
        'auth_client_required = cephx',
        '# Of the rule that a new cluster begins with: copies on different OSDs, also of one host.',
        'osd_crush_chooseleaf_type = 0',
        '',
        '[mon]',
        'auth_allow_insecure_global_id_reclaim = false',
        "# Not restful, which cannot be loaded with Debian's packages; the dashboard stays off, too.",
        'mgr_initial_modules = iostat',
        '',
    ].join('\n')}`
}

/** What the mgr can be given instead of bcrypt, until Debian's package imports it where it is used. */
export const standInText = `# Written by DebVisor. In Debian's ceph-mgr 18.2.7 mgr_util.py imports bcrypt at its top; that cannot be loaded in
# sub-interpreters, and with it thirteen modules fail, among them balancer, pg_autoscaler, rbd_support and volumes.
# They need no bcrypt: it hashes passwords of the dashboard, which is off. This file goes when the import is gone.


def gensalt(*_args, **_kwargs):
    raise RuntimeError('bcrypt cannot be used in ceph-mgr')


def hashpw(*_args, **_kwargs):
    raise RuntimeError('bcrypt cannot be used in ceph-mgr')
`

const ADMIN: Keyring = {
    ...{ entity: 'client.admin', path: adminKeyring, mode: 0o600, owner: 'root:root', for: 'the administrator' },
    caps: { mon: 'allow *', osd: 'allow *', mds: 'allow *', mgr: 'allow *' },
}
const BOOTSTRAP: Keyring = {
    ...{ entity: 'client.bootstrap-osd', path: '/var/lib/ceph/bootstrap-osd/ceph.keyring', mode: 0o600 },
    ...{ owner: 'ceph:ceph', for: 'making OSDs' },
    // Monitors make it by themselves, with these rights: with others it would be refused.
    caps: { mon: 'allow profile bootstrap-osd' },
}
const mgrKeyring = (name: string): Keyring => ({
    ...{ entity: `mgr.${name}`, path: `/var/lib/ceph/mgr/ceph-${name}/keyring`, mode: 0o600, owner: 'ceph:ceph' },
    ...{ for: 'the manager', caps: { mon: 'allow profile mgr', osd: 'allow *', mds: 'allow *' } },
})
export const monKeyrings = (name: string): Keyring[] => [ADMIN, BOOTSTRAP, mgrKeyring(name)]

export function planMon(want: CephWant, seen: MonSeen, agreed: Agreed): OwnPlan {
    if (!isComing(want, seen, agreed)) return { steps: [] }
    const { identity, findings } = identityOf(want, seen)
    if (!identity || findings.some(({ severity }) => severity === 'error')) return { steps: [], findings }
    const claim = `mon:${identity.name}`
    const begun = isBegun(claim, agreed)
    const trouble = strangerOf(identity, seen, begun)
    if (trouble) return { steps: [], findings: [trouble] }
    const fresh = !seen.made && !seen.store
    const steps: Step[] = []
    if (!seen.record)
        steps.push(write(RECORD, `${JSON.stringify(identity)}\n`, 'Note which cluster this node is of', 0o600))
    const conf = confText(identity)
    if (seen.conf !== conf)
        steps.push(
            write(
                CONF,
                conf,
                `${seen.conf === undefined ? 'Write' : 'Change'} ${CONF} (where Ceph is)`,
                0o644,
                seen.conf,
            ),
        )
    if (fresh) steps.push(...makeSteps(identity, claim))
    if (!seen.made) {
        const note = write(MADE, `${JSON.stringify({ mon: identity.name })}\n`, 'Note that the monitor is whole', 0o600)
        // Before the note: a key that is left over would be left for good.
        steps.push(run('Remove what was needed to make it', 'rm', '-rf', '--', SCRATCH), { ...note, claims: [claim] })
    }
    return { steps: [...steps, ...daemonSteps(identity, seen)] }
}

const run = (say: string, tool: string, ...args: string[]): Step => ({
    ...{ do: 'run', say, tool, args, deadlineMs: TOOL_MS },
})

const write = (path: string, content: string, say: string, mode: number, was?: string): Step & { do: 'write' } => ({
    ...{ do: 'write', say, path, content, mode },
    ...(was === undefined ? {} : { was }),
})

/** The store is made beside its place and moved there whole: what stands there was never half made. */
function makeSteps({ fsid, name, address }: Identity, claim: string): Step[] {
    const host = address.includes(':') ? `[${address}]` : address
    const keyring = `${SCRATCH}/keyring`
    const map = `${SCRATCH}/monmap`
    const steps = [
        run('Clear what an earlier try has left', 'rm', '-rf', '--', SCRATCH),
        { do: 'folder', say: `Make the folder ${SCRATCH} for the time being`, path: SCRATCH, mode: 0o700 } as Step,
        run(
            'Make the key of the monitors',
            'ceph-authtool',
            '--create-keyring',
            keyring,
            '--gen-key',
            '--name',
            'mon.',
            '--cap',
            'mon',
            'allow *',
        ),
        run(
            `Say that ${name} is the monitor, at ${address}`,
            'monmaptool',
            '--create',
            '--clobber',
            '--fsid',
            fsid,
            '--addv',
            name,
            `[v2:${host}:3300,v1:${host}:6789]`,
            map,
        ),
        run('Give them to the user ceph', 'chown', '--recursive', 'ceph:ceph', SCRATCH),
        run(
            `Make the store of the monitor ${name}`,
            'ceph-mon',
            '--mkfs',
            '--id',
            name,
            '--monmap',
            map,
            '--keyring',
            keyring,
            '--mon-data',
            `${SCRATCH}/store`,
            '--setuser',
            'ceph',
            '--setgroup',
            'ceph',
        ),
        run('Put it where it belongs', 'mv', '--no-target-directory', `${SCRATCH}/store`, storeOf(name)),
    ]
    return steps.map(step => ({ ...step, claims: [claim] }))
}

function daemonSteps({ name }: Identity, seen: MonSeen): Step[] {
    const store = storeOf(name)
    const starts = unitSteps(monUnit(name), seen.units.get(monUnit(name)), 'the monitor')
    const [admin, ...others] = monKeyrings(name)
    const needed = monKeyrings(name).some(({ path }) => !seen.keyrings.has(path))
    const steps: Step[] = [...starts]
    if (starts.length > 0 || needed) {
        const args = ceph(...asMonitor(store), 'mon', 'stat')
        const say = 'Wait until the monitors agree (quorum)'
        steps.push({ do: 'wait', say, for: { is: 'tool', tool: 'ceph', args }, deadlineMs: QUORUM_MS })
    }
    steps.push(...keyringSteps([admin!], seen.keyrings, asMonitor(store)), ...keyringSteps(others, seen.keyrings))
    const standIn = seen.mgrNeedsBcrypt ? standInText : undefined
    const manager = unitSteps(mgrUnit(name), seen.units.get(mgrUnit(name)), 'the manager')
    if (seen.standIn !== standIn) {
        const what = 'bcrypt for the manager, which cannot load it'
        steps.push(
            standIn
                ? write(STAND_IN, standIn, `Write ${STAND_IN} (instead of ${what})`, 0o644, seen.standIn)
                : {
                      do: 'remove',
                      say: `Remove ${STAND_IN} (instead of ${what}): Debian has mended that`,
                      path: STAND_IN,
                  },
        )
        if (manager.length === 0) {
            const say = 'Restart the manager with it'
            steps.push({ do: 'unit', say, unit: mgrUnit(name), action: 'restart' })
        }
    }
    return [...steps, ...manager]
}

/** Something of Ceph that is there and was not made by this node. */
function strangerOf({ fsid, name }: Identity, seen: MonSeen, begun: boolean): Finding | undefined {
    if (seen.made && !seen.store) return missing(storeOf(name))
    if (seen.made) return undefined
    if (seen.store && !begun) return foreign(storeOf(name))
    const other = /^\s*fsid\s*=\s*(\S+)/m.exec(seen.conf ?? '')?.[1]
    if (seen.conf !== undefined && other !== fsid) return foreign(CONF)
    // A key of somebody else would be overwritten.
    if (!seen.record && seen.keyrings.has(adminKeyring)) return foreign(adminKeyring)
    return undefined
}

const foreign = (path: string): Finding => ({
    ...{ severity: 'error', code: 'ceph-foreign', at: 'storage.ceph', detail: path },
    summary: 'There is something of Ceph on this machine that is not of this node',
    fix: 'Look at it. When it is not needed any more, move it away; then apply again.',
})

const missing = (path: string): Finding => ({
    ...{ severity: 'error', code: 'mon-missing', at: 'storage.ceph', detail: path },
    summary: 'The monitor of this node is not there, and is not made anew',
    fix: `Bring it back from a backup: all that is known of the data is in it. To begin with an empty cluster, remove ${MADE} and ${RECORD}.`,
})

export const afterQuorum = (reason: string): Deferred => ({ reason, kinds: ['run', 'write', 'folder', 'unit', 'wait'] })
