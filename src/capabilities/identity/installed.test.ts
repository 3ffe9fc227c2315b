// What the installer left of the first administrator: it opens the panel, once, and its hash stays nowhere else.
import { beforeEach, expect, test } from 'vitest'
import { type MemoryStore, memoryStores } from '../../drivers/etcd/memory.ts'
import { type FakeClock, fakeClock, fakeLog, fakeSystem } from '../../ports/fake.ts'
import { panelHashText, parsePanelHash } from './installed.ts'
import { createPasswords } from './password.ts'
import { becomeAdmin, faultOf, logIn, PASSWORD, testNode } from './testing/node.ts'

const FILE = '/state/identity/first-admin.json'
let clock: FakeClock
let store: MemoryStore
let system: ReturnType<typeof fakeSystem>

beforeEach(() => {
    clock = fakeClock()
    store = memoryStores().open()
    system = fakeSystem({ writable: ['/state'] })
})

const hashText = async (password: string) =>
    panelHashText(await createPasswords({ n: 16, r: 1, p: 1 }).hash(password, 'installer'))
const leave = (text: string) => system.writeFile(FILE, text, 0o600)
const begin = async () => {
    const node = await testNode({ store, system, clock, log: fakeLog() })
    await clock.advance(10)
    return node
}

test('it can log in with the password, and the file is gone', async () => {
    await leave(JSON.stringify({ name: 'ann', hash: await hashText(PASSWORD) }))
    const node = await begin()
    const me = await node.as({ cookie: await logIn(node, 'ann') }).whoAmI({})
    expect(me).toMatchObject({ permissions: ['*'] })
    expect(await system.readText(FILE)).toBeUndefined()
    expect(node.events.map(({ what, user }) => [what, user])[0]).toEqual(['first-admin', 'ann'])
    expect(await node.identity.firstLogin()).toBeUndefined()
})

test('it waits for the store, and is there when that comes', async () => {
    await leave(JSON.stringify({ name: 'ann', hash: await hashText(PASSWORD) }))
    store.cut()
    const node = await begin()
    expect(await system.readText(FILE)).toBeDefined()
    store.heal()
    await clock.advance(5_000)
    await clock.advance(10)
    expect(await system.readText(FILE)).toBeUndefined()
    expect(await logIn(node, 'ann')).toContain('__Host-debvisor=')
})

test('it makes nobody where there is an administrator, and is gone all the same', async () => {
    await becomeAdmin(await begin())
    await leave(JSON.stringify({ name: 'eve', hash: await hashText(PASSWORD) }))
    const node = await begin()
    expect(await system.readText(FILE)).toBeUndefined()
    expect(await faultOf(logIn(node, 'eve'))).toBe('unauthenticated')
})

test.each([
    ['no JSON', 'ann'],
    ['a reserved name', JSON.stringify({ name: 'root', hash: 'scrypt$16$1$1$AAAA$AAAA' })],
    ['no hash', JSON.stringify({ name: 'ann', hash: 'open sesame' })],
])('%s makes nobody, and does not stay', async (_, text) => {
    await leave(text)
    const node = await begin()
    expect(await system.readText(FILE)).toBeUndefined()
    expect((await node.as({ root: true }).listUsers({})).users).toEqual([])
})

test('a hash is read as it was written, and one that would take for ever to check is none', async () => {
    const text = await hashText(PASSWORD)
    expect(panelHashText(parsePanelHash(text)!)).toBe(text)
    for (const wrong of [
        '',
        'scrypt$16$1$1$AAAA',
        'scrypt$0$1$1$AAAA$AAAA',
        `scrypt$${2 ** 24}$8$1$AAAA$AAAA`,
        `${text}$x`,
    ])
        expect(parsePanelHash(wrong)).toBeUndefined()
})
