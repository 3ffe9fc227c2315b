// Live migration through the driver: two isolated libvirtds, peer to peer over Unix sockets, there, back, and aborted.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
    type DomainRef,
    fromParams,
    type Libvirt,
    openLibvirt,
    type ParamInput,
    toParams,
    ullong,
    VIR,
} from '../../src/drivers/libvirt/libvirt.ts'
import { guestXml, report, to } from './libvirt-fixtures.ts'
import { type LibvirtWorld, startLibvirt, until } from './world.ts'

interface Side {
    world: LibvirtWorld
    lv: Libvirt
}

async function makeSide(name: string, hostUuid: string): Promise<Side> {
    // libvirt tells hosts apart by their UUID and refuses to migrate to its own.
    const world = await startLibvirt({ name, libvirtdConf: [`host_uuid = "${hostUuid}"`] })
    return { world, lv: await openLibvirt(to(world.socketPath)) }
}

describe('two libvirtds', () => {
    let sides: [Side, Side]
    beforeAll(async () => {
        sides = [
            await makeSide('here', '11111111-1111-4111-8111-111111111111'),
            await makeSide('there', '22222222-2222-4222-8222-222222222222'),
        ]
    })
    afterAll(() => Promise.all((sides ?? []).map(({ world }) => world.stop())))

    const domainsOf = async ({ lv }: Side): Promise<DomainRef[]> =>
        (await lv.call('connectListAllDomains', { need_results: 1 })).domains

    /** On a connection of its own: it takes as long as it takes, and progress is asked for on the other. */
    const migrate = (from: Side, target: Side, more: Record<string, ParamInput> = {}) =>
        domainsOf(from).then(([dom]) =>
            from.lv.callAlone(
                'domainMigratePerform3Params',
                {
                    dom: dom!,
                    dconnuri: target.world.uri,
                    cookie_in: Buffer.alloc(0),
                    flags: VIR.VIR_MIGRATE_LIVE | VIR.VIR_MIGRATE_PEER2PEER,
                    params: toParams({
                        [VIR.VIR_MIGRATE_PARAM_URI]: `unix://${target.world.folder}/migrate-${Date.now()}.sock`,
                        ...more,
                    }),
                },
                { deadlineMs: 120_000 },
            ),
        )

    it('hand a running guest to one another and back, and it still answers', async () => {
        const [here, there] = sides
        const { dom } = await here.lv.call('domainCreateXML', { xml_desc: await guestXml('mover', false) })
        await shellOf(here, dom)
        for (const [from, target] of [
            [here, there],
            [there, here],
        ] as const) {
            let downtime: unknown
            const off = await from.lv.watch('domain', 'jobCompleted', event => {
                downtime = fromParams(event.params).downtime
            })
            const began = performance.now()
            await migrate(from, target)
            const tookMs = Math.round(performance.now() - began)
            await until('the end of the job to be told', 5_000, () => downtime !== undefined)
            report(`live migration ${tookMs} ms, downtime ${downtime} ms`)
            expect([(await domainsOf(from)).length, (await domainsOf(target)).length]).toEqual([0, 1])
            await off()
        }
        await shellOf(here, (await domainsOf(here))[0]!)
    })

    it('tell how far a migration is, and leave the guest where it was when it is aborted', async () => {
        const [here, there] = sides
        const [dom] = await domainsOf(here)
        const outcome = migrate(here, there, { [VIR.VIR_MIGRATE_PARAM_BANDWIDTH]: ullong(1) }).catch(fault => fault)
        await until('progress', 20_000, async () => {
            const { type, params } = await here.lv.call('domainGetJobStats', { dom: dom! })
            return type !== VIR.VIR_DOMAIN_JOB_NONE && Number(fromParams(params).memory_processed ?? 0) > 0
        })
        const began = performance.now()
        await here.lv.call('domainAbortJob', { dom: dom! })
        expect(await outcome).toMatchObject({ code: 'cancelled' })
        report(`abort of a migration ${Math.round(performance.now() - began)} ms`)
        expect(await domainsOf(there)).toEqual([])
        expect(await here.lv.call('domainGetState', { dom: dom! })).toMatchObject({ state: VIR.VIR_DOMAIN_RUNNING })
        await here.lv.call('domainDestroy', { dom: dom! })
    })
})

/** Resolves when the guest's shell answers on its console. */
async function shellOf(side: Side, dom: DomainRef): Promise<void> {
    const console = await side.lv.openConsole(dom)
    let said = ''
    const listening = (async () => {
        for await (const bytes of console.output) said += Buffer.from(bytes).toString('latin1')
    })()
    listening.catch(() => {})
    await until('the shell of the guest', 120_000, async () => {
        if (said.includes('42-alive')) return true
        await console.write(Buffer.from('echo $((6 * 7))-alive\r'))
        return false
    })
    await console.close()
    await listening
}
