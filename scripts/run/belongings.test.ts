// Which domains and networks are DebVisor's to remove: what has all its disks here, what the audit record names.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { claimOn, networksMadeHere } from './belongings.ts'

const state = '/srv/a&b'
const disk = (source: string, device = 'disk') =>
    `<disk type='file' device='${device}'>${source}<target dev='x'/></disk>`
const here = disk("<source file='/srv/a&amp;b/images/web1.qcow2'/>")
const away = disk("<source file='/var/lib/libvirt/images/db.qcow2'/>")
const display = "<graphics type='vnc' socket='/srv/a&amp;b/vnc/web1.sock'/>"

it.each([
    ['all disks here', here, { ours: true, elsewhere: [] }],
    ['a disk elsewhere too', here + away, { ours: true, elsewhere: ['/var/lib/libvirt/images/db.qcow2'] }],
    [
        'an ISO elsewhere',
        here + disk("<source file='/usr/lib/ipxe/ipxe.iso'/>", 'cdrom'),
        { ours: true, elsewhere: [] },
    ],
    ['no disk, its display here', display, { ours: true, elsewhere: [] }],
    ['a disk in a pool here', disk("<source pool='default' volume='x'/>"), { ours: true, elsewhere: [] }],
    ['a disk in another pool', disk("<source pool='big' volume='x'/>"), { ours: false, elsewhere: ['x'] }],
    ['nothing here', away, { ours: false, elsewhere: ['/var/lib/libvirt/images/db.qcow2'] }],
    ['an empty drive', disk('', 'cdrom'), { ours: false, elsewhere: [] }],
])('%s', (_, devices, claim) => {
    expect(claimOn(`<domain><devices>${devices}</devices></domain>`, state, ['default'])).toEqual(claim)
})

it('takes networks for made here that a task was begun for, not those that were only planned', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dv-audit-'))
    try {
        mkdirSync(join(folder, 'audit'))
        const lines = [
            { number: 1, what: 'network.Create', onName: 'lab', result: 'intent', closes: 0, task: '' },
            { number: 2, what: 'network.Create', onName: 'lab', result: 'done', closes: 1, task: 't1' },
            { number: 3, what: 'network.Create', onName: 'planned', result: 'intent', closes: 0, task: '' },
            { number: 4, what: 'network.Create', onName: 'planned', result: 'done', closes: 3, task: '' },
            { number: 5, what: 'vm.Create', onName: 'web1', result: 'intent', closes: 0, task: '' },
            { number: 6, what: 'vm.Create', onName: 'web1', result: 'done', closes: 5, task: 't2' },
        ]
        const text = lines.map(line => JSON.stringify(line)).join('\n')
        writeFileSync(join(folder, 'audit/audit.jsonl'), `${text}\n{"number":7,"wh`)
        expect([...networksMadeHere(folder)]).toEqual(['lab'])
        expect([...networksMadeHere(join(folder, 'none'))]).toEqual([])
    } finally {
        rmSync(folder, { recursive: true })
    }
})
