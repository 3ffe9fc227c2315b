// Keyrings: which key may do what, and where it lies; a file that is not there is written from what the monitors know.
import type { Step } from '../../../engine/step.ts'
import { ceph, getOrCreate } from './ceph.ts'

export interface Keyring {
    entity: string
    path: string
    mode: number
    owner: string
    /** A noun: 'the manager'. */
    for: string
    /** Rights, by the kind of daemon. */
    caps: Readonly<Record<string, string>>
}

/** The key passes from the tool into the file, and is nowhere else. `as` says who asks; the administrator otherwise. */
export const keyringSteps = (keyrings: readonly Keyring[], seen: ReadonlySet<string>, as: string[] = []): Step[] =>
    keyrings
        .filter(({ path }) => !seen.has(path))
        .flatMap(({ entity, path, mode, owner, caps, for: what }): Step[] => {
            const folder = path.slice(0, path.lastIndexOf('/'))
            const own = owner === 'ceph:ceph' && !folder.endsWith('bootstrap-osd')
            const made: Step[] = own
                ? [{ do: 'folder', say: `Make the folder ${folder}`, path: folder, mode: 0o750, owner }]
                : []
            return [
                ...made,
                {
                    ...{ do: 'run', say: `Write the key of ${entity} (${what})`, tool: 'ceph' },
                    ...{ args: ceph(...as, ...getOrCreate(entity, caps)), stdoutTo: { path, mode, owner } },
                    deadlineMs: 60_000,
                },
            ]
        })

/** Of the metadata server. */
export const mdsKeyring = (name: string): Keyring => ({
    ...{ entity: `mds.${name}`, path: `/var/lib/ceph/mds/ceph-${name}/keyring`, mode: 0o600, owner: 'ceph:ceph' },
    for: 'the metadata server',
    caps: { mon: 'profile mds', mgr: 'profile mds', mds: 'allow', osd: 'allow rw tag cephfs *=*' },
})

/** May look at the health of the cluster, and at nothing else. */
export const HEALTH: Keyring = {
    ...{ entity: 'client.health', path: '/etc/ceph/ceph.client.health.keyring', mode: 0o640, owner: 'root:ceph' },
    ...{ for: 'looking at the health', caps: { mon: 'allow r' } },
}

export const CEPHFS: Keyring = {
    ...{ entity: 'client.cephfs', path: '/etc/ceph/ceph.client.cephfs.keyring', mode: 0o600, owner: 'root:root' },
    for: 'mounting CephFS',
    caps: { mon: 'allow r fsname=cephfs', mds: 'allow rw fsname=cephfs', osd: 'allow rw tag cephfs data=cephfs' },
}

export const LIBVIRT_KEYRING = '/etc/ceph/ceph.client.libvirt.keyring'

/** Also of the service that fills and reads images: libvirt does neither on RBD. */
export const libvirtKeyring = (pool: string): Keyring => ({
    ...{ entity: 'client.libvirt', path: LIBVIRT_KEYRING, mode: 0o640, owner: 'root:debvisor-rpc' },
    for: 'disks of VMs',
    caps: { mon: 'profile rbd', osd: `profile rbd pool=${pool}`, mgr: `profile rbd pool=${pool}` },
})
