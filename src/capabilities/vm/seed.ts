// The files of a NoCloud seed from what the request asks for: cloud-init reads them at the first boot.
import { stringify } from 'yaml'
import { hostnameOf, type SeedWant } from './spec-seed.ts'

export type SeedFiles = Record<string, string>

/** The label by which cloud-init finds the medium. */
export const SEED_LABEL = 'cidata'

/** How the names of volumes with seeds end: by it they are known, and kept from being read by others. */
export const SEED_ENDING = '-seed.iso'

/** True for a volume with a seed, whose secrets nobody may read. */
export const isSeedVolume = (name: string): boolean => name.toLowerCase().endsWith(SEED_ENDING)

/**
 * The files `user-data`, `meta-data` and, where asked for, `network-config`. A new `instanceId` makes cloud-init do the
 * work of a first boot again (SSH host keys, users).
 */
export function seedFiles(want: SeedWant, vm: { name: string; instanceId: string }): SeedFiles {
    const hostname = want.hostname || hostnameOf(vm.name)
    return {
        'meta-data': metaData({ instanceId: vm.instanceId, hostname }),
        'user-data': want.userData || userData(want, hostname),
        ...(want.networkConfig ? { 'network-config': ended(want.networkConfig) } : {}),
    }
}

/** How user-data begins that DebVisor wrote. */
export const HEADER = '#cloud-config\n# Made by DebVisor.\n'
const ended = (text: string) => (text.endsWith('\n') ? text : `${text}\n`)

export const metaData = (facts: { instanceId: string; hostname: string }): string =>
    stringify({ 'instance-id': facts.instanceId, 'local-hostname': facts.hostname })

function userData(want: SeedWant, hostname: string): string {
    // `user` without a name changes the image's default user; with one it replaces it, and keeps the distribution's
    // groups, shell and sudo (cloud-init, ug_util.normalize_users_groups). Unlike `password` it takes every hash.
    const user = {
        ...(want.user ? { name: want.user } : {}),
        ...(want.passwordHash ? { passwd: want.passwordHash, lock_passwd: false } : {}),
        ...(want.sshKeys.length > 0 ? { ssh_authorized_keys: want.sshKeys } : {}),
    }
    return `${HEADER}${stringify(
        {
            hostname,
            ...(hostname.includes('.') ? { fqdn: hostname } : {}),
            manage_etc_hosts: 'localhost',
            ...(Object.keys(user).length > 0 ? { user } : {}),
            ...(want.packages.length > 0 ? { package_update: true, packages: want.packages } : {}),
            ...(want.commands.length > 0 ? { runcmd: want.commands } : {}),
        },
        { lineWidth: 0 },
    )}`
}
