// What disks say of themselves, in the two forms of smartctl's JSON. (Shortened from smartmontools' own test data forms.)
import { expect, it } from 'vitest'
import { fakeSystem } from '../../ports/fake.ts'
import { diskFindings, disksHealth } from './health.ts'
import { parseSmart } from './smartctl.ts'

const ata = (passed: boolean, raw: Record<number, number>) =>
    JSON.stringify({
        smart_status: { passed },
        ata_smart_attributes: {
            table: Object.entries(raw).map(([id, value]) => ({
                id: Number(id),
                raw: { value, string: String(value) },
            })),
        },
    })
const disk = { id: '/dev/disk/by-id/ata-ACME_1', model: 'ACME 4000' }

it('a disk that counts nothing bad is fine; hours and temperature are no signs', () => {
    expect(diskFindings(disk, parseSmart(ata(true, { 5: 0, 9: 31000, 194: 38, 197: 0, 198: 0 })))).toEqual([])
})

it('a disk that shows signs is told of with them, one that fails as such', () => {
    const [sign] = diskFindings(disk, parseSmart(ata(true, { 5: 8, 197: 1 })))
    expect(sign).toMatchObject({ severity: 'warning', code: 'disk-signs', at: `disk:${disk.id}` })
    expect(sign!.detail).toContain('8 sectors moved to spare ones; 1 sectors that cannot be read')
    const failing = diskFindings(disk, parseSmart(ata(false, { 5: 900 })))
    expect(failing).toMatchObject([{ severity: 'error', code: 'disk-failing' }])
})

it('says so where disks cannot be asked, instead of that all is well', async () => {
    expect(await disksHealth.look(fakeSystem())).toMatchObject([{ code: 'no-smartctl', severity: 'warning' }])
})

it('reads NVMe in its own words', () => {
    const nvme = (log: object) =>
        parseSmart(JSON.stringify({ smart_status: { passed: true }, nvme_smart_health_information_log: log })).signs
    expect(nvme({ media_errors: 0, percentage_used: 3, available_spare: 100, available_spare_threshold: 10 })).toEqual(
        [],
    )
    expect(nvme({ media_errors: 2, percentage_used: 104, available_spare: 9, available_spare_threshold: 10 })).toEqual([
        '2 media errors',
        'worn out: 104% of its expected life',
        '9% of its spare blocks left',
    ])
})

it('a disk without SMART, or asleep, says nothing', () => {
    expect(diskFindings(disk, parseSmart('{"smartctl":{"exit_status":2}}'))).toEqual([])
    expect(diskFindings(disk, parseSmart('Device is in STANDBY mode'))).toEqual([])
})
