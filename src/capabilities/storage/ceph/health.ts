// The health of the cluster: as findings of a plan, and every hour in the journal.
import type { Finding } from '../../../base/finding.ts'
import { LOOK_MS } from '../../../base/look.ts'
import type { Basics } from '../../../engine/basics.ts'
import type { HealthCheck } from '../../../engine/health.ts'
import { parseStatus, type Status } from './ceph.ts'
import { HEALTH } from './keys.ts'

const MARK = '# Written by DebVisor from /etc/debvisor/node.yaml: a change made here is overwritten.'
const SCRIPT = '/usr/local/lib/debvisor/ceph-health'
const UNIT = '/etc/systemd/system/ceph-health'

/** What people ask about most, in our words; the rest is told with Ceph's. (ceph.com: Health checks) */
const SUMMARIES: Readonly<Record<string, string>> = {
    MON_DOWN: 'A monitor of the cluster is down',
    MON_DISK_LOW: 'The disk of a monitor is nearly full',
    MON_DISK_CRIT: 'The disk of a monitor is full',
    MGR_DOWN: 'No manager of the cluster runs',
    MGR_MODULE_ERROR: 'A module of the manager has failed',
    OSD_DOWN: 'An OSD is down',
    OSD_HOST_DOWN: 'All OSDs of a host are down',
    OSD_NEARFULL: 'An OSD is nearly full',
    OSD_BACKFILLFULL: 'An OSD is too full to take over data of others',
    OSD_FULL: 'An OSD is full: nothing can be written',
    POOL_NEARFULL: 'A pool is nearly full',
    POOL_FULL: 'A pool is full: nothing can be written',
    PG_AVAILABILITY: 'Some data cannot be read or written now',
    PG_DEGRADED: 'Some data has fewer copies than it should',
    PG_DAMAGED: 'Some data is damaged',
    OSD_SCRUB_ERRORS: 'A check of the data has found errors',
    MDS_ALL_DOWN: 'No metadata server of CephFS runs',
    FS_DEGRADED: 'CephFS is degraded',
    DEVICE_HEALTH: 'A disk is expected to fail',
    RECENT_CRASH: 'A daemon of Ceph has crashed',
}

/** Warnings, also of HEALTH_ERR: no step of a plan mends them, so that a plan stays empty. */
export const healthFindings = ({ checks }: Status): Finding[] =>
    checks.map(({ name, message }) => ({
        ...{ severity: 'warning', code: `ceph-${name.toLowerCase().replaceAll('_', '-')}`, at: 'storage.ceph' },
        summary: SUMMARIES[name] ?? 'Ceph reports that something is not as it should be',
        detail: `${name}: ${message}`,
        fix: 'Look at it: ceph health detail',
    }))

const away: Finding = {
    ...{ severity: 'error', code: 'ceph-away', at: 'ceph:cluster', summary: 'The Ceph cluster does not answer' },
    fix: 'See its services: systemctl list-units "ceph*"',
}

/** What the cluster says of itself, where this machine has one. */
export const cephHealth: HealthCheck = {
    name: 'storage.ceph',
    async look(machine) {
        if (!(await machine.look(HEALTH.path))) return []
        const ask = ['/usr/bin/ceph', '--name', HEALTH.entity, '--connect-timeout', '25', '--format', 'json', 'status']
        const { stdout } = await machine.query({ argv: ask as [string, ...string[]], deadlineMs: LOOK_MS })
        const status = parseStatus(stdout)
        if (!status) return [away]
        const grave = new Set(status.checks.filter(({ severity }) => severity === 'HEALTH_ERR').map(({ name }) => name))
        return healthFindings(status).map((finding, i) => ({
            ...finding,
            ...{ severity: grave.has(status.checks[i]!.name) ? 'error' : finding.severity, at: 'ceph:cluster' },
        }))
    },
}

/** Every hour; in the journal with the level that fits, and failed when the cluster is in error or does not answer. */
export function healthBasics(): Basics {
    const script = [
        '#!/bin/sh',
        MARK,
        '# Three tries within a minute, each of at most 30 seconds. A number in brackets is the level (sd-daemon(3)).',
        'tell() { printf "%s\\n" "$2" | while IFS= read -r line; do echo "<$1>$line"; done; }',
        'try=1; began=$(date +%s)',
        `until said=$(timeout 30 ceph --name ${HEALTH.entity} --connect-timeout 25 health detail 2>&1); do`,
        '    tell 4 "try $try: $said"',
        '    try=$((try + 1))',
        '    if [ $try -gt 3 ] || [ $(($(date +%s) - began)) -ge 60 ]; then',
        '        tell 3 "The cluster does not answer"',
        '        exit 1',
        '    fi',
        '    sleep 5',
        'done',
        'case $said in',
        '    HEALTH_OK*) tell 6 "$said" ;;',
        '    HEALTH_WARN*) tell 4 "$said" ;;',
        '    *) tell 3 "$said"; exit 1 ;;',
        'esac',
    ]
    const service = [
        ...['[Unit]', 'Description=Look at the health of the Ceph cluster', 'After=network-online.target ceph.target'],
        ...[`ConditionPathExists=${HEALTH.path}`, '', '[Service]', 'Type=oneshot', `ExecStart=${SCRIPT}`],
        ...['TimeoutStartSec=120', 'User=ceph', 'Group=ceph', 'SyslogIdentifier=ceph-health', 'UMask=0077'],
        ...['NoNewPrivileges=yes', 'CapabilityBoundingSet=', 'ProtectSystem=strict', 'ProtectHome=yes'],
        ...['PrivateTmp=yes', 'PrivateDevices=yes', 'ProtectClock=yes', 'ProtectHostname=yes', 'ProtectKernelLogs=yes'],
        ...['ProtectKernelModules=yes', 'ProtectKernelTunables=yes', 'ProtectControlGroups=yes', 'LockPersonality=yes'],
        ...['RestrictRealtime=yes', 'RestrictSUIDSGID=yes', 'RestrictNamespaces=yes'],
        ...['RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX', 'SystemCallArchitectures=native'],
        ...['SystemCallFilter=@system-service', 'MemoryMax=512M'],
    ]
    const timer = [
        ...['[Unit]', 'Description=Look at the health of the Ceph cluster every hour', '', '[Timer]'],
        ...['OnCalendar=hourly', 'RandomizedDelaySec=5min', '', '[Install]'],
        'WantedBy=timers.target',
    ]
    const text = (lines: readonly string[]) => `${[MARK, ...lines].join('\n')}\n`
    return {
        files: [
            { path: SCRIPT, content: `${script.join('\n')}\n`, mode: 0o755, for: 'the look at the health of Ceph' },
            { path: `${UNIT}.service`, content: text(service), for: 'the look at the health of Ceph' },
            { path: `${UNIT}.timer`, content: text(timer), for: 'when the health of Ceph is looked at' },
        ],
        units: [{ unit: 'ceph-health.timer', enabled: true, active: true, reads: [`${UNIT}.timer`] }],
    }
}
