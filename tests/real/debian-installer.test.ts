// What Debian's own installer is given: answers that debconf understands, and a udeb. Neither is installed by here: that
// takes a mirror and an hour. The questions are asked by this machine's debconf, of disks that are made up.
import { readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { root } from '../../scripts/stages.ts'
import { tool } from './world-cache.ts'

let folder = ''
beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dv-di-'))
    const script = '. "$top/scripts/iso/debian-installer.sh"; make_udeb "$1"'
    await tool(['env', `top=${root}`, 'version=1.2.3', 'bash', '-euc', script, 'bash', folder])
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const udeb = () => join(folder, 'debvisor-profile.udeb')

it('has answers that debconf understands, and none for a password', async () => {
    const file = join(root, 'iso/debian-installer/preseed.cfg')
    await tool(['debconf-set-selections', '--checkonly', file])
    expect(await readFile(file, 'utf8')).not.toMatch(/^d-i passwd\/\S*password/m)
})

it('has a udeb with an item of the menu before the disks are partitioned, and a last word at the end', async () => {
    const field = async (name: string) => (await tool(['dpkg-deb', '--field', udeb(), name])).trim()
    expect(await field('Package')).toBe('debvisor-profile')
    expect(await field('Version')).toBe('1.2.3')
    expect(await field('Package-Type')).toBe('udeb')
    // partman-base has 4200, user-setup asks later.
    expect(Number(await field('Installer-Menu-Item'))).toBeLessThan(4200)
    expect(await tool(['dpkg-deb', '--contents', udeb()])).toMatch(
        /-rwxr-xr-x root\/root .* \.\/usr\/lib\/finish-install\.d\/15debvisor/,
    )
    for (const name of ['postinst', 'finish-install'])
        await tool(['dash', '-n', join(root, 'iso/debian-installer/udeb', name)])
})

/** Asks its questions, answered so; what it leaves of the answers. The one disk is this machine's own. */
async function asked(name: string, answers: Record<string, [type: string, value: string]>): Promise<string> {
    const at = (file: string) => join(folder, name, file)
    await mkdir(at('bin'), { recursive: true })
    await writeFile(at('bin/list-devices'), `#!/bin/sh\necho ${disk}\n`)
    await chmod(at('bin/list-devices'), 0o755)
    const database = (kind: string) => `Name: ${kind}db\nDriver: File\nMode: 644\nFilename: ${at(kind)}.dat\n`
    await writeFile(
        at('rc'),
        `Config: configdb\nTemplates: templatesdb\n\n${database('config')}\n${database('templates')}`,
    )
    const lines = Object.entries(answers).map(([key, [type, value]]) => `p debvisor/${key} ${type} ${value}\n`)
    await writeFile(at('answers'), lines.join(''))
    const env = ['env', `DEBCONF_SYSTEMRC=${at('rc')}`, `PATH=${at('bin')}:${process.env.PATH}`]
    const load =
        'use Debconf::Db; use Debconf::Template; Debconf::Db->load; Debconf::Template->load($ARGV[0], "p"); Debconf::Db->save'
    const from = join(root, 'iso/debian-installer/udeb')
    await tool([...env, 'perl', '-e', load, join(from, 'templates')])
    await tool([...env, 'debconf-set-selections', at('answers')])
    await tool([...env, `DEBVISOR_PROFILE_STATE=${at('state')}`, 'debconf', '-op', join(from, 'postinst')])
    return readFile(at('state/profile'), 'utf8').catch(() => '')
}

const [disk = ''] = readdirSync('/sys/block')
    .filter(name => /^(vd|sd|nvme)/.test(name))
    .map(name => `/dev/${name}`)
const labelled = `${disk.slice(5)} (${Math.floor(Number(readFileSync(`/sys/block/${disk.slice(5)}/size`, 'utf8')) / 2097152)} GiB\\, holds data)`

it.each([
    [
        'takes a disk that holds data when that was agreed to',
        'zfs',
        'true',
        /^PROFILE=zfs\nZFS_DISKS="(\S+)"\nDESTROY="\1"\n$/,
    ],
    ['leaves it out when not', 'zfs', 'false', /^PROFILE=zfs\nZFS_DISKS=""\n$/],
    ['asks for both storages', 'mixed', 'false', /^PROFILE=mixed\nZFS_DISKS=""\nCEPH_DISKS=""\n$/],
    ['leaves nothing when it was left for later', 'none', 'true', /^$/],
] as const)('%s', async (name, profile, consent, left) => {
    const said = await asked(name.replaceAll(' ', '-'), {
        profile: ['select', profile],
        zfs_disks: ['multiselect', labelled],
        consent: ['boolean', consent],
    })
    expect(said).toMatch(left)
})
