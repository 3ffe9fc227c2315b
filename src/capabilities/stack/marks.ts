// What a stack reaches past its containers into the node, and what of its file is refused once variables are put in. Pure.
import type { Finding } from '../../base/finding.ts'
import type { Model, ModelService } from './model.ts'

/** The part of Docker's settings of a container by which one sees how far it reaches. */
export interface HostReach {
    Privileged?: boolean
    NetworkMode?: string
    PidMode?: string
    IpcMode?: string
    UTSMode?: string
    UsernsMode?: string
    CapAdd?: string[]
    SecurityOpt?: string[]
    Devices?: { PathOnHost: string }[]
    DeviceRequests?: unknown[]
    DeviceCgroupRules?: string[]
    Binds?: string[]
}

const reachOf = (service: ModelService): HostReach => ({
    ...{ Privileged: service.privileged, NetworkMode: service.network_mode, PidMode: service.pid },
    ...{ IpcMode: service.ipc, UTSMode: service.uts, UsernsMode: service.userns_mode, CapAdd: service.cap_add },
    ...{ SecurityOpt: service.security_opt, DeviceCgroupRules: service.device_cgroup_rules },
    Devices: service.devices?.map(device => ({
        PathOnHost: typeof device === 'string' ? device.split(':')[0]! : (device.source ?? ''),
    })),
    DeviceRequests: service.deploy?.resources?.reservations?.devices,
    Binds: service.volumes?.filter(({ type }) => type === 'bind').map(({ source, target }) => `${source}:${target}`),
})

const LOG_DRIVERS = new Set(['json-file', 'local', 'journald', 'none'])

/** `marksOf` is the rule for single containers. */
export function serviceMarks(service: ModelService, marksOf: (host: HostReach) => string[]): string[] {
    const marks = new Set(marksOf(reachOf(service)))
    for (const mode of [service.network_mode, service.pid, service.ipc])
        if (mode?.startsWith('container:')) marks.add(`other-container:${mode.slice('container:'.length)}`)
    if (service.cgroup === 'host') marks.add('host-cgroup')
    if (service.cgroup_parent) marks.add(`cgroup:${service.cgroup_parent}`)
    if (service.runtime && service.runtime !== 'runc') marks.add(`runtime:${service.runtime}`)
    const driver = service.logging?.driver
    if (driver && !LOG_DRIVERS.has(driver)) marks.add(`log-driver:${driver}`)
    return [...marks].sort()
}

/** Of its networks and volumes. */
export function thingMarks(model: Model): string[] {
    const marks = new Set<string>()
    for (const [key, network] of Object.entries(model.networks ?? {})) {
        if (!network || network.external) continue
        if (network.driver && network.driver !== 'bridge') marks.add(`network-driver:${network.driver}`)
        if (Object.keys(network.driver_opts ?? {}).length > 0) marks.add(`network-options:${key}`)
    }
    for (const [key, volume] of Object.entries(model.volumes ?? {})) {
        if (!volume || volume.external) continue
        if (volume.driver && volume.driver !== 'local') marks.add(`volume-driver:${volume.driver}`)
        if (Object.keys(volume.driver_opts ?? {}).length > 0) marks.add(`volume-options:${key}`)
    }
    return [...marks].sort()
}

/** Labels that tell Compose and us whose a container is. */
const RESERVED = /^(com\.docker\.compose\.|debvisor\.(?!tags$))/

/** What no right allows. `folder` is where relative paths begin, unless the file has a folder of its own. */
export function refusedIn(model: Model, folder: string | undefined): Finding[] {
    const findings: Finding[] = []
    const refuse = (at: string, summary: string, words: { detail: string; fix: string }) =>
        findings.push({ severity: 'error', code: 'refused', at, summary, ...words })
    for (const [name, service] of Object.entries(model.services)) {
        const at = `services.${name}`
        ;(service.volumes ?? []).forEach(({ type, source = '', target }, i) => {
            if (folder !== undefined && type === 'bind' && (source === folder || source.startsWith(`${folder}/`)))
                refuse(`${at}.volumes[${i}]`, 'A stack has no folder of its own for relative paths', {
                    detail: target,
                    fix: 'Use a volume with a name, configs with content, or an absolute path of the node.',
                })
            if (!['bind', 'volume', 'tmpfs'].includes(type))
                refuse(`${at}.volumes[${i}]`, 'That kind of mount is not taken', {
                    detail: type,
                    fix: 'Use volume, bind or tmpfs.',
                })
        })
        for (const option of service.security_opt ?? [])
            if (/^seccomp[:=](?!unconfined$)/.test(option))
                refuse(`${at}.security_opt`, 'A profile in a file of the node is not taken', {
                    detail: option.slice(0, 100),
                    fix: 'Leave it out: Docker has a profile of its own.',
                })
        for (const label of Object.keys(service.labels ?? {}))
            if (RESERVED.test(label))
                refuse(`${at}.labels`, 'That label is one of Compose or DebVisor itself', {
                    detail: label.slice(0, 100),
                    fix: 'Leave it out.',
                })
    }
    return findings
}
