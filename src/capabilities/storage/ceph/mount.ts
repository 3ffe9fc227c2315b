// CephFS at its folder: a mount that comes after a unit which waits for the metadata server, also at every boot.
import type { FileWant } from '../../../engine/basics.ts'
import { mountUnit } from '../mount-unit.ts'
import { HEALTH } from './keys.ts'

export const READY_UNIT = 'debvisor-cephfs-ready.service'
const READY = '/usr/local/lib/debvisor/cephfs-ready'
const MARK = '# Written by DebVisor from /etc/debvisor/node.yaml: a change made here is overwritten.'

export function mountFiles(mountAt: string): FileWant[] {
    const text = (...lines: string[]) => `${[MARK, ...lines].join('\n')}\n`
    const script = [
        '#!/bin/sh',
        MARK,
        '# mount.ceph does not try again: it fails at once while no metadata server is active.',
        `until timeout 30 ceph --name ${HEALTH.entity} --connect-timeout 20 mds stat 2>/dev/null | grep -q up:active; do`,
        '    sleep 2',
        'done',
    ]
    return [
        { path: READY, content: `${script.join('\n')}\n`, mode: 0o755, for: 'the wait for the metadata server' },
        {
            path: `/etc/systemd/system/${READY_UNIT}`,
            content: text(
                ...['[Unit]', 'Description=Wait for an active metadata server of CephFS'],
                ...['Wants=network-online.target', 'After=network-online.target ceph.target ceph-mon.target'],
                ...['After=ceph-osd.target ceph-mds.target', '', '[Service]', 'Type=oneshot', 'RemainAfterExit=yes'],
                ...[`ExecStart=${READY}`, 'TimeoutStartSec=600', 'User=ceph', 'Group=ceph', 'NoNewPrivileges=yes'],
                ...['ProtectSystem=strict', 'ProtectHome=yes', 'PrivateTmp=yes', 'PrivateDevices=yes'],
            ),
            for: 'the wait for the metadata server',
        },
        {
            path: `/etc/systemd/system/${mountUnit(mountAt)}`,
            content: text(
                ...['[Unit]', `Description=CephFS at ${mountAt}`, `Requires=${READY_UNIT}`, `After=${READY_UNIT}`],
                // Stopped before the daemons that it needs are.
                'After=ceph-mon.target ceph-osd.target ceph-mds.target',
                ...['', '[Mount]', 'What=cephfs@.cephfs=/', `Where=${mountAt}`, 'Type=ceph'],
                ...['Options=noatime,_netdev,nofail', 'TimeoutSec=120', '', '[Install]'],
                'WantedBy=remote-fs.target',
            ),
            for: `CephFS at ${mountAt}`,
        },
    ]
}
