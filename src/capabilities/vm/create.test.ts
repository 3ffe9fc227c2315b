// What a create refuses before it looks anything up, and whom it names.
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { CreateRequestSchema } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { beginCreate, type MakeDeps } from './create.ts'

function world(more: Partial<MakeDeps> = {}) {
    const looked: string[] = []
    const look = async (name: string) => {
        looked.push(name)
        throw new Error('looked up')
    }
    const facts = { accelerator: 'tcg', libvirtVersion: 9_000_000, machines: ['q35'], cpuModels: [], maxVcpus: 8 }
    const deps = {
        host: { facts: async () => ({ ...facts, cpus: 8, memoryBytes: 2 ** 40 }) },
        maker: { name: () => false, mac: () => 'secret', take: () => undefined },
        volumes: { find: look, check: look, defaultPool: () => 'default' },
        libvirt: { connection: () => ({ call: look }) },
        ...more,
    } as unknown as MakeDeps
    const begin = (init: MessageInitShape<typeof CreateRequestSchema>) =>
        beginCreate(deps, create(CreateRequestSchema, { name: 'a', memoryBytes: 1n << 30n, vcpus: 1, ...init }), 'ann')
    return { begin, looked }
}
const many = <T>(one: T): T[] => Array.from({ length: 5000 }, () => one)

test.each([
    ['disks', { disks: many({ from: 'default/a' }) }],
    ['isos', { isos: many('default/a.iso') }],
    ['nics', { nics: many({ network: 'lan' }) }],
])('too many %s are refused before one of them is looked up', async (at, init) => {
    const { begin, looked } = world()
    await expect(begin({ ...init, dryRun: true })).rejects.toMatchObject({
        code: 'invalid',
        findings: expect.arrayContaining([expect.objectContaining({ code: `${at}-many` })]),
    })
    expect(looked).toEqual([])
})

test.each([
    [true, 'another VM'],
    [undefined, 'secret'],
])('who has a MAC is named to those who may see all VMs alone', async (hidesVms, said) => {
    const { begin } = world({ hidesVms })
    const refused = begin({ nics: [{ bridge: 'br0', mac: '52:54:00:00:00:09' }], disks: many({ sizeBytes: 1n }) })
    const found = expect.objectContaining({ code: 'mac-taken', detail: `52:54:00:00:00:09 of ${said}` })
    await expect(refused).rejects.toMatchObject({ findings: expect.arrayContaining([found]) })
})
