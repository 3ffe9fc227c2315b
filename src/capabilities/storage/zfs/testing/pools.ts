// Pools in the words of `zpool status -jpP`, from a short notation, for tests.

const GIB = 1024 ** 3

/** `A`, `A FAULTED`, or a part with its children: `mirror-0: A, B OFFLINE`; a part within a part stands in brackets. */
type Part = string | { [name: string]: Part[] }

export interface PoolWords {
    state?: string
    parts: Part[]
    spares?: string[]
    /** Percent done of a resilver that runs. */
    resilver?: number
    /** Bytes that a disk must offer. */
    leastBytes?: number
}

/** The guid that stands for a disk or part, always the same for a name. */
export const guidOf = (name: string): string =>
    [...name]
        .reduce((sum, letter) => (sum * 131n + BigInt(letter.charCodeAt(0))) % 2n ** 63n, 2n ** 60n + 12345n)
        .toString()

const TYPES: Record<string, string> = { mirror: 'mirror', raidz: 'raidz', replacing: 'replacing', spare: 'spare' }

export function statusOf(pools: Record<string, PoolWords>): string {
    const entries = Object.entries(pools).map(([name, words]) => {
        const { state = 'ONLINE', parts, spares = [], resilver, leastBytes = 10 * GIB } = words
        const counts = { read_errors: '0', write_errors: '0', checksum_errors: '0' }
        const leaf = (text: string) => {
            const [disk = '', told = 'ONLINE'] = text.split(' ')
            // One that is gone has its number for a name, and no path but the one it had.
            const gone = told === 'UNAVAIL'
            const path = `/dev/disk/by-id/${disk}-part1`
            const called = gone ? guidOf(disk) : path
            const where = gone ? { path, not_present: '1', was: path } : { path }
            const had = { rep_dev_size: String(leastBytes), phys_space: String(12 * GIB) }
            return [
                called,
                {
                    name: called,
                    vdev_type: 'disk',
                    guid: guidOf(disk),
                    ...where,
                    class: 'normal',
                    state: gone ? 'CANT_OPEN' : told,
                    ...had,
                    ...counts,
                },
            ] as const
        }
        const part = (one: Part): (readonly [string, object])[] =>
            typeof one === 'string'
                ? [leaf(one)]
                : Object.entries(one).map(([word, children]) => {
                      const [called = '', told = 'ONLINE'] = word.split(' ')
                      const type = TYPES[called.replace(/\d*-\d+$/, '')] ?? called
                      const vdevs = Object.fromEntries(children.flatMap(part))
                      return [
                          called,
                          {
                              name: called,
                              vdev_type: type,
                              guid: guidOf(name + called),
                              class: 'normal',
                              state: told,
                              ...counts,
                              vdevs,
                          },
                      ] as const
                  })
        const root = {
            name,
            vdev_type: 'root',
            guid: guidOf(name),
            class: 'normal',
            state,
            ...counts,
            vdevs: Object.fromEntries(parts.flatMap(part)),
        }
        const scan =
            resilver === undefined
                ? {}
                : {
                      scan_stats: {
                          function: 'RESILVER',
                          state: 'SCANNING',
                          to_examine: String(4 * GIB),
                          examined: String(4 * GIB),
                          skipped: '0',
                          issued: String(Math.round((4 * GIB * resilver) / 100)),
                          errors: '0',
                      },
                  }
        const kept = spares.length > 0 ? { spares: Object.fromEntries(spares.map(leaf)) } : {}
        return [
            name,
            {
                name,
                state,
                pool_guid: guidOf(`pool ${name}`),
                txg: '4711',
                spa_version: '5000',
                zpl_version: '5',
                ...scan,
                vdevs: { [name]: root },
                ...kept,
                error_count: '0',
            },
        ]
    })
    return JSON.stringify({
        output_version: { command: 'zpool status', vers_major: 0, vers_minor: 1 },
        pools: Object.fromEntries(entries),
    })
}
