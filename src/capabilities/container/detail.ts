// One container with its settings; values of its environment only for who may run commands in it anyway.
import { create } from '@bufbuild/protobuf'
import { type Container, type Detail, DetailSchema } from '../../gen/proto/capabilities/container/container_pb.js'
import type { EngineContainer } from './engine-types.ts'

const HIDDEN = '[hidden]'
const HEALTH_LINES = 3
const HEALTH_CHARACTERS = 500

export function detailOf(line: Container, seen: EngineContainer, shown: boolean): Detail {
    const { Config: config } = seen
    const variables = (config.Env ?? []).map(text => {
        const [name = '', ...value] = text.split('=')
        return { name, value: shown ? value.join('=') : '', hidden: !shown }
    })
    const masked = {
        ...seen,
        Config: { ...config, Env: shown ? config.Env : variables.map(({ name }) => `${name}=${HIDDEN}`) },
    }
    return create(DetailSchema, {
        container: line,
        entrypoint: config.Entrypoint ?? [],
        command: config.Cmd ?? [],
        environment: variables,
        labels: config.Labels ?? {},
        mounts: seen.Mounts.map(({ Type, Name, Source, Destination, RW }) => ({
            ...{ type: Type, source: Type === 'volume' ? (Name ?? '') : Source, target: Destination, readOnly: !RW },
        })),
        addresses: Object.entries(seen.NetworkSettings.Networks ?? {}).map(([network, one]) => ({
            ...{ network, ipv4: one.IPAddress, ipv6: one.GlobalIPv6Address, mac: one.MacAddress },
        })),
        ...{ hostname: config.Hostname, user: config.User, workFolder: config.WorkingDir, terminal: config.Tty },
        logDriver: seen.HostConfig.LogConfig?.Type ?? '',
        healthCommand: config.Healthcheck?.Test ?? [],
        healthLog: (seen.State.Health?.Log ?? [])
            .slice(-HEALTH_LINES)
            .map(({ Output }) => Output.trim().slice(0, HEALTH_CHARACTERS)),
        inspect: JSON.stringify(masked, null, 2),
    })
}
