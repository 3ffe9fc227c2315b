// What answers mean on a machine, before anything is touched: told, agreed to, or refused. No tool that writes is known here.
import { describe, expect, it } from 'vitest'
import { asFault } from '../../base/fault.ts'
import { fakeClock, fakeSystem } from '../../ports/fake.ts'
import { answersChecks, answersSchema, installing, type NodeDocument } from '../table.provision.ts'
import { readAnswers } from './answers.ts'
import { carryOut } from './install.ts'
import { prepare, unagreed } from './prepare.ts'
import type { Disk } from './spec.ts'
import { textOf } from './words.ts'

const HASH = `$6$saltsalt$${'a'.repeat(86)}`
const disk = (serial: string, holds = ''): Disk => ({
    ...{ id: `/dev/disk/by-id/virtio-${serial}`, path: `/dev/${serial}`, serial, model: 'QEMU', readOnly: false },
    ...{ sizeBytes: 40 * 1024 ** 3, system: false, removable: false, mountpoints: [], blank: holds === '' },
    ...{ fingerprint: `${serial}|${holds}`, words: `40 GiB QEMU, ${holds ? `holds ${holds}` : 'blank'}` },
})

function world(
    install: string,
    disks: Disk[],
    more: { groups?: string; blocks?: object[]; files?: Record<string, string> } = {},
) {
    const machine = fakeSystem({
        files: {
            ...{ '/node.squashfs': '', '/proc/cmdline': 'quiet console=tty0', '/sys/class/net/eth0/address': '' },
            ...{ '/sys/class/dmi/id/product_serial': '7XK29\n', ...more.files },
        },
        tools: [
            { argv: argv => argv[0] === 'vgs', answer: { stdout: more.groups ?? '' } },
            {
                // Without NAME the real one gives no tree.
                argv: ['lsblk', '--json', '--output', 'NAME,PATH,TYPE'],
                answer: { stdout: JSON.stringify({ blockdevices: more.blocks ?? [] }) },
            },
        ],
    })
    const text = `profile: zfs\ninstall: { passwords: { root: ${HASH} }, ${install} }\n`
    const { answers, findings } = readAnswers<NodeDocument>(text, answersSchema, answersChecks)
    if (!answers) throw new Error(JSON.stringify(findings))
    const deps = { ...installing, machine, rooted: () => machine, clock: fakeClock(), pid: 1, disks: async () => disks }
    return { deps, job: () => prepare(deps, answers, { image: '/node.squashfs' }) }
}
const refusal = async (work: Promise<unknown>) => {
    const { code, message } = await work.then(() => Promise.reject(new Error('it was not refused')), asFault)
    return `${code}: ${message}`
}
const ONE = 'machine: any, disks: [{ id: A }]'

it('tells what dies now and what at the first boot, and what is left alone', async () => {
    const { job } = world(`${ONE}, consent: [target, B]`, [
        disk('A', 'ext4'),
        disk('B', 'ntfs'),
        disk('C', 'xfs'),
        disk('D'),
    ])
    const made = await job()
    expect(textOf(made.words)).toMatch(
        /^DATA WILL BE DESTROYED on:\n {2}\S+A \(40 GiB QEMU, holds ext4\), now\n {2}\S+B \(40 GiB QEMU, holds ntfs\), at the first boot\n/,
    )
    expect(made.words.firstBoot[0]).toMatch(/^Make the pool tank of ZFS of \S+B \(.*\), \S+D \(/)
    expect(made.words.warnings.join()).toMatch(/left alone, because something is on it: \S+C/)
    expect(made.consents.firstBoot).toEqual([{ target: 'disk:/dev/disk/by-id/virtio-B', fingerprint: 'B|ntfs' }])
    expect(unagreed(made)).toEqual([])
})

it('asks for a consent to a target that holds data', async () => {
    const made = await world(ONE, [disk('A', 'ext4')]).job()
    expect(unagreed(made)).toEqual(['/dev/disk/by-id/virtio-A (40 GiB QEMU, holds ext4)'])
    expect(unagreed(await world(`${ONE}, consent: [A]`, [disk('A', 'ext4')]).job())).toEqual([])
})

it('calls its group otherwise where another disk has the name', async () => {
    expect((await world(ONE, [disk('A')], { groups: '  other\n' }).job()).target.names.group).toBe('debvisor')
    const { names } = (await world(ONE, [disk('A')], { groups: '  debvisor\n' }).job()).target
    expect(names.group).toMatch(/^debvisor-[0-9a-f]{4}$/)
    expect(names.boot).toBe(`/dev/md/boot${names.group.slice('debvisor'.length)}`)
})

it('warns of ZFS where Secure Boot is on', async () => {
    const variable = '/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c'
    const made = await world(ONE, [disk('A')], { files: { [variable]: '\u0006\0\0\0\u0001' } }).job()
    expect(made.words.warnings.join()).toContain('Secure Boot is on')
})

describe('an older system', () => {
    const volume = { path: '/dev/mapper/old-root', type: 'lvm' }
    const mirror = { path: '/dev/md127', type: 'raid1', children: [volume] }
    const on = (path: string, child: object) => ({
        ...{ path, type: 'disk' },
        children: [{ path: `${path}1`, type: 'part', children: [child] }],
    })

    it('is let go of from the top', async () => {
        const made = await world(`${ONE}, consent: [target]`, [disk('A', 'gpt')], {
            blocks: [on('/dev/A', mirror)],
        }).job()
        expect(made.target.before).toEqual({
            holders: [
                { path: '/dev/mapper/old-root', by: 'dmsetup' },
                { path: '/dev/md127', by: 'mdadm' },
            ],
            parts: { '/dev/disk/by-id/virtio-A': ['/dev/A1'] },
        })
    })

    it('that other disks are part of is not touched', async () => {
        const blocks = [on('/dev/A', volume), on('/dev/B', volume)]
        const both = [disk('A', 'gpt'), disk('B', 'gpt')]
        expect(await refusal(world(ONE, both, { blocks }).job())).toMatch(/stands on other disks as well: \S+old-root/)
        const two = 'machine: any, disks: [{ id: A }, { id: B }]'
        expect((await world(two, both, { blocks }).job()).target.before.holders).toHaveLength(1)
    })
})

describe('refuses', () => {
    it.each([
        [
            'another machine, by its serial number',
            'machine: { serial: X }, disks: [smallest]',
            /^precondition: .*this one has 7XK29/,
        ],
        ['another machine, by its card', 'machine: { mac: "02:00:00:00:00:01" }, disks: [smallest]', /another machine/],
        [
            'a disk that is not there',
            'machine: any, disks: [{ id: Z }]',
            /install.disks\[0\]: No disk of this machine is meant/,
        ],
        [
            'a consent to a disk that is not there',
            `${ONE}, consent: [target, Z]`,
            /install.consent: There is no such disk \(Z\)/,
        ],
    ])('%s', async (_, install, words) => {
        expect(await refusal(world(install, [disk('A')]).job())).toMatch(words)
    })

    it('a disk that has changed since it was agreed to', async () => {
        const disks = [disk('A')]
        const { deps, job } = world(ONE, disks)
        const made = await job()
        disks[0] = disk('A', 'ext4')
        const telling = { signal: new AbortController().signal, by: 'test' }
        expect(await refusal(carryOut(deps, made, telling))).toMatch(/^conflict: .*is 40 GiB QEMU, holds ext4 now/)
        expect(deps.machine.ran.map(([tool]) => tool)).toEqual(['vgs', 'lsblk'])
    })
})
