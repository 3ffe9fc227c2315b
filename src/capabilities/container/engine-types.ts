// The parts of the Engine's JSON that are read here, as API 1.41 to 1.45 have them.

export interface EngineHostConfig {
    Binds?: string[] | null
    NetworkMode?: string
    PidMode?: string
    IpcMode?: string
    UTSMode?: string
    UsernsMode?: string
    Privileged?: boolean
    CapAdd?: string[] | null
    SecurityOpt?: string[] | null
    Devices?: { PathOnHost: string }[] | null
    DeviceRequests?: unknown[] | null
    DeviceCgroupRules?: string[] | null
    Mounts?: { Type: string; Source?: string; Target?: string; VolumeOptions?: { DriverConfig?: unknown } }[] | null
    VolumesFrom?: string[] | null
    RestartPolicy?: { Name?: string; MaximumRetryCount?: number }
    NanoCpus?: number
    Memory?: number
    PidsLimit?: number | null
    LogConfig?: { Type?: string }
    PortBindings?: Record<string, { HostIp?: string; HostPort?: string }[] | null> | null
}

export interface EngineContainer {
    Id: string
    Name: string
    Created: string
    Path: string
    Args: string[]
    Image: string
    RestartCount: number
    State: {
        Status: string
        ExitCode: number
        Error: string
        OOMKilled: boolean
        StartedAt: string
        FinishedAt: string
        Health?: { Status: string; Log?: { Output: string; ExitCode: number }[] | null }
    }
    Config: {
        Image: string
        Hostname: string
        User: string
        WorkingDir: string
        Tty: boolean
        Env: string[] | null
        Cmd: string[] | null
        Entrypoint: string[] | null
        Labels: Record<string, string> | null
        Healthcheck?: { Test?: string[] | null }
        StopTimeout?: number
    }
    HostConfig: EngineHostConfig
    Mounts: { Type: string; Name?: string; Source: string; Destination: string; RW: boolean; Driver?: string }[]
    NetworkSettings: {
        Ports: Record<string, { HostIp: string; HostPort: string }[] | null> | null
        Networks: Record<
            string,
            { IPAddress: string; GlobalIPv6Address: string; MacAddress: string; NetworkID: string }
        > | null
    }
}

export interface EngineVolume {
    Name: string
    Driver: string
    CreatedAt?: string
    Labels: Record<string, string> | null
    Options: Record<string, string> | null
}

export interface EngineImage {
    Id: string
    RepoTags: string[] | null
    RepoDigests: string[] | null
    Size: number
    Created: number
    Containers: number
}

export interface EngineNetwork {
    Id: string
    Name: string
    Driver: string
    Internal: boolean
    Created: string
    Labels: Record<string, string> | null
    Options?: Record<string, string> | null
    IPAM?: { Config?: { Subnet?: string }[] | null }
}

export interface EngineStats {
    read: string
    cpu_stats?: { cpu_usage?: { total_usage?: number } }
    memory_stats?: { usage?: number; limit?: number; stats?: Record<string, number> }
    networks?: Record<string, { rx_bytes: number; tx_bytes: number }>
    blkio_stats?: { io_service_bytes_recursive?: { op: string; value: number }[] | null }
    pids_stats?: { current?: number }
}

/** A line of progress of pull, push or load. */
export interface EngineProgress {
    id?: string
    status?: string
    progressDetail?: { current?: number; total?: number }
    stream?: string
    error?: string
    errorDetail?: { message?: string }
}
