// What a cluster says of itself, for those who are told when something is wrong.
import { expect, it } from 'vitest'
import { fakeSystem } from '../../../ports/fake.ts'
import { cephHealth } from './health.ts'
import { HEALTH } from './keys.ts'

const look = (stdout: string) =>
    cephHealth.look(
        fakeSystem({
            files: { [HEALTH.path]: '' },
            tools: [{ argv: argv => argv.includes('status'), answer: { stdout } }],
        }),
    )
const check = (severity: string, message: string) => ({ severity, summary: { message } })

it('has nothing to say where there is no cluster, or all is well', async () => {
    expect(await cephHealth.look(fakeSystem())).toEqual([])
    expect(await look(JSON.stringify({ fsid: 'f', health: { status: 'HEALTH_OK', checks: {} } }))).toEqual([])
})

it('tells each check with its weight, and that nobody answers', async () => {
    const checks = {
        OSD_DOWN: check('HEALTH_WARN', '1 osds down'),
        PG_DAMAGED: check('HEALTH_ERR', '1 pg inconsistent'),
    }
    const said = await look(JSON.stringify({ fsid: 'f', health: { status: 'HEALTH_ERR', checks } }))
    expect(said.map(({ severity, code, at }) => [severity, code, at])).toEqual([
        ['warning', 'ceph-osd-down', 'ceph:cluster'],
        ['error', 'ceph-pg-damaged', 'ceph:cluster'],
    ])
    expect(await look('')).toMatchObject([{ severity: 'error', code: 'ceph-away' }])
})
