// The first boot on a node in memory: what it tells, when it takes itself out of the boot, and how one goes on.
import { expect, it } from 'vitest'
import { z } from 'zod'
import { asFault, Fault } from '../../base/fault.ts'
import { kitOf } from '../../engine/kit.ts'
import { createProvision, DOCUMENT } from '../../engine/provision.ts'
import { type Resource, resource } from '../../engine/resource.ts'
import { type NodeOptions, simulatedNode } from '../../engine/testing/node.ts'
import { fakeClock, fakeSystem } from '../../ports/fake.ts'
import { consolesOf, firstBoot, howToGoOn, UNIT } from './firstboot.ts'
import { PROFILE_FILE } from './profile-file.ts'

const schema = z.strictObject({
    profile: z.enum(['zfs', 'ceph']),
    web: z.boolean().default(true),
    disk: z.string().optional(),
})
type Doc = z.infer<typeof schema>
const web = resource<Doc, boolean, undefined>({
    name: 'web',
    phases: ['boot'],
    want: doc => doc.web || undefined,
    basics: () => ({ packages: ['webd'], units: [{ unit: 'webd.service', enabled: true, active: true }] }),
})
const disk = resource<Doc, string, string | undefined>({
    name: 'disk',
    phases: ['boot'],
    want: doc => doc.disk,
    observe: ({ root }) => root.readText('/etc/taken'),
    plan: (name, taken) => {
        const take = { do: 'write', say: `Take ${name}`, path: '/etc/taken', content: name, mode: 0o644 } as const
        if (taken === name) return { steps: [] }
        return { steps: [{ ...take, destroys: [`disk:${name}`] }], fingerprints: { [`disk:${name}`]: 'ext4' } }
    },
})

function world(options: NodeOptions = {}) {
    const files = { '/proc/1/stat': `1 (x) ${'0 '.repeat(30)}`, ...options.files }
    const node = simulatedNode({
        ...options,
        files,
        units: { [UNIT]: { enabled: true, active: true } },
        brings: { webd: ['webd.service'] },
    })
    let told = ''
    const provision = createProvision({
        ...{ schema, checks: [], resources: [web, disk] as Resource[], kit: kitOf([]), touch: node.touch },
        ...{ clock: fakeClock(), pid: 1 },
    })
    const boot = (dryRun = false) =>
        firstBoot({
            ...{ provision: provision as never, system: node.system, dryRun, signal: new AbortController().signal },
            pause: async () => undefined,
            draft: async ({ profile, zfsDisks: [taken] = [] }) =>
                `profile: ${profile}\n${taken ? `disk: ${taken}\n` : ''}`,
            say: text => {
                told += text
            },
        }).catch(asFault)
    return { node, boot, told: () => told, isEnabled: () => node.units.get(UNIT)!.enabled }
}

it('carries the document out, tells each step, and is not run again', async () => {
    const { node, boot, told, isEnabled } = world({ files: { [DOCUMENT]: 'profile: zfs\n' } })
    await boot()
    expect(told()).toMatch(/says: \d steps?\.\n\[1\/\d\] .* … done[\s\S]*Done: \d steps?\. This machine is/)
    expect(node.packages.has('webd')).toBe(true)
    expect(isEnabled()).toBe(false)
})

it('with a profile alone makes the document first, once', async () => {
    const { node, boot, told } = world({ files: { [PROFILE_FILE]: '# by the installer\nPROFILE="ceph"\n' } })
    await boot()
    expect(told()).toContain(`${DOCUMENT} is written from ${PROFILE_FILE}.`)
    expect(await node.system.readText(DOCUMENT)).toBe('profile: ceph\n')
    await node.system.writeFile(DOCUMENT, 'profile: zfs\n')
    await boot()
    expect(await node.system.readText(DOCUMENT)).toBe('profile: zfs\n')
})

it('takes the disks that the file names, one that holds something by its consent, which is for once', async () => {
    const named = 'PROFILE=zfs\nZFS_DISKS="/dev/disk/by-id/a"\n'
    const refused = world({ files: { [PROFILE_FILE]: named } })
    expect(await refused.boot()).toMatchObject({ fix: expect.stringContaining('--destroy disk:/dev/disk/by-id/a') })
    const other = world({ files: { [PROFILE_FILE]: `${named}DESTROY=/dev/disk/by-id/b\n` } })
    expect(await other.boot()).toMatchObject({ code: 'precondition' })
    expect(other.node.system.files.has('/etc/taken')).toBe(false)
    const agreed = world({ files: { [PROFILE_FILE]: `${named}DESTROY="/dev/disk/by-id/a"\n` } })
    await agreed.boot()
    expect(agreed.isEnabled()).toBe(false)
    expect(await agreed.node.system.readText('/etc/taken')).toBe('/dev/disk/by-id/a')
    expect(await agreed.node.system.readText(PROFILE_FILE)).toBe(named)
})

it('refuses disks that are no devices', async () => {
    const { boot } = world({ files: { [PROFILE_FILE]: 'PROFILE=zfs\nZFS_DISKS="sda; rm"\n' } })
    expect(await boot()).toMatchObject({ code: 'invalid', detail: expect.stringContaining('zfsDisks') })
})

it('shows the whole plan for a dry run and touches nothing', async () => {
    const { node, boot, isEnabled } = world({ files: { [PROFILE_FILE]: 'PROFILE=zfs\n' } })
    expect(await boot(true)).toMatchObject({ text: expect.stringContaining('webd'), pending: true })
    expect(node.system.files.has(DOCUMENT)).toBe(false)
    expect(node.packages.size).toBe(0)
    expect(isEnabled()).toBe(true)
})

it.each([[{}], [{ [PROFILE_FILE]: '# PROFILE=\n' }]])(
    'without a document or a profile says what to type',
    async files => {
        const { boot, isEnabled } = world({ files: files as Record<string, string> })
        expect(await boot()).toMatchObject({ code: 'not-found', fix: expect.stringContaining('debvisor node init') })
        expect(isEnabled()).toBe(true)
    },
)

it('stays enabled after a failure, says how to go on, and is done at the next boot', async () => {
    let away = true
    const isInstall = (argv: readonly string[]) => away && argv[0] === 'apt-get'
    const broken = world({ files: { [DOCUMENT]: 'profile: zfs\n' } })
    const run = broken.node.system.run
    broken.node.system.run = async how => (isInstall(how.argv) ? { exitCode: 100, stdout: '', stderr: '' } : run(how))
    expect(await broken.boot()).toMatchObject({
        ...{ code: 'precondition', detail: '1 step failed, see above' },
        fix: expect.stringMatching(/history \d+-\w+ --verbose[\s\S]*systemctl start debvisor-firstboot/),
    })
    expect(broken.told()).toContain('FAILED\n    Packages could not be installed: webd')
    expect(broken.isEnabled()).toBe(true)
    away = false
    await broken.boot()
    expect(broken.isEnabled()).toBe(false)
})

it('leaves a disk that holds something, does the rest, and says how to agree', async () => {
    const { node, boot, isEnabled } = world({ files: { [DOCUMENT]: 'profile: zfs\ndisk: a\n' } })
    expect(await boot()).toMatchObject({ fix: expect.stringContaining('debvisor node apply --destroy disk:a') })
    expect(node.packages.has('webd')).toBe(true)
    expect(node.system.files.has('/etc/taken')).toBe(false)
    expect(isEnabled()).toBe(true)
})

it('looks again where a look took too long, a few times', async () => {
    const slow = world({ files: { [DOCUMENT]: 'profile: zfs\n' } })
    const query = slow.node.system.query
    let looks = 0
    slow.node.system.query = async how => {
        if (how.argv[0] === 'dpkg-query' && ++looks < 3)
            throw new Fault('deadline', { summary: 'A tool did not end in time', detail: 'dpkg-query' })
        return query(how)
    }
    await slow.boot()
    expect(slow.told().match(/did not end in time: dpkg-query\. The machine is looked at again/g)).toHaveLength(2)
    expect(slow.isEnabled()).toBe(false)
    looks = Number.NEGATIVE_INFINITY
    slow.node.packages.clear()
    expect(await slow.boot()).toMatchObject({ code: 'deadline' })
})

it('says what to type next, whatever went wrong', () => {
    const of = (fix: string) => howToGoOn(new Fault('deadline', { summary: 'A tool did not end', detail: 'ip', fix }))
    expect(of('Look at the load.')).toMatchObject({
        ...{ code: 'deadline', summary: 'A tool did not end', detail: 'ip' },
        fix: `Look at the load. Then go on: systemctl start ${UNIT}, or boot again.`,
    })
    expect(of('').fix).toBe(`Then go on: systemctl start ${UNIT}, or boot again.`)
    expect(of('See: debvisor node history').fix).toBe('See: debvisor node history')
})

it('tells a document with mistakes with their lines', async () => {
    const { boot } = world({ files: { [DOCUMENT]: 'profile: zfs\nwbe: true\n' } })
    expect(await boot()).toMatchObject({ code: 'invalid', detail: expect.stringContaining('line 2: wbe') })
})

it('tells the screen, and the consoles that the kernel uses besides', async () => {
    const argv = ['systemctl', 'is-active', '--quiet', '--', 'debvisor-console.service']
    const at = (active?: string, exitCode = 3) =>
        consolesOf(
            fakeSystem({
                tools: [{ argv, answer: { exitCode } }],
                ...(active && { files: { '/sys/class/tty/console/active': active } }),
            }),
        )
    expect(await at('tty0 ttyS0\n')).toEqual(['/dev/tty1', '/dev/ttyS0'])
    expect(await at('tty0\n')).toEqual(['/dev/tty1'])
    expect(await at('hvc0 tty1\n')).toEqual(['/dev/tty1', '/dev/hvc0'])
    expect(await at()).toEqual(['/dev/tty1'])
    // What draws the screen shows it there.
    expect(await at('tty0 ttyS0\n', 0)).toEqual(['/dev/ttyS0'])
})
