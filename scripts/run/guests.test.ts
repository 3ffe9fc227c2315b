// The units that shut guests down with the machine: systemd can read them, and what they need is stopped after them.
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { root } from '../stages.ts'
import { guestsCommand } from './guests.ts'
import { wrapped } from './supervise.ts'

const packaged = join(root, 'deploy/systemd/debvisor-guests.service')
const noSystemd = existsSync('/usr/bin/systemd-analyze') ? '' : 'systemd is not installed'
const properties = () =>
    guestsCommand('/state')
        .filter(word => word.startsWith('--property='))
        .map(word => word.slice('--property='.length))

it.for(['packaged', 'transient'])('systemd finds nothing to say about the %s unit', (kind, { skip }) => {
    if (noSystemd) skip(noSystemd)
    const folder = mkdtempSync(join(tmpdir(), 'dv-unit-'))
    try {
        const path = join(folder, 'debvisor-guests.service')
        if (kind === 'packaged') copyFileSync(packaged, path)
        else {
            const of = (section: boolean) => properties().filter(line => /^(Requires|After)=/.test(line) === section)
            const lines = ['[Unit]', ...of(true), '[Service]', 'Type=oneshot', 'ExecStart=/bin/true', ...of(false)]
            writeFileSync(path, `${lines.join('\n')}\n`)
        }
        // Only what it says of this file: the units that it names may not be installed here.
        const said = spawnSync('systemd-analyze', ['verify', '--recursive-errors=no', '--man=no', path])
        expect(`${said.stdout}${said.stderr}`.split('\n').filter(line => line.includes('debvisor-guests'))).toEqual([])
    } finally {
        rmSync(folder, { recursive: true })
    }
})

it('both stop before what they need', () => {
    const packagedAfter = readFileSync(packaged, 'utf8')
        .match(/^After=.*$/gm)!
        .join(' ')
    const ownAfter = properties().find(line => line.startsWith('After='))!
    for (const unit of ['virt-guest-shutdown.target', 'libvirt-guests.service', 'libvirtd.service', 'remote-fs.target'])
        for (const after of [packagedAfter, ownAfter]) expect(after).toContain(unit)
    expect(packagedAfter).toContain('debvisor-rpcd.service')
    // A unit that another one names is not collected when it has ended, and could not be started again.
    expect(ownAfter).not.toContain('debvisor-dev-')
    expect(wrapped({ unit: 'debvisor-dev-rpcd', argv: ['rpcd'] })).toContain(
        '--property=Before=debvisor-dev-guests.service',
    )
})

it('leaves guests alone while the machine stays up', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dv-unit-'))
    try {
        const stop = properties().find(line => line.startsWith('ExecStop='))!
        // As systemd would run it: words without their quotes, `$$` for a dollar.
        const words = [...stop.slice('ExecStop='.length).matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word]) =>
            word!.replace(/\\(.)/g, '$1').replaceAll('$$', '$'),
        )
        const [shell, flag, script] = words
        const tell = (state: string) => {
            writeFileSync(join(folder, 'systemctl'), `#!/bin/sh\necho ${state}\n`, { mode: 0o755 })
            const env = { ...process.env, PATH: `${folder}:/usr/bin:/bin` }
            return execFileSync(shell!, [flag!, script!, '/bin/echo', 'debvisor'], { env }).toString().trim()
        }
        expect(tell('running')).toBe('')
        expect(tell('degraded')).toBe('')
        expect(tell('stopping')).toBe('--enable-source-maps debvisor vm shutdown all --deadline 120 --force --yes')
    } finally {
        rmSync(folder, { recursive: true })
    }
})
