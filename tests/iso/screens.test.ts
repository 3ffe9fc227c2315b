// The installer on the ISO as a person has it: by keys on the serial port, to a node whose screen shows where its panel is;
// and once by keys and screen, which a shell on the serial port reads (QEMU's pictures of it are kept, to be looked at).
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { parse } from 'yaml'
import { root } from '../../scripts/stages.ts'
import { tool } from '../real/world-cache.ts'
import { openScreen } from '../real/world-screen.ts'
import { bootFromDisks } from '../vm/own-boot.ts'
import { pokeNowAndThen } from '../vm/poke.ts'
import { type Booted, bootIso, builtIso, isoMachine, whyNoIso } from './world-iso.ts'

const MINUTE_MS = 60_000
const PASSWORD = 'glacier tulip marzipan'
const missing = whyNoIso()
let folder = ''
const disks = () => ['OS', 'DATA1', 'DATA2'].map(serial => ({ file: join(folder, `${serial}.qcow2`), serial }))

beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dv-iso-screens-'))
    for (const { file, serial } of disks())
        await tool(['qemu-img', 'create', '-q', '-f', 'qcow2', file, serial === 'OS' ? '32G' : '12G'])
})
afterEach(() => rm(folder, { recursive: true, force: true }))

it(
    'by keys on the serial port: ZFS, a name, a time zone; then its first boot, and the screen of the node',
    async ({ skip }) => {
        if (missing) skip(missing)
        await builtIso()
        const machine = isoMachine('uefi', { disks: disks() })
        const screen = await openScreen(machine.argv)
        const poke = pokeNowAndThen(machine.monitor)
        try {
            await screen.see('Automatic install', 6 * MINUTE_MS)
            await screen.keep('iso-menu')
            await screen.type('t')
            await screen.see('Disk of the system', 10 * MINUTE_MS)
            await screen.keep('iso-1-disk')
            await screen.keys('Enter', 'Enter')
            await screen.see('There are 2 extra disks', MINUTE_MS)
            await screen.keys('Down', 'Enter', 'Enter')
            await screen.see('For the pool of ZFS:', MINUTE_MS)
            await screen.keep('iso-3-extra')
            await screen.keys('Enter', 'Enter')
            await screen.see('DHCP', MINUTE_MS)
            await screen.keep('iso-4-network')
            await screen.keys('F2')
            await screen.see('Name of the node', MINUTE_MS)
            for (let i = 0; i < 'debvisor.local'.length; i++) await screen.keys('C-h')
            await screen.type('node1.example.org')
            await screen.keys('Tab', 'Tab', 'Tab', 'C-h', 'C-h', 'C-h')
            await screen.type('Europe/Vienna')
            await screen.see('Europe/Vienna', MINUTE_MS)
            await screen.keep('iso-advanced')
            await screen.keys('Tab', 'Tab', 'Tab', 'Tab', 'Tab', 'Tab', 'Tab', 'Tab', 'Enter')
            await screen.see('DHCP', MINUTE_MS)
            await screen.keys('Enter', 'Enter')
            await screen.see('Who can log in', MINUTE_MS)
            for (const end of [['Enter'], ['Enter', 'Enter'], ['Enter'], ['Enter', 'Enter']]) {
                await screen.type(PASSWORD)
                await screen.keys(...end)
            }
            await screen.see('No data will be lost', MINUTE_MS)
            await screen.keep('iso-6-plan')
            await screen.keys('Right', 'Right', 'Enter')
            await screen.see(/Part 1 of 4/, 2 * MINUTE_MS)
            await screen.see(/Unpack the system/, 10 * MINUTE_MS)
            await screen.keep('iso-7-installing')
            await screen.see('DebVisor was installed', 40 * MINUTE_MS)
            await screen.keep('iso-9-installed')
            await screen.keys('Enter')
            await screen.see(/ended 0/, 5 * MINUTE_MS)
        } finally {
            poke.end()
            await screen.stop()
            machine.remove()
        }
        const how = { disks: disks(), memoryMib: 4096, bootMs: 60 * MINUTE_MS }
        const node = await bootFromDisks({ firmware: 'uefi', ...how })
        try {
            expect(parse(await node.must('cat /etc/debvisor/node.yaml'))).toMatchObject({
                profile: 'zfs',
                node: { hostname: 'node1', domain: 'example.org', timezone: 'Europe/Vienna', locale: 'en_US.UTF-8' },
                users: { administrators: [{ name: 'operator' }] },
                network: { bridges: [{ name: 'br0', ipv4: 'dhcp', ipv6: 'auto' }] },
            })
            expect(await node.must('debvisor node verify', 15 * MINUTE_MS)).toContain(
                'The machine is what its document says.',
            )
            expect(await node.must('systemctl is-active debvisor-console; systemctl is-active getty@tty1 || :')).toBe(
                'active\ninactive\n',
            )
            const shown = await node.must(
                'sleep 70; fold -w "$(stty -F /dev/tty1 size | cut -d" " -f2)" /dev/vcs1',
                3 * MINUTE_MS,
            )
            expect(shown).toMatch(/DebVisor \d+\.\d+\.\d+ +node1\.example\.org/)
            expect(shown).toContain('https://10.0.2.15:8443/')
            expect(shown).toMatch(/SHA-256:\s+([0-9A-F]{2}:?){16}/)
            expect(shown).toContain('All services are well.')
            await node.keep('node-console')
        } finally {
            await node.stop()
        }
    },
    200 * MINUTE_MS,
)

/** The names of keys by which QEMU presses them (`sendkey`). */
const keyNames: Record<string, string> = { ' ': 'spc', '.': 'dot', '-': 'minus', '/': 'slash' }

it(
    'by keys and screen, with all that it offers',
    async ({ skip }) => {
        if (missing) skip(missing)
        await builtIso()
        const machine = bootIso('bios', { disks: disks() })
        const press = (...names: string[]) => machine.monitor(...names.map(name => `sendkey ${name}`))
        const type = (text: string) => press(...[...text].map(key => keyNames[key] ?? key))
        const run = async (line: string, deadlineMs = 2 * MINUTE_MS) => {
            // What a screen holds ends without a line of its own.
            machine.type(`${line}; echo; echo "ov""er"\r`)
            return machine.hear(/\nover/, deadlineMs)
        }
        const see = (what: RegExp, deadlineMs?: number) => seen(run, what, deadlineMs)
        const keep = async (name: string) => {
            await mkdir(join(root, 'test-output/screens'), { recursive: true })
            machine.monitor(`screendump ${join(root, `test-output/screens/${name}.png`)} -f png`)
        }
        try {
            await machine.hear('Automatic install', 5 * MINUTE_MS)
            await keep('iso-menu')
            // The first entry, with a shell on the serial port besides: the kernel's last console stays the screen.
            machine.type('e')
            await machine.hear('debvisor.install=screen', MINUTE_MS)
            machine.type('\x0e\x0e\x05 console=ttyS0,115200n8 console=tty0')
            await machine.hear('console=tty0', MINUTE_MS)
            machine.type('\x18')
            await machine.hear('root@debvisor-live:', 10 * MINUTE_MS)
            await see(/Disk of the system/, 5 * MINUTE_MS)
            await keep('iso-1-disk')
            press('ret', 'ret')
            await see(/There are 2 extra disks/)
            await keep('iso-2-profile')
            press('ret', 'ret')
            await see(/Extra disks/)
            await keep('iso-3-extra')
            press('ret', 'ret')
            await see(/DHCP/)
            await keep('iso-4-network')
            press('ret', 'ret')
            await see(/Who can log in/)
            for (const end of [['ret'], ['ret', 'ret'], ['ret'], ['ret', 'ret']]) {
                type(PASSWORD)
                press(...end)
            }
            await see(/No data will be lost/)
            await keep('iso-6-plan')
            press('right', 'right', 'ret')
            await see(/Unpack the system/, 10 * MINUTE_MS)
            await keep('iso-7-installing')
            await see(/DebVisor was installed/, 40 * MINUTE_MS)
            await keep('iso-9-installed')
            const text = await run(
                'vgchange --quiet --activate y debvisor >/dev/null; mount -o ro /dev/debvisor/root /mnt; ' +
                    'cat /mnt/etc/debvisor/node.yaml; umount /mnt; vgchange --quiet --activate n debvisor >/dev/null',
            )
            const document = parse(
                text.slice(text.indexOf('\nprofile:'), text.lastIndexOf('over')).replaceAll('\r', ''),
            )
            expect(document).toMatchObject({
                profile: 'ceph',
                node: { hostname: 'debvisor', domain: 'local', locale: 'en_US.UTF-8', timezone: 'UTC', keyboard: 'us' },
                users: { administrators: [{ name: 'operator' }] },
                network: { bridges: [{ name: 'br0', ipv4: 'dhcp', ipv6: 'auto' }] },
                storage: { ceph: { disks: [expect.stringContaining('DATA1'), expect.stringContaining('DATA2')] } },
            })
            expect(text).not.toContain('marzipan')
            press('ret')
            await machine.ended(5 * MINUTE_MS)
        } finally {
            await machine.stop()
        }
    },
    120 * MINUTE_MS,
)

/** Until the screen shows it: the shell reads it from the kernel (vcs(4)). */
async function seen(
    run: (line: string) => ReturnType<Booted['hear']>,
    what: RegExp,
    deadlineMs = 2 * MINUTE_MS,
): Promise<string> {
    const end = Date.now() + deadlineMs
    for (;;) {
        const shown = await run('fold -w "$(stty -F /dev/tty1 size | cut -d" " -f2)" /dev/vcs1')
        if (what.test(shown)) return shown
        if (Date.now() > end) throw new Error(`the screen never showed ${what}:\n${shown}`)
    }
}
