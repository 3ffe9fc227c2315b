// What reaches past a container into the node: told in the list, and asked for with a permission of its own.
import type { EngineContainer, EngineHostConfig, EngineVolume } from './engine-types.ts'

/** Of a container's settings, the same for one that is there and for one that is wanted; sorted, each once. */
export function marksOf(host: EngineHostConfig, mounts: Pick<EngineContainer, 'Mounts'>['Mounts'] = []): string[] {
    const marks = new Set<string>()
    const shares = (mode: string | undefined, mark: string) => mode === 'host' && marks.add(mark)
    if (host.Privileged) marks.add('privileged')
    shares(host.NetworkMode, 'host-network')
    shares(host.PidMode, 'host-pid')
    shares(host.IpcMode, 'host-ipc')
    shares(host.UTSMode, 'host-name')
    shares(host.UsernsMode, 'host-users')
    for (const capability of host.CapAdd ?? [])
        marks.add(`capability:${capability.replace(/^CAP_/i, '').toUpperCase()}`)
    // Docker says so of every privileged one by itself.
    for (const option of host.SecurityOpt ?? [])
        if (!host.Privileged && /unconfined|label[=:]disable|systempaths/.test(option)) marks.add('unconfined')
    for (const { PathOnHost } of host.Devices ?? []) marks.add(`device:${PathOnHost}`)
    if ((host.DeviceRequests?.length ?? 0) > 0 || (host.DeviceCgroupRules?.length ?? 0) > 0) marks.add('device')
    for (const bind of host.Binds ?? []) if (bind.startsWith('/')) marks.add(`host-path:${bind.split(':')[0]}`)
    for (const mount of host.Mounts ?? []) {
        if (mount.Type === 'bind') marks.add(`host-path:${mount.Source ?? ''}`)
        if (mount.VolumeOptions?.DriverConfig) marks.add('volume-options')
    }
    for (const { Type, Source } of mounts) if (Type === 'bind') marks.add(`host-path:${Source}`)
    // What another container sees, it sees too; which that is may change.
    if ((host.VolumesFrom?.length ?? 0) > 0) marks.add('volumes-of-others')
    return [...marks].sort()
}

/** Whether a volume is more than a folder of Docker's own: by its options it can be any path of the node. */
export const reachesHost = ({ Driver, Options }: Pick<EngineVolume, 'Driver' | 'Options'>): boolean =>
    Driver !== 'local' || Object.keys(Options ?? {}).some(key => key !== 'size')
