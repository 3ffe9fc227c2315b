// The record of what DebVisor made: it survives a crash, a torn line, and forgets what is gone.
import { expect, test } from 'vitest'
import { fakeClock, fakeSystem } from '../../ports/fake.ts'
import { createDeclarations } from './declared.ts'

test('intent before effect, and what is forgotten stays so', async () => {
    const system = fakeSystem({ writable: ['/state'] })
    const clock = fakeClock(1000)
    const first = createDeclarations({ system, clock, folder: '/state' })
    await first.intend({ pool: 'p', name: 'a', format: 'raw', by: 't1' })
    await first.intend({ pool: 'p', name: 'b', format: 'qcow2', by: '' })
    await first.made('p', 'b')
    await first.intend({ pool: 'p', name: 'c', format: 'raw', by: '' })
    await first.forget('p', 'c')
    await first.close()
    const text = (await system.readText('/state/volumes.jsonl'))!
    await system.writeFile('/state/volumes.jsonl', `${text}{"pool":"p","na`)
    const second = createDeclarations({ system, clock, folder: '/state' })
    await second.ready()
    expect(second.get('p', 'a')).toMatchObject({ format: 'raw', made: false, by: 't1', atMs: 1000 })
    expect(second.get('p', 'b')).toMatchObject({ format: 'qcow2', made: true })
    expect(second.get('p', 'c')).toBeUndefined()
})
