// Pools that are not whole, that count errors, that are full.
import { expect, it } from 'vitest'
import { fakeSystem } from '../../../ports/fake.ts'
import { zfsHealth } from './health.ts'

const look = (list: string, status: string) =>
    zfsHealth.look(
        fakeSystem({
            files: { '/usr/sbin/zpool': '' },
            tools: [
                { argv: argv => argv[1] === 'list', answer: { stdout: list } },
                { argv: argv => argv[1] === 'status', answer: { stdout: status } },
            ],
        }),
    )

const TROUBLE = `  pool: tank
 state: ONLINE
status: One or more devices has experienced an unrecoverable error.
errors: No known data errors
`

it('has nothing to say of healthy pools, nor where there is no ZFS', async () => {
    expect(await look('tank\tONLINE\t12\n', 'all pools are healthy\n')).toEqual([])
    expect(await zfsHealth.look(fakeSystem())).toEqual([])
})

it('tells of each trouble once', async () => {
    const codes = async (list: string, status: string) =>
        (await look(list, status)).map(({ severity, code }) => [severity, code])
    expect(await codes('tank\tONLINE\t91\n', TROUBLE)).toEqual([
        ['warning', 'pool-full'],
        ['warning', 'pool-errors'],
    ])
    expect(await codes('tank\tDEGRADED\t12\n', TROUBLE.replace('ONLINE', 'DEGRADED'))).toEqual([
        ['warning', 'pool-health'],
    ])
    expect(await codes('tank\tSUSPENDED\t12\n', TROUBLE.replace('ONLINE', 'SUSPENDED'))).toEqual([
        ['error', 'pool-health'],
    ])
})
