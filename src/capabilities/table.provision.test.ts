// The whole document: the smallest one is one, its sections do not get in each other's way, and the firewall knows them all.
import { expect, it } from 'vitest'
import { readDocument } from '../engine/document.ts'
import { fakeSystem } from '../ports/fake.ts'
import type { FirewallWant } from './firewall/plan.ts'
import { checks, documentSchema, resources, sample } from './table.provision.ts'

const read = (text: string) => readDocument(text, documentSchema, checks)
const rulesOf = (text: string) => {
    const firewall = resources.find(({ name }) => name === 'firewall.rules')!
    return (firewall.want(read(text).document) as FirewallWant).rules
}
const opened = (text: string) => [...rulesOf(text).matchAll(/proto-dst (\S+) accept/g)].map(([, port]) => port)

it('takes the profile alone as a document, and what init writes', async () => {
    expect(read('profile: zfs').findings).toEqual([])
    const text = await sample(fakeSystem({ hostname: 'n1' }), 'zfs')
    expect(read(text)).toMatchObject({ findings: [], document: { profile: 'zfs', node: { hostname: 'n1' } } })
})

it('opens what the sections open, each port once', () => {
    expect(opened('profile: zfs')).toEqual(expect.arrayContaining(['22', '8443', '9090', '9443']))
    expect(opened('profile: zfs\ncockpit: { enabled: false }')).not.toContain('9090')
    expect(opened('profile: zfs\nusers: { ssh: { from: [] } }')).not.toContain('22')
    const names = resources.flatMap(one => {
        const want = one.want(read('profile: zfs').document)
        return want === undefined ? [] : (one.openings?.(want) ?? []).map(({ port, protocol }) => `${port}/${protocol}`)
    })
    expect(new Set(names).size).toBe(names.length)
})

it('opens what Ceph needs to the cluster alone, and only where there is Ceph', () => {
    const ceph = rulesOf('profile: ceph')
        .split('\n')
        .filter(line => /proto-dst (3300|6789|6800-7568) /.test(line))
    expect(ceph).toHaveLength(6)
    for (const line of ceph) expect(line).toMatch(/ip6? saddr @cluster[46] /)
    expect(rulesOf('profile: zfs')).not.toContain('6800')
})

it('gives a new document on Ceph the id of its cluster', async () => {
    const text = await sample(fakeSystem({ hostname: 'n1' }), 'ceph')
    expect(read(text)).toMatchObject({ findings: [{ code: 'ceph-new' }], document: { profile: 'ceph' } })
    expect(read(text).document?.storage.ceph.fsid).toMatch(/^[0-9a-f-]{36}$/)
    expect(text).not.toBe(await sample(fakeSystem({ hostname: 'n1' }), 'ceph'))
})

it('lets VMs be neighbours on the bridges that the network section makes, or on br0', () => {
    const bridges = (text: string) =>
        [...rulesOf(text).matchAll(/iifname "(\w+)" oifname "\1" accept/g)].map(([, name]) => name)
    expect(bridges('profile: zfs')).toEqual(['br0'])
    expect(bridges('profile: zfs\nnetwork: { bridges: [{ name: lan }, { name: dmz, ports: [] }] }')).toEqual([
        'lan',
        'dmz',
    ])
})

it('has a description for every key', () => {
    const lacking: string[] = []
    interface Json {
        description?: string
        properties?: Record<string, Json>
        items?: Json
    }
    const walk = (json: Json, at: string) => {
        for (const [key, inner] of Object.entries(json.properties ?? {})) {
            if (!inner.description) lacking.push(`${at}${key}`)
            walk(inner, `${at}${key}.`)
        }
        if (json.items) walk(json.items, `${at}[].`)
    }
    walk(documentSchema.toJSONSchema({ io: 'input', unrepresentable: 'any' }) as Json, '')
    expect(lacking).toEqual([])
})
