// The seed of a clone: cloud-init begins anew there, and does before the network comes what it never does by itself.
import { parseDocument, stringify } from 'yaml'
import type { Finding } from '../../base/finding.ts'
import { HEADER, metaData, type SeedFiles, seedFiles } from './seed.ts'
import { finding } from './spec-finding.ts'
import { hostnameOf, mappingOf, type SeedWant } from './spec-seed.ts'

export interface CloneIdentity {
    name: string
    instanceId: string
}

/**
 * Runs at every boot and works at the first one of an instance. cloud-init makes users and SSH host keys anew for a new
 * instance-id, but leaves /etc/machine-id alone, by which systemd-networkd asks for its address and the journal is kept.
 * Vendor-data, because it goes beside user-data of every kind; a hook, because no `bootcmd` of the user-data replaces it.
 */
const NEW_MACHINE_ID = `#cloud-boothook
#!/bin/sh
# Made by DebVisor: a clone gets a machine-id of its own, once.
set -eu
mark=/var/lib/cloud/instance/sem/debvisor_machine_id
if [ -e "$mark" ] || ! [ -e /etc/machine-id ]; then exit 0; fi
# Emptied, not removed: without the file systemd takes the next boot for the first of all.
: >/etc/machine-id
if [ -d /var/lib/dbus ]; then
    rm -f /var/lib/dbus/machine-id
    ln -s /etc/machine-id /var/lib/dbus/machine-id
fi
systemd-machine-id-setup
: >"$mark"
systemctl --no-block try-restart systemd-journald.service systemd-networkd.service || true
`

/** The files of a clone's seed that was asked for anew. */
export const seedFilesForClone = (want: SeedWant, vm: CloneIdentity): SeedFiles => renewing(seedFiles(want, vm))

/**
 * The files of a seed for a copy of its VM: everything as it was, but another instance and host name. A host name that
 * the user-data sets itself is replaced in what DebVisor wrote, and left in what was given whole.
 */
export function seedFilesOfClone(files: SeedFiles, vm: CloneIdentity): SeedFiles {
    const hostname = hostnameOf(vm.name)
    const given = files['user-data'] ?? '#cloud-config\n{}\n'
    const ours = given.startsWith(HEADER)
    return renewing({
        ...files,
        'meta-data': metaData({ instanceId: vm.instanceId, hostname }),
        'user-data': ours ? given.replace(/^(hostname|fqdn): .*$/gm, (_, key) => `${key}: ${hostname}`) : given,
    })
}

function renewing(files: SeedFiles): SeedFiles {
    if (isForeign(files)) return files
    const early = !needsNetwork(files['user-data'] ?? '')
    const meta = parseDocument(files['meta-data'] ?? '').toJS() as Record<string, string>
    return {
        ...files,
        // In this mode cloud-init does its first work before the network comes, so that no address is asked for by
        // the source's machine-id.
        'meta-data': early ? stringify({ ...meta, dsmode: 'local' }) : files['meta-data']!,
        'vendor-data': NEW_MACHINE_ID,
    }
}

const isForeign = (files: SeedFiles): boolean =>
    (files['vendor-data'] ?? '').trim() !== '' && files['vendor-data'] !== NEW_MACHINE_ID

/** True for user-data that may want the network while it is read: includes, parts of all kinds, commands at boot. */
function needsNetwork(userData: string): boolean {
    if (userData.startsWith('#!')) return false
    if (!userData.startsWith('#cloud-config')) return true
    const mapping = mappingOf(userData)
    return mapping === undefined || 'bootcmd' in mapping
}

/** What of the source's identity stays in a clone, because its own user-data has it so. */
export function checkCloneSeed(files: SeedFiles, at: string): Finding[] {
    const found: Finding[] = []
    const mapping = mappingOf(files['user-data'] ?? '')
    if (isForeign(files) || isOff(mapping?.vendor_data))
        found.push(
            finding('warning', 'same-machine-id', {
                at,
                summary: 'The clone will have the machine-id of its source',
                detail: isForeign(files)
                    ? 'the seed has vendor-data already, where DebVisor would renew it'
                    : 'the user-data turns vendor-data off, by which DebVisor would renew it',
                fix: 'Empty /etc/machine-id in the clone and reboot it.',
            }),
        )
    if (mapping?.ssh_deletekeys === false || mapping?.ssh_keys)
        found.push(
            finding('warning', 'same-host-keys', {
                at,
                summary: 'The clone will have the SSH host keys of its source',
                detail: mapping.ssh_keys ? 'the user-data gives them' : 'the user-data has ssh_deletekeys: false',
                fix: 'Give the clone user-data of its own, or renew the keys by hand.',
            }),
        )
    return found
}

function isOff(vendorData: unknown): boolean {
    if (vendorData === null || typeof vendorData !== 'object') return false
    const { enabled = true, disabled_handlers: off } = vendorData as { enabled?: unknown; disabled_handlers?: unknown }
    return !['true', 'yes', 'on', '1'].includes(String(enabled)) || (Array.isArray(off) && off.length > 0)
}
