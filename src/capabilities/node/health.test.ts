// Services that failed and file systems without room, from what systemctl and df print.
import { expect, it } from 'vitest'
import { parseFailed, parseRoom, roomFindings } from './health.ts'

it('reads the names of failed units', () => {
    const printed = [
        'named.service                loaded failed failed BIND Domain Name Server',
        'zfs-import@tank.service      loaded failed failed Import ZFS pool tank',
        '',
    ]
    expect(parseFailed(printed.join('\n'))).toEqual(['named.service', 'zfs-import@tank.service'])
    expect(parseFailed('')).toEqual([])
})

const DF = `Filesystem     Type        1B-blocks       Avail   Inodes    IFree Mounted on
/dev/vda       ext4      10000000000   300000000 16777216 16147768 /
/dev/vda       ext4      10000000000   300000000 16777216 16147768 /srv/of it
tmpfs          tmpfs      1000000000    50000000  3083631  3083517 /run
/dev/sdb1      xfs       10000000000  9000000000   100000     1000 /data
/dev/sr0       iso9660     700000000           0        -        - /media
tank/vm        zfs       10000000000   100000000     1000      900 /srv/vm
/dev/vdc1      vfat        500000000   400000000        -        - /boot/efi
`

it('looks at each file system once, at its space and its inodes, and leaves alone what is always full', () => {
    expect(parseRoom(DF)).toEqual([
        { source: '/dev/vda', target: '/', usedPercent: 97, of: 'space' },
        { source: 'tmpfs', target: '/run', usedPercent: 95, of: 'space' },
        { source: '/dev/sdb1', target: '/data', usedPercent: 99, of: 'inodes' },
        { source: '/dev/vdc1', target: '/boot/efi', usedPercent: 20, of: 'space' },
    ])
})

it('tells of those that are nearly full, and how badly', () => {
    expect(roomFindings(parseRoom(DF)).map(({ severity, at, summary }) => [severity, at, summary])).toEqual([
        ['error', 'filesystem:/', 'A file system is nearly full'],
        ['warning', 'filesystem:/run', 'A file system is nearly full'],
        ['error', 'filesystem:/data', 'A file system has no room for more files'],
    ])
})
