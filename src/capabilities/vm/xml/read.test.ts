// What is read of definitions that a real libvirt wrote: each case a folder with the XML and what was made of it.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { create, toJsonString } from '@bufbuild/protobuf'
import { describe, expect, test } from 'vitest'
import { expectGolden } from '../../../../tests/golden.ts'
import { VmDetailSchema, VmSchema } from '../../../gen/proto/capabilities/vm/vm_pb.js'
import type { VolumeFacts } from '../volumes.ts'
import { readDetail } from './read.ts'
import { pendingChanges, readSummary } from './read-summary.ts'

const folder = join(import.meta.dirname, '../testdata')
const cases = readdirSync(folder).filter(name => name.startsWith('read-'))

const volumeAt = (source: string): VolumeFacts | undefined =>
    source.startsWith('/srv/world/images/')
        ? {
              pool: 'default',
              name: source.slice('/srv/world/images/'.length),
              path: source,
              poolType: 'dir',
              format: 'qcow2',
              capacityBytes: 64 << 20,
              allocationBytes: 200_704,
          }
        : undefined

const read = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined)

test('there are cases', () => expect(cases.length).toBeGreaterThan(1))

describe.each(cases)('%s', name => {
    const inactiveXml = read(join(folder, name, 'inactive.xml'))!
    const activeXml = read(join(folder, name, 'active.xml'))

    test('the detail', () => {
        const detail = readDetail({
            vm: create(VmSchema, { name }),
            revision: 'r',
            inactiveXml,
            activeXml,
            snapshots: 0,
            agentConnected: false,
            volumeAt,
        })
        const text = `${toJsonString(VmDetailSchema, detail, { prettySpaces: 4, alwaysEmitImplicit: true })}\n`
        expectGolden(join(folder, name, 'detail.json'), text)
    })

    test('the summary', () => {
        const { facts, ...summary } = readSummary(activeXml ?? inactiveXml)
        const text = JSON.stringify({ ...summary, facts: Object.fromEntries(facts) }, null, 4)
        expectGolden(join(folder, name, 'summary.json'), `${text}\n`)
    })
})

test('what runs and the same definition again differ in nothing', () => {
    const active = readSummary(read(join(folder, 'read-pending', 'active.xml'))!)
    expect(pendingChanges(active, active)).toEqual([])
})
