// The libvirt driver against a real, isolated libvirtd: calls, events, keepalive, and a daemon that dies or hangs.
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Connection } from '../../src/drivers/libvirt/connection.ts'
import { type Libvirt, libvirtErrorOf, openLibvirt, VIR } from '../../src/drivers/libvirt/libvirt.ts'
import { stayConnected } from '../../src/drivers/libvirt/link.ts'
import { PROCEDURES, type Schema, SHAPES } from '../../src/gen/libvirt/protocol.ts'
import { commandOf, domainXml, report, to } from './libvirt-fixtures.ts'
import { type LibvirtWorld, startLibvirt, until } from './world.ts'

const run = promisify(execFile)
/** Some value of a schema, with the objects that exist where references are wanted. */
function anyValue(schema: Schema, field: string, known: Record<string, unknown>): unknown {
    if (typeof schema === 'string') {
        if (known[schema]) return known[schema]
        if (schema === 'int' || schema === 'uint') return /nparams|max|need|ncpus/.test(field) ? 1 : 0
        if (schema === 'hyper' || schema === 'uhyper') return 0n
        if (schema === 'double') return 0
        const shape = SHAPES[schema]!
        if ('cases' in shape) return { type: 1, value: 0 }
        return Object.fromEntries(shape.fields.map(([name, inner]) => [name, anyValue(inner, name, known)]))
    }
    switch (schema[0]) {
        case 'opt':
            return null
        case 'text':
            return ''
        case 'bytes':
            return Buffer.alloc(0)
        case 'block':
            return Buffer.alloc(schema[1])
        case 'fixed':
            return new Array(schema[2]).fill(anyValue(schema[1], field, known))
        case 'list':
            return []
    }
}

describe('a libvirtd', () => {
    let world: LibvirtWorld
    let lv: Libvirt

    beforeAll(async () => {
        world = await startLibvirt({ name: 'driver' })
        lv = await openLibvirt(to(world.socketPath))
    })
    afterAll(() => world?.stop())

    it('says what virsh does to a domain, in order', async () => {
        const heard: [number, number][] = []
        const off = await lv.watch('domain', 'lifecycle', event => {
            // Whether QEMU still says 'shutdown' before it is gone is a race of its own.
            if (event.event === VIR.VIR_DOMAIN_EVENT_SHUTDOWN) return
            if (event.dom.name === 'told') heard.push([event.event, event.detail])
        })
        const file = join(world.folder, 'told.xml')
        await writeFile(file, domainXml('told'))
        await world.virsh(['define', file])
        await world.virsh(['start', 'told'])
        await world.virsh(['destroy', 'told'])
        await world.virsh(['undefine', 'told'])
        await until('the last event', 5_000, () => heard.some(([event]) => event === VIR.VIR_DOMAIN_EVENT_UNDEFINED))
        expect(heard.map(([event]) => event)).toEqual([
            VIR.VIR_DOMAIN_EVENT_DEFINED,
            VIR.VIR_DOMAIN_EVENT_RESUMED,
            VIR.VIR_DOMAIN_EVENT_STARTED,
            VIR.VIR_DOMAIN_EVENT_STOPPED,
            VIR.VIR_DOMAIN_EVENT_UNDEFINED,
        ])
        await off()
        await lv
            .call('domainDefineXML', { xml: domainXml('told') })
            .then(({ dom }) => lv.call('domainUndefine', { dom }))
        expect(heard.length).toBe(5)
    })

    it('gives two clients callback ids that do not get into each other’s way', async () => {
        const other = await openLibvirt(to(world.socketPath))
        const heard: string[] = []
        const off = await lv.watch('domain', 'lifecycle', event => heard.push(`one ${event.callbackID}`))
        await other.watch('domain', 'lifecycle', event => heard.push(`two ${event.callbackID}`))
        await other.watch('network', 'lifecycle', event => heard.push(`network ${event.event}`))
        const { dom } = await lv.call('domainDefineXML', { xml: domainXml('both') })
        await until('both to hear', 5_000, () => heard.length >= 2)
        expect(heard.map(text => text.split(' ')[0]).sort()).toEqual(['one', 'two'])
        const ids = new Set(heard)
        expect(ids.size).toBe(2)
        await lv.call('domainUndefine', { dom })
        await until('both to hear again', 5_000, () => heard.length >= 4)
        await Promise.all([off(), other.close()])
    })

    it('shares one registration among the listeners of a kind, and registers anew after the last has gone', async () => {
        const heard: string[] = []
        const listen = (who: string) => lv.watch('domain', 'lifecycle', () => heard.push(who))
        const [offA, offB] = await Promise.all([listen('a'), listen('b')])
        const { dom } = await lv.call('domainDefineXML', { xml: domainXml('shared') })
        await until('both', 5_000, () => heard.length === 2)
        await offA()
        await lv.call('domainUndefine', { dom })
        await until('the one left', 5_000, () => heard.length === 3)
        const leaving = offB()
        const offC = await listen('c')
        await leaving
        await lv.call('domainUndefine', await lv.call('domainDefineXML', { xml: domainXml('shared') }))
        await until('the new one', 5_000, () => heard.length === 5)
        expect(heard).toEqual(['a', 'b', 'b', 'c', 'c'])
        await offC()
    })

    it('answers errors as Faults with its own words in the detail', async () => {
        await expect(lv.call('domainLookupByName', { name: 'nobody' })).rejects.toMatchObject({
            code: 'not-found',
            detail: expect.stringContaining('nobody'),
        })
        await expect(lv.call('domainDefineXML', { xml: '<domain' })).rejects.toMatchObject({ code: 'invalid' })
        const { dom } = await lv.call('domainDefineXML', { xml: domainXml('off') })
        await expect(lv.call('domainShutdown', { dom })).rejects.toMatchObject({ code: 'precondition' })
        await expect(lv.call('domainDefineXML', { xml: domainXml('off') })).rejects.toMatchObject({ code: 'exists' })
        await lv.call('domainUndefine', { dom })
    })

    it('answers typed parameters, strings too', async () => {
        const { dom } = await lv.call('domainCreateXML', { xml_desc: domainXml('tuned'), flags: 0 })
        expect(await lv.readParams('domainGetMemoryParameters', { dom }).catch(fault => fault.code)).toBeDefined()
        const numa = await lv
            .readParams('domainGetNumaParameters', { dom, flags: VIR.VIR_DOMAIN_AFFECT_CONFIG })
            .catch(async () => lv.readParams('domainGetNumaParameters', { dom }))
        expect(numa).toHaveProperty('numa_nodeset')
        await lv.call('domainDestroy', { dom })
    })

    it('answers every call that only looks, or refuses it with a reason: nothing is unreadable', async () => {
        const { dom } = await lv.call('domainCreateXML', { xml_desc: domainXml('looked-at') })
        const xml = `<pool type='dir'><name>looked-at</name><target><path>${world.imagesDir}</path></target></pool>`
        const { pool } = await lv.call('storagePoolCreateXML', { xml })
        const { vol } = await lv.call('storageVolCreateXML', {
            pool,
            xml: '<volume><name>x</name><capacity>4096</capacity></volume>',
        })
        const { net } = await lv.call('networkLookupByName', { name: 'default' })
        const known = { DomainRef: dom, StoragePoolRef: pool, StorageVolRef: vol, NetworkRef: net }
        const ask = lv.call as unknown as (name: string, args: unknown, options: object) => Promise<unknown>
        const outcome = { answered: 0, refused: 0, unreadable: [] as string[] }
        for (const [name, procedure] of Object.entries(PROCEDURES)) {
            if (!procedure.reads || procedure.message || procedure.stream) continue
            if (/^auth|^connect(Open|Close)$|Register|^connectSetIdentity/.test(name)) continue
            const args = procedure.args && anyValue(procedure.args, '', known)
            await ask(name, args, { deadlineMs: 20_000 }).then(
                () => outcome.answered++,
                fault => {
                    if (libvirtErrorOf(fault)) outcome.refused++
                    else outcome.unreadable.push(`${name}: ${fault}`)
                },
            )
        }
        report(`${outcome.answered} reading calls answered, ${outcome.refused} refused`)
        expect(outcome.unreadable).toEqual([])
        expect(outcome.answered).toBeGreaterThan(80)
        await lv.call('domainDestroy', { dom })
    })

    it('finishes what it was asked although the asker has gone: a disconnect cancels nothing', async () => {
        const { dom } = await lv.call('domainCreateXML', { xml_desc: domainXml('left-alone') })
        const qemu = (await world.qemuPids()).at(-1)!
        process.kill(qemu, 'SIGSTOP')
        const gone = await Connection.open(to(world.socketPath))
        const asked = gone.call('domainSuspend', { dom }).catch(fault => fault.code)
        // Behind it in the same connection: when this is answered, libvirtd has taken the first too.
        await gone.call('connectGetLibVersion')
        gone.abandon()
        expect(await asked).toBe('unknown')
        process.kill(qemu, 'SIGCONT')
        await until('the domain to be paused all the same', 10_000, async () => {
            const { state } = await lv.call('domainGetState', { dom })
            return state === VIR.VIR_DOMAIN_PAUSED
        })
        await lv.call('domainDestroy', { dom })
    })

    it('may be asked in bursts: 2000 calls at once, four at a time', async () => {
        const began = performance.now()
        await Promise.all(Array.from({ length: 2000 }, () => lv.call('connectGetLibVersion')))
        const rate = Math.round(2000 / ((performance.now() - began) / 1000))
        report(`calls: ${rate} a second, four in flight`)
        expect(lv.ended).toBeUndefined()
    })
})

describe('a libvirtd that pings every second', () => {
    let world: LibvirtWorld
    beforeAll(async () => {
        world = await startLibvirt({ name: 'ping', libvirtdConf: ['keepalive_interval = 1', 'keepalive_count = 2'] })
    })
    afterAll(() => world?.stop())

    it('drops a silent client, and keeps one that answers even with more slow calls than it takes at a time', async () => {
        const options = { ...to(world.socketPath), keepalive: { intervalMs: 60_000, count: 5 } }
        const busy = await Connection.open(options)
        const calm = await Connection.open({ ...options, keepalive: { intervalMs: 500, count: 5 } })
        const silent = await Connection.open({ ...options, answerPings: false })
        // A guest whose QEMU is stopped answers nothing: calls to its monitor hang until it goes on.
        const { dom } = await calm.call('domainCreateXML', { xml_desc: domainXml('stuck'), flags: 0 })
        const [qemu] = await world.qemuPids()
        process.kill(qemu!, 'SIGSTOP')
        const slow = Array.from({ length: 8 }, () =>
            busy.call('qemuDomainMonitorCommand', { dom, cmd: '{"execute":"query-status"}' }, { deadlineMs: 60_000 }),
        )
        const began = performance.now()
        await new Promise(resolve => silent.onClose(resolve))
        const silentMs = performance.now() - began
        expect(silentMs).toBeLessThan(20_000)
        // A client that is heard anyway gets no pings: the calm one sends its own.
        await until('six pings answered', 20_000, () => busy.seen.pings >= 6 && calm.seen.pongs >= 6)
        expect([busy.ended, calm.ended]).toEqual([undefined, undefined])
        process.kill(qemu!, 'SIGCONT')
        const answers = await Promise.all(slow)
        expect(answers.every(({ result }) => result.includes('running'))).toBe(true)
        await calm.call('domainDestroy', { dom })
        await Promise.all([busy.close(), calm.close()])
    })
})

describe('a libvirtd that dies or hangs', () => {
    let world: LibvirtWorld
    beforeAll(async () => {
        world = await startLibvirt({ name: 'mortal' })
    })
    afterAll(() => world?.stop())

    it('killed: what was under way is answered at once, the link comes back with its events, the guest lives', async () => {
        const link = stayConnected(to(world.socketPath))
        const [ups, downs, events]: [Libvirt[], number[], string[]] = [[], [], []]
        link.onUp(connection => ups.push(connection))
        link.onDown(() => downs.push(performance.now()))
        link.onEvent(event => {
            if (event.noun === 'domain' && event.kind === 'lifecycle') events.push(event.event.dom.name)
        })
        expect(() => link.connection()).toThrow(expect.objectContaining({ code: 'unavailable' }))
        await until('the link to come up', 10_000, () => link.up)
        const lv = link.connection()
        const { dom } = await lv.call('domainCreateXML', { xml_desc: domainXml('survivor'), flags: 0 })
        const [qemu] = await world.qemuPids()
        process.kill(qemu!, 'SIGSTOP')
        const change = lv.call('qemuDomainMonitorCommand', { dom, cmd: '{"execute":"query-status"}' })
        const look = lv.call('domainGetBlockInfo', { dom, path: 'vda' }).catch(fault => fault)
        const began = performance.now()
        const killed = world.kill()
        await expect(change).rejects.toMatchObject({ code: 'unknown' })
        await look
        report(`pending calls rejected ${Math.round(performance.now() - began)} ms after kill -9 began`)
        await killed
        process.kill(qemu!, 'SIGCONT')
        expect(downs.length).toBe(1)
        expect(() => link.connection()).toThrow(expect.objectContaining({ fix: expect.stringContaining('systemctl') }))

        const restarting = performance.now()
        await world.restart()
        await until('the link to come back', 15_000, () => link.up)
        report(`link back ${Math.round(performance.now() - restarting)} ms after restart began`)
        expect(ups.length).toBe(2)
        const { domains } = await link.connection().call('connectListAllDomains', { need_results: 1, flags: 0 })
        expect(domains.map(({ name }) => name)).toEqual(['survivor'])
        events.length = 0
        await world.virsh(['destroy', 'survivor'])
        await until('an event after the reconnect', 5_000, () => events.includes('survivor'))
        await link.close()
        expect(link.up).toBe(false)
        expect(downs.length).toBe(1)
    })

    it('stopped: open() meets its deadline, a link that was up goes down by its own pings', async () => {
        const connection = await Connection.open({
            ...to(world.socketPath),
            keepalive: { intervalMs: 200, count: 3 },
        })
        // The nsenter before libvirtd stops itself when its child stops, and must be woken too.
        const ours = (await run('pgrep', ['-f', `${world.folder}/etc/libvirtd.conf`])).stdout
            .trim()
            .split('\n')
            .map(Number)
        const named = await Promise.all(ours.map(commandOf))
        process.kill(ours[named.indexOf('libvirtd')]!, 'SIGSTOP')
        try {
            const began = performance.now()
            const opening = openLibvirt({ ...to(world.socketPath), openDeadlineMs: 700 })
            await expect(opening).rejects.toMatchObject({ code: 'unavailable', summary: 'libvirtd does not answer' })
            expect(performance.now() - began).toBeLessThan(1500)
            await until('the old connection to give up', 5_000, () => connection.ended !== undefined)
        } finally {
            for (const pid of ours) process.kill(pid, 'SIGCONT')
        }
        const again = await openLibvirt(to(world.socketPath))
        await again.close()
    })
})
