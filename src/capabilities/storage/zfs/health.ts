// What is wrong with ZFS pools: a disk that is gone, errors that were counted, no room.
import type { Finding } from '../../../base/finding.ts'
import { LOOK_MS } from '../../../base/look.ts'
import type { HealthCheck } from '../../../engine/health.ts'
import { listPools, type Pool, parsePools, parseTrouble, showTrouble } from './zpool.ts'

const FULL_PERCENT = 85

export function poolFindings({ name, health, fullPercent }: Pool): Finding[] {
    const findings: Finding[] = []
    const at = `pool:${name}`
    if (health !== 'ONLINE') {
        findings.push({
            ...{ severity: health === 'DEGRADED' ? 'warning' : 'error', code: 'pool-health', at },
            ...{ summary: 'A pool is not whole', detail: `${name} is ${health}` },
            fix: 'See which disk: debvisor storage status. Put another in its place: debvisor storage replace OLD NEW',
        })
    }
    if (fullPercent >= FULL_PERCENT) {
        findings.push({
            ...{ severity: 'warning', code: 'pool-full', at },
            ...{ summary: 'A pool is nearly full', detail: `${name}: ${fullPercent}%` },
            fix: 'Delete what is not needed, or add disks. ZFS becomes slow when it is full.',
        })
    }
    return findings
}

const counted = (name: string): Finding => ({
    ...{ severity: 'warning', code: 'pool-errors', at: `pool:${name}` },
    ...{ summary: 'ZFS has found errors on a pool that works', detail: name },
    fix: `See which disk and which files: zpool status -v ${name}. When it is mended: zpool clear ${name}`,
})

export const zfsHealth: HealthCheck = {
    name: 'storage.zfs',
    async look(machine) {
        if (!(await machine.look(listPools[0]))) return []
        const listed = await machine.query({ argv: listPools, deadlineMs: LOOK_MS })
        // Without the module there is no pool either.
        if (listed.exitCode !== 0) return []
        const pools = parsePools(listed.stdout)
        const { stdout } = await machine.query({ argv: showTrouble, deadlineMs: LOOK_MS })
        const troubled = parseTrouble(stdout)
        return pools.flatMap(pool => [
            ...poolFindings(pool),
            ...(pool.health === 'ONLINE' && troubled.includes(pool.name) ? [counted(pool.name)] : []),
        ])
    },
}
