// libvirt's pool of RBD images: its secret and its definition, by virsh. (virsh(1), libvirt's storage and secret formats)
import type { Agreed } from '../../../engine/plan.ts'
import type { OwnPlan } from '../../../engine/resource.ts'
import type { Step } from '../../../engine/step.ts'
import { ceph } from './ceph.ts'
import { type CephWant, FOLDER, type Ground, type Identity, isComing, uuidOf } from './identity.ts'
import { LIBVIRT_KEYRING } from './keys.ts'
import { afterQuorum } from './mon.ts'

const TOOL_MS = 60_000
type Argv = [string, ...string[]]
const virsh = (...words: string[]): Argv => ['/usr/bin/virsh', '--connect', 'qemu:///system', '--quiet', ...words]

export const listSecrets = virsh('secret-list')
export const listPools = virsh('pool-list', '--all', '--name')
export const poolInfo = (pool: string): Argv => virsh('pool-info', pool)
export const poolXml = (pool: string): Argv => virsh('pool-dumpxml', '--inactive', pool)

/** The key is here while it is handed to libvirt, and no longer. */
export const KEY_FILE = `${FOLDER}/ceph-libvirt.key`
export const secretUuid = ({ fsid }: Identity): string => uuidOf('libvirt', fsid)
/** Where libvirt keeps the value; it gives a private one to nobody. */
export const secretFile = (identity: Identity): string => `/etc/libvirt/secrets/${secretUuid(identity)}.base64`
export const secretXmlFile = (pool: string): string => `/etc/debvisor/libvirt/secret-${pool}.xml`
export const poolXmlFile = (pool: string): string => `/etc/debvisor/libvirt/pool-${pool}.xml`

export interface RbdPool {
    active: boolean
    autostart: boolean
    /** What libvirt knows of it: where, and by which secret. */
    xml: string
}

export interface LibvirtSeen extends Ground {
    /** There is a key for it: the pool of Ceph was made before. */
    keyring: boolean
    secretDefined: boolean
    /** libvirt holds the key that the keyring has. */
    secretSame: boolean
    /** The key still lies where it was handed over: the power went before it was removed. */
    keyLeft: boolean
    secretXml?: string
    poolXml?: string
    /** Undefined: libvirt knows no pool of that name. */
    pool?: RbdPool
}

export function parsePool(info: string, xml: string): RbdPool {
    const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(info)?.[1]
    return { active: field('State') === 'running', autostart: field('Autostart') === 'yes', xml }
}

export const hasSecret = (stdout: string, uuid: string): boolean => stdout.includes(uuid)

const leads = (xml: string, pool: string, { address }: Identity, uuid: string) =>
    /^<pool type=['"]rbd['"]/m.test(xml.trim()) &&
    [`<name>${pool}</name>\n`, address, uuid].every(word => xml.includes(word))

export function planLibvirt(want: CephWant, seen: LibvirtSeen, agreed: Agreed): OwnPlan {
    const identity = seen.record
    if (!seen.keyring || !identity) {
        const reason = 'The storage pool of libvirt is planned when the pool of Ceph is there'
        return { steps: [], deferred: isComing(want, seen, agreed) ? [afterQuorum(reason)] : [] }
    }
    const { pool } = want
    const uuid = secretUuid(identity)
    const secret = [
        "<secret ephemeral='no' private='yes'>",
        `  <uuid>${uuid}</uuid>`,
        "  <usage type='ceph'>",
        `    <name>client.libvirt of ${identity.fsid}</name>`,
        '  </usage>',
        '</secret>',
        '',
    ].join('\n')
    const definition = [
        "<pool type='rbd'>",
        `  <name>${pool}</name>`,
        '  <source>',
        `    <name>${pool}</name>`,
        `    <host name='${identity.address}'/>`,
        "    <auth type='ceph' username='libvirt'>",
        `      <secret uuid='${uuid}'/>`,
        '    </auth>',
        '  </source>',
        '</pool>',
        '',
    ].join('\n')
    const steps = [
        ...fileStep(secretXmlFile(pool), secret, seen.secretXml, "libvirt's name for the key"),
        ...fileStep(poolXmlFile(pool), definition, seen.poolXml, 'the storage pool'),
    ]
    if (!seen.secretDefined) {
        steps.push(
            run('Tell libvirt of the key for its pool', 'virsh', virshArgs('secret-define', secretXmlFile(pool))),
        )
    }
    if (!seen.secretDefined || !seen.secretSame) steps.push(...valueSteps(uuid))
    else if (seen.keyLeft) steps.push(removeKey)
    return { steps: [...steps, ...poolSteps(want, seen, leads(seen.pool?.xml ?? '', pool, identity, uuid))] }
}

const virshArgs = (...words: string[]) => virsh(...words).slice(1)

const run = (say: string, tool: string, args: string[]): Step => ({ do: 'run', say, tool, args, deadlineMs: TOOL_MS })

function fileStep(path: string, content: string, was: string | undefined, what: string): Step[] {
    if (was === content) return []
    const say = `${was === undefined ? 'Write' : 'Change'} ${path} (${what})`
    return [{ do: 'write', say, path, content, mode: 0o644, ...(was === undefined ? {} : { was }) }]
}

/** Not by a `remove` of the engine, which keeps a copy for a rollback. */
const removeKey = run('Remove the file that the key of client.libvirt was in', 'rm', ['-f', '--', KEY_FILE])

/** By a file that only root can read: its value is in no argument. */
function valueSteps(uuid: string): Step[] {
    const get: Step = {
        ...{ do: 'run', say: 'Take the key of client.libvirt out of Ceph', tool: 'ceph', deadlineMs: TOOL_MS },
        ...{ args: ceph('auth', 'print-key', 'client.libvirt'), stdoutTo: { path: KEY_FILE, mode: 0o600 } },
    }
    return [get, run('Give it to libvirt', 'virsh', virshArgs('secret-set-value', uuid, '--file', KEY_FILE)), removeKey]
}

/** Defining it anew changes where libvirt looks; images stay. */
function poolSteps({ pool }: CephWant, { pool: seen }: LibvirtSeen, same: boolean): Step[] {
    const words = (say: string, ...args: string[]) => run(say, 'virsh', virshArgs(...args))
    const steps: Step[] = []
    const other = seen !== undefined && !same
    if (other && seen.active) steps.push(words(`Stop the storage pool ${pool}, which is another`, 'pool-destroy', pool))
    if (other)
        steps.push(words(`Forget where the storage pool ${pool} was; what is in it stays`, 'pool-undefine', pool))
    const fresh = seen === undefined || other
    if (fresh) steps.push(words(`Define the storage pool ${pool} on Ceph`, 'pool-define', poolXmlFile(pool)))
    if (fresh || !seen.active) steps.push(words(`Start the storage pool ${pool}`, 'pool-start', pool))
    if (fresh || !seen.autostart)
        steps.push(words(`Start the storage pool ${pool} at every boot`, 'pool-autostart', pool))
    return steps
}

export { LIBVIRT_KEYRING }
