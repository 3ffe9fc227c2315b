// The state folder is taken by one, keeps no secret, and nothing that is not DebVisor's is taken or removed.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { note, notOurs, removeOurs, take, whoRuns } from './state.ts'

let folder: string
let state: string
beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dv-state-'))
    state = join(folder, 'state')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const record = () => join(state, 'run.json')

it('is taken once; who comes second learns who holds it', () => {
    expect(take(state)).toBeUndefined()
    expect(take(state)?.pid).toBe(process.pid)
    expect(readdirSync(state).sort()).toEqual(['.debvisor-state', 'run.json'])
})

it('is taken from one that was killed, and from a torn record', () => {
    take(state)
    writeFileSync(record(), JSON.stringify({ pid: process.pid, startTicks: '1' }))
    expect(take(state)).toBeUndefined()
    writeFileSync(record(), '{"pid":')
    expect(take(state)).toBeUndefined()
    expect(whoRuns(state)?.pid).toBe(process.pid)
})

it('ends with the reason when the record cannot be made', () => {
    take(state)
    rmSync(record())
    mkdirSync(record())
    expect(() => take(state)).toThrow(/EISDIR/)
})

it('notes address and fingerprint, nothing else, and for its owner alone', () => {
    take(state)
    const ready = { url: 'https://127.0.0.1:8443', fingerprint: 'AB:CD', firstLogin: 'https://x/#/first/secret' }
    note(state, ready)
    expect(readFileSync(record(), 'utf8')).not.toContain('secret')
    expect(whoRuns(state)).toMatchObject({ url: ready.url, fingerprint: ready.fingerprint })
    expect(statSync(record()).mode & 0o777).toBe(0o600)
})

it('refuses a folder with something in it that DebVisor did not make', () => {
    mkdirSync(state)
    writeFileSync(join(state, 'thesis.txt'), 'years of work')
    expect(() => take(state)).toThrow(/not a state folder of DebVisor: it holds thesis.txt/)
    expect(readdirSync(state)).toEqual(['thesis.txt'])
    expect(notOurs(state)).toContain('thesis.txt')
})

it('removes what DebVisor made and leaves the rest', () => {
    take(state)
    for (const name of ['images', 'etcd', 'import', 'mine']) mkdirSync(join(state, name))
    for (const name of ['images/a.qcow2', 'import/b.iso', 'mine/c']) writeFileSync(join(state, name), '')
    expect(removeOurs(state).sort()).toEqual(['import', 'mine'])
    expect(readdirSync(state).sort()).toEqual(['.debvisor-state', 'import', 'mine'])
    for (const name of ['import/b.iso', 'mine']) rmSync(join(state, name), { recursive: true })
    expect(removeOurs(state)).toEqual([])
    expect(existsSync(state)).toBe(false)
})
