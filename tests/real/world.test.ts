// The isolated world itself: it runs guests, guests outlive libvirtd, and nothing of it stays behind.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LibvirtWorld, startEtcd, startLibvirt, type TinyGuest, tinyGuest, until } from './world.ts'

const isAlive = (pid: number) => existsSync(`/proc/${pid}`)

describe('an isolated libvirtd', () => {
    let world: LibvirtWorld
    let guest: TinyGuest
    beforeAll(async () => {
        guest = await tinyGuest()
        world = await startLibvirt({ name: 'selftest' })
    })
    afterAll(() => world?.stop())

    it('runs a guest that survives a killed libvirtd and obeys the power button', async () => {
        const serial = join(world.folder, 'serial.log')
        const xml = `<domain type='qemu'><name>tiny</name><memory unit='MiB'>128</memory><vcpu>1</vcpu>
            <os><type arch='x86_64' machine='q35'>hvm</type><kernel>${guest.kernelPath}</kernel>
            <initrd>${guest.initrdPath}</initrd><cmdline>${guest.commandLine}</cmdline></os>
            <features><acpi/></features><cpu mode='maximum'/>
            <devices><serial type='file'><source path='${serial}'/></serial></devices></domain>`
        const file = join(world.folder, 'tiny.xml')
        await world.enter(['sh', '-c', `cat >${file} <<'XML'\n${xml}\nXML`])
        await world.virsh(['define', file])
        await world.virsh(['start', 'tiny'])
        await until('the guest to be up', 90_000, async () => (await readFile(serial, 'utf8')).includes(guest.marker))

        const [pid] = await world.qemuPids()
        await world.kill()
        expect(isAlive(pid!)).toBe(true)
        await world.restart()
        expect(await world.qemuPids()).toEqual([pid])
        expect((await world.virsh(['domstate', 'tiny'])).trim()).toBe('running')

        await world.virsh(['shutdown', 'tiny', '--mode', 'acpi'])
        await until('the guest to end', 30_000, async () =>
            (await world.virsh(['domstate', 'tiny'])).includes('shut off'),
        )
    })

    it('has a network of its own', async () => {
        const before = await readFile('/proc/net/dev', 'utf8')
        await world.virsh(['net-start', 'default'])
        expect(await world.enter(['ip', '-brief', 'link'])).toContain('virbr0')
        expect((await readFile('/proc/net/dev', 'utf8')).includes('virbr0')).toBe(before.includes('virbr0'))
        await world.virsh(['net-destroy', 'default'])
    })

    it('leaves nothing behind', async () => {
        const other = await startLibvirt({ name: 'gone' })
        const [init] = other.enterPrefix().filter(word => /^\d+$/.test(word))
        expect(isAlive(Number(init))).toBe(true)
        await other.stop()
        expect(existsSync(other.folder)).toBe(false)
        expect(isAlive(Number(init))).toBe(false)
    })
})

describe('an etcd of its own', () => {
    it('keeps its data over a kill', async () => {
        const etcd = await startEtcd()
        try {
            const base64 = (text: string) => Buffer.from(text).toString('base64')
            const call = async (what: string, body: object) => {
                const answer = await fetch(`${etcd.endpoints[0]}/v3/kv/${what}`, {
                    method: 'POST',
                    body: JSON.stringify(body),
                })
                return JSON.stringify(await answer.json())
            }
            await call('put', { key: base64('k'), value: base64('kept') })
            await etcd.kill()
            await etcd.restart()
            expect(await call('range', { key: base64('k') })).toContain(base64('kept'))
        } finally {
            await etcd.stop()
        }
        expect(existsSync(etcd.folder)).toBe(false)
    })
})
