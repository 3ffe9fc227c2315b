// A thin pool of LVM: what is planned for a document and what is seen; each a story in a folder of testdata.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { expectGolden } from '../../../../tests/golden.ts'
import { readDocument } from '../../../engine/document.ts'
import { textOf } from '../../../engine/testing/text.ts'
import { parseMembers } from '../lvm-report.ts'
import { mountUnit } from '../mount-unit.ts'
import { checkStorage, storageSpec } from '../spec.ts'
import { parseGroups, parseVolumes } from './lvm.ts'
import { type LvmDisk, type LvmSeen, planLvm } from './plan.ts'

const folder = join(import.meta.dirname, 'testdata')
const schema = z.object({ profile: z.enum(['ceph', 'zfs', 'mixed']), storage: storageSpec.prefault({}) })

interface Seen extends Partial<Omit<LvmSeen, 'disks' | 'groups' | 'members' | 'volumes'>> {
    /** id → what is said of it: `blank`, `system`, or the signatures; /dev/vdb, /dev/vdc and so on. */
    disks: Record<string, string>
    vgs?: object
    pvs?: object
    lvs?: object
    mounted?: boolean
    agreed?: Record<string, string | null>
}

const diskOf = ([id, said]: [string, string], at: number): LvmDisk => ({
    ...{ id: `/dev/disk/by-id/${id}`, path: `/dev/vd${'bcdefgh'[at]}`, system: said === 'system', removable: false },
    ...{ readOnly: false, blank: said === 'blank', mountpoints: [], fingerprint: said },
    words: `12 GiB, ${said === 'blank' ? 'blank' : `holds ${said}`}`,
})

describe.each(readdirSync(folder))('a thin pool: %s', name => {
    it('is planned so', () => {
        const at = (file: string) => join(folder, name, file)
        const { document, findings } = readDocument(readFileSync(at('want.yaml'), 'utf8'), schema, [checkStorage])
        if (!document) {
            const told = findings.map(f => `line ${f.line}: ${f.at}: ${f.summary} (${f.detail ?? ''}) → ${f.fix}\n`)
            return expectGolden(at('plan.txt'), told.join(''))
        }
        const {
            disks,
            vgs,
            pvs,
            lvs,
            mounted = false,
            agreed: yes,
            ...rest
        } = JSON.parse(readFileSync(at('seen.json'), 'utf8')) as Seen
        const seen: LvmSeen = {
            ...{ disks: Object.entries(disks).map(diskOf), groups: parseGroups(JSON.stringify(vgs ?? '')) },
            ...{ members: parseMembers(JSON.stringify(pvs ?? '')), volumes: parseVolumes(JSON.stringify(lvs ?? '')) },
            ...{ groupMade: false, volumeMade: false, mount: { enabled: mounted, active: mounted }, ...rest },
        }
        const agreed = new Map(
            Object.entries(yes ?? {}).map(([id, print]) => [
                id.includes(':') ? id : `disk:/dev/disk/by-id/${id}`,
                print ?? undefined,
            ]),
        )
        expectGolden(at('plan.txt'), textOf('storage.lvm.pool', planLvm(document.storage.lvm!, seen, agreed), agreed))
    })
})

it('names a mount as systemd does', () => {
    expect(mountUnit('/srv/lvm')).toBe('srv-lvm.mount')
    expect(mountUnit('/srv/my-data/.x')).toBe('srv-my\\x2ddata-.x.mount')
    expect(mountUnit('/.hidden')).toBe('\\x2ehidden.mount')
})
