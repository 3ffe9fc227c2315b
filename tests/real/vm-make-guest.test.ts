// What a guest sees of the VM that was made for it: its seed, its disk, and its own past after a revert.
import { copyFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { begin, type Change } from '../../src/capabilities/vm/begin.ts'
import { beginClone } from '../../src/capabilities/vm/clone.ts'
import { beginCreate } from '../../src/capabilities/vm/create.ts'
import { readGuest } from '../../src/capabilities/vm/guest.ts'
import { planShutdown } from '../../src/capabilities/vm/power.ts'
import { listSnapshots, planCreateSnapshot } from '../../src/capabilities/vm/snapshots.ts'
import { planDeleteSnapshot, planRevert } from '../../src/capabilities/vm/snapshots-back.ts'
import type { Console } from '../../src/drivers/libvirt/libvirt.ts'
import { CloneRequestSchema, CreateRequestSchema } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { type MakeWorld, startMaking } from './vm-make-world.ts'
import { debianImage, tinyGuest, until } from './world.ts'

const MIB = 1024 ** 2
const MINUTE_MS = 60_000

describe('a guest', () => {
    let w: MakeWorld
    beforeAll(async () => {
        w = await startMaking('guest')
    })
    afterAll(() => w?.stop())

    /** A serial console: what it said so far, and a way to say something. */
    async function openSerial(uuid: string) {
        const entry = w.inventory.byUuid(uuid)!
        const console: Console = await w.link.connection().openConsole(entry.dom, { force: true })
        let said = ''
        void (async () => {
            for await (const piece of console.output) said += Buffer.from(piece).toString('latin1')
        })().catch(() => undefined)
        const ask = async (command: string, answer: RegExp) => {
            const from = said.length
            await console.write(Buffer.from(`${command}\n`))
            await until(`${answer} after ${command}: ${said.slice(-300)}`, 60_000, () => answer.test(said.slice(from)))
            return said.slice(from)
        }
        return { ask, said: () => said, close: () => console.close() }
    }
    const done = async (uuid: string, change: Change) => {
        const begun = await begin(w.inventory.byUuid(uuid)!, change, { tasks: w.tasks, owner: 'a', dryRun: false })
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
    }

    it('reads its seed under the names that cloud-init looks for, and goes back to a snapshot', async () => {
        const guest = await tinyGuest()
        const request = create(CreateRequestSchema, {
            ...{ name: 'tiny', memoryBytes: BigInt(128 * MIB), vcpus: 1 },
            disks: [{ sizeBytes: BigInt(16 * MIB) }],
            cloudInit: { user: 'ann', networkConfig: 'version: 2\nethernets: {}\n' },
        })
        const begun = await beginCreate(w.deps, request, 'ann')
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
        const uuid = begun.object
        const { xml } = await w.inventory.inactiveXml(uuid)
        const boot = `<kernel>${guest.kernelPath}</kernel><initrd>${guest.initrdPath}</initrd><cmdline>${guest.commandLine}</cmdline></os>`
        const path = join(w.world.folder, 'tiny.xml')
        await writeFile(path, xml.replace('</os>', boot))
        await w.world.virsh(['define', path])
        await w.world.virsh(['start', 'tiny', '--paused'])
        await until('the guest to be there', 10_000, () => w.inventory.byUuid(uuid)!.active)
        const serial = await openSerial(uuid)
        await w.world.virsh(['resume', 'tiny'])
        await until('the marker', 120_000, () => serial.said().includes(guest.marker))

        const seen = await serial.ask('mount -t iso9660 /dev/sr0 /mnt; ls /mnt; cat /mnt/meta-data; echo EN\\D', /END/)
        for (const name of ['user-data', 'meta-data', 'network-config']) expect(seen).toContain(name)
        expect(seen).toContain(`instance-id: ${uuid}`)

        await serial.ask(
            'umount /mnt; echo BEFORE | dd of=/dev/vda conv=fsync,notrunc 2>/dev/null; echo OK$((1+1))',
            /OK2/,
        )
        const ask = { name: 'past', description: '', kind: '', memory: true, quiesce: false }
        await done(uuid, await planCreateSnapshot(w.deps, w.inventory.byUuid(uuid)!, ask))
        await serial.ask('echo AFTER! | dd of=/dev/vda conv=fsync,notrunc 2>/dev/null; PAST=no; echo OK$((2+1))', /OK3/)
        await serial.close()
        await done(uuid, await planRevert(w.deps, w.inventory.byUuid(uuid)!, { name: 'past', start: false }))
        const again = await openSerial(uuid)
        // The shell is the one of then: it never heard of PAST.
        const back = await again.ask(
            'dd if=/dev/vda bs=6 count=1 iflag=direct 2>/dev/null || head -c 6 /dev/vda; echo "past=[$PAST]"',
            /past=\[\w*\]\s/,
        )
        expect(back).toContain('BEFORE')
        expect(back).toContain('past=[]')
        await again.close()
    })

    describe('of Debian', () => {
        // Told by cloud-init once for each instance: what a clone must not share with its source.
        const identity =
            'echo "WHO $(cat /etc/machine-id) $(cut -d" " -f2 /etc/ssh/ssh_host_ed25519_key.pub)' +
            ' $(journalctl -qb -n1 -o cat | wc -l) $(readlink /var/lib/dbus/machine-id) IT-IS" >/dev/ttyS0'
        interface Identity {
            machineId: string
            hostKey: string
            journalLines: string
            dbus: string
        }
        let first: Identity
        let source: string

        /** The DHCP client identifiers by which a MAC has asked for its addresses. */
        const clientsOf = async (mac: string) =>
            (await w.world.virsh(['net-dhcp-leases', 'default', mac]))
                .split('\n')
                .map(line => line.trim().split(/\s+/).at(-1))
                .filter(Boolean)
        const agent = async (command: object) => {
            const said = await w.world.virsh(['qemu-agent-command', source, JSON.stringify(command)])
            return (JSON.parse(said) as { return: unknown }).return
        }
        /** Opens the serial port of a VM that is paused before its first instruction, and lets it go. */
        async function boot(uuid: string): Promise<Identity> {
            await w.world.virsh(['start', uuid, '--paused'])
            await until('the guest to be there', 10_000, () => w.inventory.byUuid(uuid)!.active)
            const serial = await openSerial(uuid)
            await w.world.virsh(['resume', uuid])
            const told = /WHO (\S+) (\S+) (\S+) (\S*) ?IT-IS/
            await until('cloud-init to tell who it is', 12 * MINUTE_MS, () => told.test(serial.said())).catch(late => {
                throw new Error(`${late.message}; the console says: ${serial.said().slice(-2000)}`)
            })
            await serial.close()
            const [, machineId, hostKey, journalLines, dbus] = told.exec(serial.said())!
            return { machineId: machineId!, hostKey: hostKey!, journalLines: journalLines!, dbus: dbus! }
        }

        beforeAll(async () => {
            await copyFile(await debianImage(), join(w.world.imagesDir, 'debian.qcow2'))
            await w.world.virsh(['pool-refresh', 'default'])
            await w.world.virsh(['net-start', 'default'])
            const request = create(CreateRequestSchema, {
                ...{ name: 'web1', memoryBytes: BigInt(512 * MIB), vcpus: 2 },
                disks: [{ from: 'default/debian.qcow2', linked: true }],
                nics: [{ network: 'default' }],
                cloudInit: { commands: [identity] },
            })
            const begun = await beginCreate(w.deps, request, 'ann')
            expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
            source = begun.object
            first = await boot(source)
        }, 15 * MINUTE_MS)

        it(
            'answers by its agent, which freezes its file systems for a snapshot and thaws them again',
            async () => {
                const entry = () => w.inventory.byUuid(source)!
                await until('the agent to be there', 2 * MINUTE_MS, () => entry().agentConnected)
                const guest = await readGuest(w.deps, entry())
                expect(guest).toMatchObject({ agent: true, hostname: 'web1' })
                expect(guest.os).toMatch(/^Debian/)
                expect(guest.filesystems.map(f => f.mountpoint)).toContain('/')
                const card = guest.interfaces.find(one => one.mac === entry().macs[0])
                expect(card?.source).toBe('agent')
                expect(card?.addresses.join()).toMatch(/192\.168\.122\.\d+\/24/)

                const ask = { description: '', kind: 'external', memory: false, quiesce: true }
                const plan = await planCreateSnapshot(w.deps, entry(), { ...ask, name: 'quiet' })
                expect(plan.plan[0]?.sentence).toBe('Freeze the file systems of web1 for a moment')
                await done(source, plan)
                expect(await agent({ execute: 'guest-fsfreeze-status' })).toBe('thawed')
                // The agent keeps a log of what it was asked for.
                const run = (path: string, ...arg: string[]) =>
                    agent({ execute: 'guest-exec', arguments: { path, arg, 'capture-output': true } })
                const { pid } = (await run('/bin/journalctl', '-u', 'qemu-guest-agent', '-o', 'cat')) as { pid: number }
                let log = ''
                await until('the log of the agent', MINUTE_MS, async () => {
                    const told = await agent({ execute: 'guest-exec-status', arguments: { pid } })
                    const { exited, 'out-data': data } = told as { exited: boolean; 'out-data'?: string }
                    log = Buffer.from(data ?? '', 'base64').toString()
                    return exited
                })
                expect(log).toContain('guest-fsfreeze called')

                // Seen as free beforehand, it cannot be made: libvirt fails when all is frozen.
                await symlink('/no/such/folder', join(w.world.imagesDir, 'web1-disk0.broken'))
                const broken = await planCreateSnapshot(w.deps, entry(), { ...ask, name: 'broken' })
                const begun = await begin(entry(), broken, { tasks: w.tasks, owner: 'a', dryRun: false })
                expect(await w.ended(begun.task)).toMatchObject({ state: 'failed' })
                expect(await agent({ execute: 'guest-fsfreeze-status' })).toBe('thawed')
                expect((await listSnapshots(w.link, entry().dom)).map(s => s.name)).toEqual(['quiet'])
                await done(source, await planDeleteSnapshot(w.deps, entry(), { name: 'quiet', children: false }))
            },
            5 * MINUTE_MS,
        )

        it(
            'is somebody else in its clone: machine-id, SSH host keys, and what the network is asked for by',
            async () => {
                const entry = w.inventory.byUuid(source)!
                await done(source, planShutdown(w.deps, entry, { deadlineMs: 2 * MINUTE_MS, force: false }))
                const begun = await beginClone(w.deps, create(CloneRequestSchema, { vm: 'web1', name: 'web2' }), 'ann')
                expect(begun.findings).toEqual([])
                expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
                const second = await boot(begun.object)
                expect(second.machineId).toMatch(/^[0-9a-f]{32}$/)
                expect(second.machineId).not.toBe(first.machineId)
                expect(second.hostKey).not.toBe(first.hostKey)
                // The journal goes on under the new machine-id, and D-Bus has the same.
                expect(second).toMatchObject({ journalLines: '1', dbus: '/etc/machine-id' })
                const [mine, theirs] = await Promise.all([
                    clientsOf(w.inventory.byUuid(begun.object)!.macs[0]!),
                    clientsOf(entry.macs[0]!),
                ])
                expect([mine.length, theirs.length]).toEqual([1, 1])
                // ff, four bytes for the card, then the part that networkd makes of the machine-id.
                const own = (id: string | undefined) => id!.split(':').slice(5).join(':')
                expect(own(mine[0])).not.toBe(own(theirs[0]))
            },
            15 * MINUTE_MS,
        )
    })
})
