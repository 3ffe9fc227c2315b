// Requests and what they become: findings and plan in words, and libvirt's XML.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { describe, it } from 'vitest'
import { expectGolden } from '../../../tests/golden.ts'
import { CreateRequestSchema } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { planCreate } from './plan-create.ts'
import { checkWant, type HostFacts } from './spec.ts'
import type { VolumeFacts } from './volumes.ts'
import { wantOf } from './want.ts'
import { buildDomain } from './xml/build.ts'

const folder = join(import.meta.dirname, 'testdata')
const cases = readdirSync(folder).filter(name => existsSync(join(folder, name, 'want.json')))

const volume = (ref: string, more: Partial<VolumeFacts>): VolumeFacts => {
    const [pool = '', name = ''] = ref.split('/')
    const block = pool === 'fast'
    return {
        pool,
        name,
        path: block ? `/dev/${pool}/${name}` : `/srv/${pool}/${name}`,
        poolType: block ? 'logical' : 'dir',
        format: block ? 'raw' : 'qcow2',
        capacityBytes: 20 * 1024 ** 3,
        allocationBytes: 0,
        ...more,
    }
}

describe.each(cases)('create: %s', name => {
    const at = (file: string) => join(folder, name, file)
    const said = JSON.parse(readFileSync(at('want.json'), 'utf8')) as { host?: Partial<HostFacts>; request: JsonValue }
    const host: HostFacts = {
        accelerator: 'kvm',
        libvirtVersion: 11_003_000,
        machines: ['q35', 'pc', 'pc-q35-10.0', 'pc-i440fx-10.0'],
        cpuModels: ['EPYC', 'Skylake-Server', 'qemu64'],
        uefi: true,
        secureBoot: true,
        tpm: true,
        maxVcpus: 288,
        cpus: 16,
        memoryBytes: 64 * 1024 ** 3,
        ...said.host,
    }
    const want = wantOf(fromJson(CreateRequestSchema, said.request), 'ann')
    const names = {
        disks: want.disks.map((disk, i) => disk.existing || `${disk.pool || 'default'}/${want.name}-disk${i}`),
        seed: want.seed ? `default/${want.name}-seed.iso` : '',
        networks: want.start ? ['lan'] : [],
    }
    const findings = checkWant(want, host, {
        name: taken => taken === 'taken',
        mac: mac => (mac === '52:54:00:00:00:01' ? 'other' : undefined),
    })

    it('says what it finds and what it would do', () => {
        const lines = [
            ...findings.map(
                f => `${f.severity} ${f.code} at ${f.at}: ${f.summary} (${f.detail ?? ''}) → ${f.fix ?? ''}`,
            ),
            ...(findings.some(f => f.severity === 'error') ? [] : planCreate(want, names).map(s => `- ${s.sentence}`)),
        ]
        expectGolden(at('plan.txt'), `${lines.join('\n')}\n`)
    })

    // What is refused becomes nothing.
    if (findings.some(f => f.severity === 'error')) return
    it('becomes this XML', () => {
        const xml = buildDomain({
            want,
            uuid: '4d0fe1b2-8d3c-4b0c-9a51-0f6f3a9c7e21',
            disks: names.disks.map((ref, i) =>
                volume(ref, want.disks[i]!.format ? { format: want.disks[i]!.format } : {}),
            ),
            isos: want.isos.map(ref => volume(ref, { format: 'iso' })),
            seed: names.seed ? volume(names.seed, { format: 'raw' }) : undefined,
            macs: want.nics.map((nic, i) => nic.mac || `52:54:00:aa:00:0${i}`),
            accelerator: host.accelerator,
            vncSocket: '/run/debvisor/vnc/4d0fe1b2-8d3c-4b0c-9a51-0f6f3a9c7e21.sock',
        })
        expectGolden(at('domain.xml'), xml)
    })
})
