// What is wrong with the machine itself: services that failed, file systems without room.
import type { Finding } from '../../base/finding.ts'
import { LOOK_MS } from '../../base/look.ts'
import type { HealthCheck } from '../../engine/health.ts'

const FAILED = ['/usr/bin/systemctl', 'list-units', '--state=failed', '--plain', '--no-legend', '--full'] as const
const COLUMNS = 'source,fstype,size,avail,itotal,iavail,target'
/** File systems of this machine alone: one of a server that is away would be waited for. */
const ROOM = ['/usr/bin/df', '-B1', '--local', `--output=${COLUMNS}`] as const
/** Always full, or of no disk. ZFS speaks for itself. */
const NO_ROOM = /^(squashfs|iso9660|udf|overlay|devtmpfs|efivarfs|ramfs|zfs)$/
const LOW_PERCENT = 90
const FULL_PERCENT = 97

/** Names of the units, a line each. */
export const parseFailed = (stdout: string): string[] =>
    stdout
        .split('\n')
        .map(line => line.trim().split(/\s+/)[0] ?? '')
        .filter(Boolean)

export interface Room {
    source: string
    target: string
    /** Of space or of inodes, whichever is more. */
    usedPercent: number
    of: 'space' | 'inodes'
}

/** A file system once, however often it is mounted: at its shortest path. */
export function parseRoom(stdout: string): Room[] {
    const bySource = new Map<string, Room>()
    for (const line of stdout.split('\n').slice(1)) {
        const [, source = '', type = '', size, avail, inodes, freeInodes, target = ''] =
            /^(\S+) +(\S+) +(\S+) +(\S+) +(\S+) +(\S+) +(.+)$/.exec(line) ?? []
        if (!target || NO_ROOM.test(type)) continue
        const space = usedOf(size, avail)
        const files = usedOf(inodes, freeInodes)
        const room: Room = {
            source,
            target,
            usedPercent: Math.max(space, files),
            of: files > space ? 'inodes' : 'space',
        }
        const key = source.startsWith('/') ? source : target
        const before = bySource.get(key)
        if (!before || target.length < before.target.length) bySource.set(key, room)
    }
    return [...bySource.values()]
}

/** Percent; 0 where nothing is known ('-'). */
function usedOf(total?: string, free?: string): number {
    const [all, left] = [Number(total), Number(free)]
    return all > 0 && Number.isFinite(left) ? Math.round((1 - left / all) * 100) : 0
}

export function roomFindings(rooms: readonly Room[]): Finding[] {
    return rooms
        .filter(({ usedPercent }) => usedPercent >= LOW_PERCENT)
        .map(({ target, usedPercent, of }) => ({
            ...{
                severity: usedPercent >= FULL_PERCENT ? 'error' : 'warning',
                code: 'full',
                at: `filesystem:${target}`,
            },
            summary: of === 'inodes' ? 'A file system has no room for more files' : 'A file system is nearly full',
            detail: `${target}: ${usedPercent}% of its ${of} used`,
            fix: `See what is large: du -xh --max-depth=2 ${target} | sort -h | tail. Delete, or give it more room.`,
        }))
}

const failed = (unit: string): Finding => ({
    ...{ severity: 'warning', code: 'unit-failed', at: `unit:${unit}` },
    ...{ summary: 'A service has failed', detail: unit },
    fix: `See why: journalctl -u ${unit}. When it is mended: systemctl restart ${unit}`,
})

export const nodeHealth: HealthCheck = {
    name: 'node',
    async look(machine) {
        const [units, room] = await Promise.all([
            machine.query({ argv: FAILED, deadlineMs: LOOK_MS }),
            machine.query({ argv: ROOM, deadlineMs: LOOK_MS, env: { LC_ALL: 'C' } }),
        ])
        return [...parseFailed(units.stdout).map(failed), ...roomFindings(parseRoom(room.stdout))]
    },
}
