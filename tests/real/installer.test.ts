// The screens of the installer by real key presses in a real terminal. The disks are made up and the steps do nothing:
// this machine has no disks to spare. tests/vm/install.test.ts installs by the same answers.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { Disk } from '../../src/capabilities/install/spec.ts'
import { openScreen, type TestScreen } from './world-screen.ts'

const GIB = 1024 ** 3
const disk = (id: string, gib: number, words: string, more: Partial<Disk> = {}): Disk => ({
    ...{ id: `/dev/disk/by-id/${id}`, path: `/dev/${id}`, serial: id, model: words, sizeBytes: gib * GIB },
    ...{ system: false, removable: false, readOnly: false, blank: true, mountpoints: [], fingerprint: id },
    words: `${gib} GiB ${words}, ${more.blank === false ? 'holds gpt, ntfs' : 'blank'}`,
    ...more,
})
const disks = [
    disk('ata-SSD_870_S6PENX', 233, 'Samsung SSD 870'),
    disk('nvme-SN700_21340A', 931, 'WD Red SN700'),
    disk('nvme-SN700_21340B', 931, 'WD Red SN700'),
    disk('ata-WD40EFRX_WCC7K', 3726, 'WDC WD40EFRX', { blank: false }),
    disk('usb-Ultra_4C53', 30, 'SanDisk Ultra', { system: true, removable: true, mountpoints: ['/run/live/medium'] }),
]
const network = {
    bridges: [{ name: 'br0', ports: ['enp1s0'], ipv4: 'dhcp', ipv6: 'auto' }],
    nics: [{ name: 'enp1s0', mac: '52:54:00:12:34:56' }],
}
const found = { disks, network, card: 'enp1s0', address: '192.0.2.57/24' }
const GOOD = 'glacier tulip marzipan'

let folder = ''
let screen: TestScreen

beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dv-installer-'))
})
afterEach(async () => {
    await screen?.stop()
    await rm(folder, { recursive: true, force: true })
})

async function open(size: { columns?: number; rows?: number; term?: string } = {}, more: object = {}, first = '') {
    await writeFile(join(folder, 'found.json'), JSON.stringify({ ...found, ...more }))
    screen = await openScreen([first, 'node', '--import', 'tsx', 'tests/real/installer-try.ts', folder], size)
    await screen.see('Disk of the system', 60_000)
}
const answers = async () => parse(await readFile(join(folder, 'answers.yaml'), 'utf8'))
const log = () => readFile(join(folder, 'log'), 'utf8').catch(() => '')
/** From a question to the button Next, and on. */
const next = () => screen.keys('Enter', 'Enter')

async function typePasswords(root = GOOD, admin = GOOD) {
    await screen.see('Who can log in')
    await screen.type(root)
    await screen.keys('Enter')
    await screen.type(root)
    await screen.keys('Enter', 'Enter')
    await screen.type(admin)
    await screen.keys('Enter')
    await screen.type(admin)
    await screen.keys('Enter')
    await screen.keys('Enter')
}

describe('six questions', () => {
    it('with all defaults: Enter and passwords, and Install has to be chosen', async () => {
        await open()
        await screen.keep('1-disk')
        await next()
        await screen.see('There are 3 extra disks')
        await screen.keep('2-profile')
        await next()
        await screen.see('Extra disks')
        await screen.keep('3-extra')
        await next()
        await screen.see('192.0.2.57/24')
        await screen.keep('4-network')
        await next()
        await screen.see('At least 12 characters')
        await screen.keep('5-passwords')
        await typePasswords()
        const plan = await screen.see('No data will be lost')
        expect(plan).toMatch(/Now:[\s\S]*Clear ata-SSD_870_S6PENX/)
        await screen.keep('6-plan')
        // Enter alone goes back: nothing is installed by holding a key down.
        await screen.keys('Enter')
        await screen.see('Who can log in')
        await screen.keys('Tab', 'Tab', 'Tab', 'Tab', 'Tab', 'Tab', 'Tab', 'Enter')
        await screen.see('The plan')
        expect(await log()).toBe('')
        await screen.keys('Right', 'Right', 'Enter')
        await screen.see(/Part 1 of 4: Prepare the disks/)
        await screen.see(/\[#+\.+\] \d+ of 22/)
        await screen.keep('7-installing')
        await screen.keys('l')
        await screen.see(/wipefs ended with 0/)
        await screen.keep('8-log')
        await writeFile(join(folder, 'go'), '')
        await screen.see('DebVisor was installed', 60_000)
        await screen.keep('9-installed')
        await screen.keys('Enter')
        await screen.see('ended 0')
        expect(await log()).toBe('restart\nrestart\n')
        expect(await answers()).toMatchObject({
            profile: 'ceph',
            node: { hostname: 'debvisor', domain: 'local', locale: 'en_US.UTF-8', timezone: 'UTC', keyboard: 'us' },
            users: { administrators: [{ name: 'operator' }] },
            network: { bridges: [{ name: 'br0', ports: ['enp1s0'], ipv4: 'dhcp', ipv6: 'auto' }] },
            storage: { ceph: { disks: [disks[1]!.id, disks[2]!.id] } },
            install: {
                ...{ machine: 'any', disks: [{ id: disks[0]!.id }], consent: ['target'] },
                passwords: { root: expect.stringMatching(/^\$6\$/), operator: expect.stringMatching(/^\$6\$/) },
                panel: { operator: expect.stringMatching(/^scrypt\$/) },
            },
        })
        expect(await readFile(join(folder, 'answers.yaml'), 'utf8')).not.toContain('marzipan')
    }, 180_000)

    it('two disks mirrored, ZFS with a disk that holds data, a fixed address, and all of the advanced page', async () => {
        await open()
        await screen.keys('Space', 'Down', 'Space', 'Down', 'Space', 'Enter', 'Enter')
        await screen.see('There are 2 extra disks')
        await screen.keys('Down', 'Enter', 'Enter')
        await screen.see('For the pool of ZFS:')
        await screen.keys('Down', 'Space')
        await screen.see('It will be erased at the first boot.')
        await screen.keep('3-extra-with-data')
        await next()
        await screen.see('A fixed address')
        await screen.keys('Down', 'Space', 'Down')
        await screen.see('Such as 192.0.2.10/24')
        await screen.keys('C-h', 'C-h', 'C-h')
        await screen.type('/33')
        await screen.keys('Tab')
        await screen.type('192.0.2.1')
        await screen.keys('Tab')
        await screen.type('192.0.2.53 2001:db8::53')
        await next()
        await screen.see('Write the address with its length')
        await screen.keep('4-network-wrong')
        await screen.keys('Down', 'C-h')
        await screen.type('0')
        await screen.see('/30')
        await screen.keys('C-h', 'C-h')
        await screen.type('24')
        await screen.keys('F2')
        await screen.see('Name of the node')
        for (let i = 0; i < 'debvisor.local'.length; i++) await screen.keys('C-h')
        await screen.type('node1.example.org')
        await screen.keys('Tab', 'Tab', 'C-h', 'C-h')
        await screen.type('de')
        await screen.keys('Tab', 'C-h', 'C-h', 'C-h')
        await screen.type('Europe/Berlin')
        await screen.keys('Tab', 'C-h', 'C-h', 'C-h', 'C-h')
        await screen.type('xfs')
        await screen.keys('Tab')
        await screen.type('ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJx ann@desk')
        await screen.keys('Tab')
        await screen.type(GOOD)
        await screen.keys('Tab')
        await screen.type(GOOD)
        await screen.keep('advanced')
        await screen.keys('Tab', 'Tab', 'Tab', 'Tab', 'Enter')
        await screen.see('A fixed address')
        await screen.keys('Tab', 'Tab', 'Tab', 'Tab', 'Tab', 'Tab', 'Enter')
        await typePasswords()
        const plan = await screen.see('All data will be lost on:')
        expect(plan).toMatch(/ata-WD40EFRX_WCC7K \(3726 GiB WDC WD40EFRX, holds\s+gpt, ntfs\), at the\s+first boot/)
        await screen.keep('6-plan-with-data')
        expect(await answers()).toMatchObject({
            profile: 'zfs',
            node: { hostname: 'node1', domain: 'example.org', keyboard: 'de', timezone: 'Europe/Berlin' },
            users: { administrators: [{ name: 'operator', keys: [expect.stringContaining('ann@desk')] }] },
            network: {
                bridges: [{ ipv4: { addresses: ['192.0.2.57/24'], gateway: '192.0.2.1' } }],
                dns: { servers: ['192.0.2.53', '2001:db8::53'] },
            },
            storage: { zfs: { disks: expect.arrayContaining([disks[3]!.id]) } },
            install: {
                rootFs: 'xfs',
                disks: [{ id: disks[1]!.id }, { id: disks[2]!.id }],
                consent: ['target', disks[3]!.id],
                passwords: { node: expect.any(String) },
            },
        })
    }, 180_000)
})

it('with Secure Boot and ZFS offers to enrol a key, and says at the end what to do at the restart', async () => {
    await open({}, { secureBoot: true })
    await next()
    expect(await screen.see('There are 3 extra disks')).not.toContain('enrol')
    await screen.keys('Down', 'Space')
    await screen.see(/\[x\] Sign the module of ZFS, and enrol the key/)
    await screen.keep('2-profile-secure-boot')
    await screen.keys('Tab', 'Tab', 'Space')
    await screen.see(/\[ \] Sign the module of ZFS/)
    await screen.keys('Space')
    await screen.see(/\[x\] Sign the module of ZFS/)
    await screen.keys('Tab', 'Tab', 'Tab', 'Enter')
    await screen.see('Extra disks')
    await next()
    await screen.see('192.0.2.57/24')
    await next()
    await typePasswords()
    expect(await screen.see('The plan')).toMatch(/Note: Secure Boot is on\. At the restart the firmware shows/)
    expect(await answers()).toMatchObject({ profile: 'zfs', install: { enrolKey: true } })
    await screen.keys('Right', 'Right', 'Enter')
    await writeFile(join(folder, 'go'), '')
    expect(await screen.see('DebVisor was installed', 60_000)).toContain('choose Enroll MOK, Continue, Yes')
    await screen.keep('9-installed-secure-boot')
}, 180_000)

describe('answers that cannot be used', () => {
    it('are told on the page, in words', async () => {
        await open()
        await screen.keys('Space', 'Enter', 'Enter')
        await screen.see('Tick a disk for the system.')
        await screen.keys('Space')
        await screen.see(/\[x\]/)
        await screen.keys('Enter', 'Enter', 'Enter', 'Enter', 'Enter', 'Enter', 'Enter', 'Enter')
        await screen.see('Who can log in')
        await screen.type('root')
        await screen.see('It has 4 of at least 12 characters.')
        await screen.keys('Tab', 'Tab', 'Tab', 'Tab', 'Tab', 'Tab', 'Tab', 'Enter')
        await screen.see('The password of root cannot be used: it has 4 of at least 12 characters.')
        await screen.keep('5-passwords-wrong')
    }, 120_000)

    it('no disk of the machine will do', async () => {
        await open({}, { disks: disks.slice(-1) })
        await screen.see('No disk of at least 16 GiB was found')
        await screen.keep('1-no-disk')
    }, 120_000)
})

describe('the terminal', () => {
    it('of a serial port without colours, and one that becomes larger and smaller', async () => {
        await open({ term: 'vt220' })
        await screen.keep('vt220')
        await screen.resize(120, 40)
        await screen.see(/F2: advanced/)
        await screen.keep('large')
        await screen.resize(60, 16)
        await screen.see(/Disk of the system +1 of 6/)
        await screen.keep('small')
        await screen.keys('Escape')
        expect(await screen.read()).toContain('Disk of the system')
    }, 120_000)

    it('that has no size, as a serial port, is asked for it', async () => {
        await open({ columns: 100, rows: 30 }, {}, 'stty rows 0 columns 0;')
        const [title = ''] = (await screen.read()).split('\n')
        expect(title.trimEnd()).toHaveLength(98)
    }, 120_000)

    it('Ctrl-C asks, and leaving has to be chosen', async () => {
        await open()
        await screen.keys('C-c')
        await screen.see('Nothing has been written to any disk.')
        await screen.keep('leave')
        await screen.keys('Enter')
        await screen.see('1 of 6')
        await screen.keys('C-c', 'Left', 'Enter', 'Left', 'Enter')
        await screen.see('ended 0')
        expect(await log()).toBe('left\n')
    }, 120_000)
})

it('what fails says why and what to do; the log can be read and saved, a shell opened, and it is tried again', async () => {
    await open({}, { failOnce: true })
    for (let i = 0; i < 4; i++) await next()
    await typePasswords()
    await screen.see('The plan')
    await screen.keys('Right', 'Right', 'Enter')
    await screen.see('The installation failed', 60_000)
    await screen.see(/lvcreate ended\s+with\s+5/)
    await screen.keep('failed')
    await screen.keys('Right', 'Right', 'Right', 'Enter')
    await screen.see('The log is at debvisor-install.log on STICK.')
    expect(await readFile(join(folder, 'saved.log'), 'utf8')).toMatch(/ended with 0/)
    await screen.keys('Right', 'Right', 'Right', 'Right', 'Enter')
    await screen.see('The installation failed')
    expect(await log()).toBe('shell\n')
    await screen.keys('Enter')
    await screen.see('DebVisor was installed', 60_000)
}, 180_000)
