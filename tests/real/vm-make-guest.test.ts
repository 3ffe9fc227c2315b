// What a guest sees of the VM that was made for it: its seed, its disk, and its own past after a revert.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { begin, type Change } from '../../src/capabilities/vm/begin.ts'
import { beginCreate } from '../../src/capabilities/vm/create.ts'
import { planCreateSnapshot } from '../../src/capabilities/vm/snapshots.ts'
import { planRevert } from '../../src/capabilities/vm/snapshots-back.ts'
import type { Console } from '../../src/drivers/libvirt/libvirt.ts'
import { CreateRequestSchema } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { type MakeWorld, startMaking } from './vm-make-world.ts'
import { tinyGuest, until } from './world.ts'

const MIB = 1024 ** 2

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
})
