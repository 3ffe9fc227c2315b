// smartctl: what it is asked, and what its JSON says of a disk's health. (smartctl(8); ATA and NVMe name things differently)

/** Asks a disk that sleeps nothing, so that it goes on sleeping. */
export const smartArgv = (path: string): [string, ...string[]] => [
    ...(['/usr/sbin/smartctl', '-j', '-H', '-A', '-n', 'standby,0', path] as const),
]

export interface Smart {
    /** The disk's own verdict; undefined where it gives none, as virtual disks. */
    passed?: boolean
    /** What it has counted that a good disk has none of, in words: '3 sectors moved'. */
    signs: string[]
    temperatureCelsius?: number
    powerOnHours?: number
    /** Of the life that its maker expects; flash only. */
    wornPercent?: number
}

interface Json {
    temperature?: { current?: number }
    power_on_time?: { hours?: number }
    smart_status?: { passed?: boolean }
    ata_smart_attributes?: { table?: { id: number; raw?: { value?: number } }[] }
    nvme_smart_health_information_log?: Partial<Record<string, number>>
}

const ATTRIBUTES: Record<number, string> = {
    5: 'sectors moved to spare ones',
    197: 'sectors that cannot be read',
    198: 'sectors that could not be mended',
}
/** NVMe: 100 means that the maker's expected wear is reached. */
const WORN_PERCENT = 100

/** Nothing for what is no JSON: a disk without SMART, or one that sleeps. */
export function parseSmart(stdout: string): Smart {
    const json = read(stdout)
    const signs: string[] = []
    for (const { id, raw } of json.ata_smart_attributes?.table ?? []) {
        const count = raw?.value ?? 0
        if (ATTRIBUTES[id] && count > 0) signs.push(`${count} ${ATTRIBUTES[id]}`)
    }
    const log = json.nvme_smart_health_information_log ?? {}
    const { media_errors = 0, percentage_used = 0, available_spare, available_spare_threshold = 0 } = log
    if (media_errors > 0) signs.push(`${media_errors} media errors`)
    if (percentage_used >= WORN_PERCENT) signs.push(`worn out: ${percentage_used}% of its expected life`)
    if (available_spare !== undefined && available_spare <= available_spare_threshold)
        signs.push(`${available_spare}% of its spare blocks left`)
    return {
        passed: json.smart_status?.passed,
        signs,
        temperatureCelsius: json.temperature?.current,
        powerOnHours: json.power_on_time?.hours,
        wornPercent: json.nvme_smart_health_information_log?.percentage_used,
    }
}

function read(text: string): Json {
    try {
        return JSON.parse(text) as Json
    } catch {
        return {}
    }
}
