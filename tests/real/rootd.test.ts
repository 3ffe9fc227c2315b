// rootd as a process of its own, with a real engine over a folder, asked through the API as rpcd asks it.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, ConnectError, createClient, createRouterTransport, type Interceptor } from '@connectrpc/connect'
import { generateSync } from 'otplib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { rootClient } from '../../src/apps/rpcd/root.ts'
import { type Caller, callerKey } from '../../src/capabilities/caller.ts'
import { newFactorSecret } from '../../src/capabilities/identity/otp.ts'
import { createPasswords } from '../../src/capabilities/identity/password.ts'
import { createConfigure } from '../../src/capabilities/node/configure.ts'
import { connectError, sentFault } from '../../src/capabilities/problem.ts'
import type { Tasks } from '../../src/engine/task.ts'
import { createTasks } from '../../src/engine/tasks.ts'
import { type ApplyEvent, ProvisionService } from '../../src/gen/proto/capabilities/node/provision_pb.js'
import { fakeLog } from '../../src/ports/fake.ts'
import { realClock, realSystem } from '../../src/ports/real.ts'
import { until } from './world.ts'

const PASSWORD = 'glacier tulip 7 marzipan'
const clock = realClock()
let folder: string
let rootd: ChildProcess
let said = ''
let tasks: Tasks
let ada: Client<typeof ProvisionService>
/** What rpcd is told of codes that were taken. */
const spent: string[] = []
const adopted: [string, string][] = []

const at = (...names: string[]) => join(folder, ...names)
const socket = () => at('rootd.sock')

async function start(): Promise<void> {
    rootd = spawn(
        process.execPath,
        [
            ...['--import', 'tsx', 'tests/real/rootd-victim.ts', at('root')],
            ...['--socket', socket(), '--group', 'daemon', '--state', at('state')],
        ],
        { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    said = ''
    for (const stream of [rootd.stdout!, rootd.stderr!]) stream.on('data', data => (said += String(data)))
    await until('rootd to be ready', 30_000, () => said.includes('ready\n'))
}

async function end(signal: NodeJS.Signals): Promise<void> {
    if (rootd.exitCode !== null || rootd.signalCode !== null) return
    const gone = new Promise(resolve => rootd.once('exit', resolve))
    rootd.kill(signal)
    await gone
}

async function writePeople(change: Record<string, object> = {}): Promise<void> {
    const password = await createPasswords({ n: 16, r: 1, p: 1 }).hash(PASSWORD, 'test')
    const person = (name: string, role: string) => ({
        ...{ name, uid: `uid-${name}`, role, fullName: '', locked: false, password },
        ...{ generation: 'one', createdMs: 1, ...change[name] },
    })
    const entries = [person('ada', 'admin'), person('olga', 'operator')].map(user => ({
        ...{ key: `/debvisor/identity/users/${user.name}`, value: JSON.stringify(user), revision: 1 },
    }))
    mkdirSync(at('state', 'identity'), { recursive: true })
    writeFileSync(
        at('state', 'identity', 'identity.json'),
        JSON.stringify({ version: 1, entries, local: [], ended: [] }),
    )
}

/** rpcd's half, in this process: the API over the tasks of a folder. */
async function api(user: string, viaId = 'session-1') {
    const caller: Caller = { user, via: 'session', viaId, from: '192.0.2.1', may: () => true, need: () => undefined }
    const who: Interceptor = next => async request => {
        request.contextValues.set(callerKey, caller)
        try {
            return await next(request)
        } catch (thrown) {
            throw connectError(thrown)
        }
    }
    const configure = createConfigure({
        ...{ root: rootClient(socket()), rootPath: socket(), tasks, clock, log: fakeLog(), hostname: 'node1' },
        spend: (who, code) => spent.push(`${who} ${code}`),
        adoptConfirmation: (who, token) => adopted.push([who.user, token]),
    })
    const transport = createRouterTransport(router => configure.services!(router), { router: { interceptors: [who] } })
    return createClient(ProvisionService, transport)
}

const faultOf = (call: Promise<unknown>) =>
    call.then(
        () => undefined,
        thrown => sentFault(ConnectError.from(thrown)),
    )

async function planned(text: string, destroy: string[] = []) {
    const { plan } = await ada.plan({ text, destroy })
    return { text, destroy, hash: plan!.hash, plan: plan! }
}

async function confirmed(): Promise<string> {
    return (await ada.confirm({ password: PASSWORD })).confirmationToken
}

async function told(apply: string, until = (_: ApplyEvent) => false): Promise<ApplyEvent[]> {
    const events: ApplyEvent[] = []
    for await (const { event } of ada.watchApply({ apply })) {
        events.push(event!)
        if (until(event!)) break
    }
    return events
}

const ended = async (task: string) => {
    await until('the task to end', 20_000, () => tasks.get(task)?.endedMs !== undefined)
    return tasks.get(task)!
}
const states = async () => (await ada.listApplies({})).applies.map(one => one.state)

beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dv-rootd-'))
    // A stranger has to reach the socket to be refused by it.
    spawnSync('chmod', ['755', folder])
    for (const name of ['etc', 'run', 'var', 'dev']) mkdirSync(at('root', name), { recursive: true })
    writeFileSync(at('root/etc/passwd'), 'root:x:0:0:root:/root:/bin/bash\n')
    writeFileSync(at('root/etc/group'), 'root:x:0:\n')
    await writePeople()
    tasks = await createTasks({ system: realSystem(), clock, log: fakeLog(), folder: at('tasks') })
    await start()
    ada = await api('ada')
})
afterEach(async () => {
    await end('SIGKILL')
    await tasks.close()
    rmSync(folder, { recursive: true, force: true })
})

test('a document is read, checked, planned, applied as a task, verified and taken back', async () => {
    expect(await ada.getDocument({})).toMatchObject({ path: '/etc/debvisor/node.yaml', exists: false, text: '' })
    expect((await ada.draftDocument({ profile: 'zfs' })).text).toContain('note: hello')
    expect(await faultOf(ada.draftDocument({ profile: 'btrfs' }))).toMatchObject({ code: 'invalid' })
    expect(JSON.parse((await ada.getSchema({})).json)).toMatchObject({ properties: { note: { type: 'string' } } })
    const { findings } = await ada.checkDocument({ text: 'note: a\nnoet: b\n' })
    expect(findings).toMatchObject([{ line: 2, finding: { code: 'unknown-key', fix: 'Did you mean note?' } }])
    expect(await faultOf(ada.plan({ text: 'noet: b\n' }))).toMatchObject({ code: 'invalid' })
    expect((await ada.verify({})).verified?.problem).toMatchObject({ code: 'not-found' })

    const one = await planned('note: one\n')
    expect(one.plan.groups).toMatchObject([
        { title: 'A note', steps: [{ kind: 'write', diff: expect.stringContaining('+one') }] },
    ])
    const begun = await ada.apply({ ...one, confirmationToken: await confirmed() })
    expect(await ended(begun.task)).toMatchObject({ state: 'done', kind: 'node.apply', owner: 'ada' })
    expect(readFileSync(at('root/etc/note'), 'utf8')).toBe('one\n')
    expect((await ada.getDocument({})).text).toBe('note: one\n')
    expect((await told(begun.object)).map(event => event.kind)).toEqual(['pass', 'step', 'done', 'end'])
    expect((await ada.getStatus({})).verified).toMatchObject({ converged: true })
    expect(await ada.apply({ ...(await planned('note: one\n')), confirmationToken: await confirmed() })).toMatchObject({
        task: '',
        findings: [{ code: 'nothing-to-do' }],
    })

    const two = await planned('note: two\n')
    const second = await ada.apply({ ...two, confirmationToken: await confirmed() })
    await ended(second.task)
    writeFileSync(at('root/etc/note'), 'by hand\n')
    const { verified } = await ada.verify({})
    expect(verified).toMatchObject({ converged: false, drift: [expect.stringContaining('/etc/note')] })

    const back = await ada.planRollback({})
    expect(back).toMatchObject({ apply: second.object, document: 'note: one\n' })
    const taken = await ada.rollback({
        ...{ apply: back.apply, hash: back.plan!.hash, confirmationToken: await confirmed() },
    })
    expect((await ended(taken.task)).state).toBe('done')
    expect(readFileSync(at('root/etc/note'), 'utf8')).toBe('one\n')
    expect((await ada.getDocument({})).text).toBe('note: one\n')
    expect(await states()).toEqual(['done', 'done', 'done'])
    const past = await ada.getApply({ apply: second.object })
    expect(past).toMatchObject({ document: 'note: two\n', record: { by: 'ada', state: 'done', steps: 1 } })
    expect(past.events.map(event => event.kind)).toEqual(['step', 'done', 'end'])
})

test('what has moved since it was read is refused, and nothing is done', async () => {
    const confirmationToken = await confirmed()
    const read = await planned('note: one\n')
    writeFileSync(at('root/etc/note'), 'meanwhile\n')
    expect(await faultOf(ada.apply({ ...read, confirmationToken }))).toMatchObject({ code: 'conflict', at: 'hash' })
    const other = { ...read, ...(await planned('note: one\n')), text: 'note: other\n' }
    expect(await faultOf(ada.apply({ ...other, confirmationToken }))).toMatchObject({ code: 'conflict' })
    expect(await faultOf(ada.apply({ ...other, hash: '', confirmationToken }))).toMatchObject({ code: 'conflict' })
    expect(readFileSync(at('root/etc/note'), 'utf8')).toBe('meanwhile\n')
    expect(existsSync(at('root/etc/debvisor/node.yaml'))).toBe(false)
    expect(await states()).toEqual([])
})

test('nobody changes the node without a fresh password of an administrator', async () => {
    const read = await planned('note: one\n')
    const apply = (by: typeof ada, confirmationToken: string) => faultOf(by.apply({ ...read, confirmationToken }))
    const refused = { code: 'denied', at: 'confirmation' }
    expect(await apply(ada, '')).toMatchObject(refused)
    expect(await apply(ada, 'A'.repeat(43))).toMatchObject(refused)
    expect(await faultOf(ada.confirm({ password: 'wrong' }))).toMatchObject({ code: 'denied', at: 'password' })
    expect(await faultOf((await api('nobody')).confirm({ password: PASSWORD }))).toMatchObject({ at: 'password' })
    expect(await faultOf((await api('root')).confirm({ password: PASSWORD }))).toMatchObject({ code: 'denied' })
    const olga = await api('olga')
    expect(await faultOf(olga.confirm({ password: PASSWORD }))).toMatchObject({ detail: 'olga is none' })

    const token = await confirmed()
    // Neither another person, nor another session of the same one.
    expect(await apply(olga, token)).toMatchObject(refused)
    expect(await apply(await api('ada', 'session-2'), token)).toMatchObject(refused)
    await writePeople({ ada: { generation: 'two' } })
    expect(await apply(ada, token)).toMatchObject(refused)
    await writePeople({ ada: { role: 'operator' } })
    expect(await apply(ada, token)).toMatchObject({ code: 'denied', detail: 'ada is none' })
    await writePeople({ ada: { locked: true } })
    expect(await apply(ada, token)).toMatchObject({ code: 'denied', detail: 'ada is locked' })
    await writePeople()
    expect(await states()).toEqual([])
    expect(await apply(ada, token)).toBeUndefined()

    for (let i = 0; i < 6; i++) await faultOf(ada.confirm({ password: 'wrong' }))
    expect(await faultOf(ada.confirm({ password: PASSWORD }))).toMatchObject({ code: 'exhausted' })
})

test('who has a second factor shows it, too, and no code is good for a second time or for a login after that', async () => {
    const secret = newFactorSecret()
    await writePeople({ ada: { factor: { secret, recovery: [], createdMs: 1 } } })
    const confirm = (oneTimePassword: string) => ada.confirm({ password: PASSWORD, oneTimePassword })
    const refused = { code: 'denied', at: 'one_time_password' }
    expect(await faultOf(confirm(''))).toMatchObject(refused)
    expect(await faultOf(confirm('000 000'))).toMatchObject(refused)
    expect(spent).toEqual([])
    const code = generateSync({ secret })
    const { confirmationToken } = await confirm(code)
    expect(spent).toEqual([`ada ${code}`])
    expect(adopted.at(-1)).toEqual(['ada', confirmationToken])
    expect(await faultOf(confirm(code))).toMatchObject(refused)
    const read = await planned('note: one\n')
    expect(await faultOf(ada.apply({ ...read, confirmationToken }))).toBeUndefined()
    expect(said).not.toContain(code)
})

test('a disk is taken only by the name that was agreed to, as it was when the plan was read', async () => {
    writeFileSync(at('root/dev/a'), 'somebody’s data\n')
    const confirmationToken = await confirmed()
    const bare = await planned('disk: a\n')
    expect(bare.plan).toMatchObject({ destroys: [{ target: 'disk:a', agreed: false }] })
    expect(await faultOf(ada.apply({ ...bare, confirmationToken }))).toMatchObject({ code: 'denied', at: 'consent' })
    expect(await faultOf(ada.plan({ text: 'disk: a\n', destroy: ['disk:b'] }))).toMatchObject({ code: 'invalid' })
    // Agreed to, but the hash is of a plan in which nobody had.
    const slipped = { ...bare, destroy: ['disk:a'] }
    expect(await faultOf(ada.apply({ ...slipped, confirmationToken }))).toMatchObject({ code: 'conflict' })
    const read = await planned('disk: a\n', ['disk:a'])
    expect(read.plan.destroys).toMatchObject([{ target: 'disk:a', agreed: true }])
    writeFileSync(at('root/dev/a'), 'other data by now\n')
    expect(await faultOf(ada.apply({ ...read, confirmationToken }))).toMatchObject({ code: 'conflict' })
    expect(readFileSync(at('root/dev/a'), 'utf8')).toBe('other data by now\n')
    const again = await planned('disk: a\n', ['disk:a'])
    const { task } = await ada.apply({ ...again, confirmationToken })
    expect((await ended(task)).state).toBe('done')
    expect(readFileSync(at('root/dev/a'), 'utf8')).toBe('ours\n')
})

test('one at a time; a cancelled one stops and can be taken up; who leaves does not end it', async () => {
    const confirmationToken = await confirmed()
    const first = await ada.apply({ ...(await planned('slow: 20\n')), confirmationToken })
    const other = await planned('note: two\n')
    expect(await faultOf(ada.apply({ ...other, confirmationToken }))).toMatchObject({ code: 'conflict' })
    expect((await ada.getDocument({})).text).toBe('slow: 20\n')
    expect(await states()).toEqual(['running'])
    expect((await ada.getStatus({})).now).toContain('apply')
    // Somebody watches a little, and leaves.
    expect(await told(first.object, event => event.kind === 'done')).not.toEqual([])
    await tasks.cancel(first.task)
    expect((await ended(first.task)).state).toBe('cancelled')
    await until('rootd to have ended it', 10_000, async () => (await states())[0] === 'cancelled')
    const done = readdirSync(at('root/var/slow')).length
    expect(done).toBeLessThan(20)

    const second = await ada.apply({ ...(await planned(`slow: ${done + 3}\n`)), confirmationToken })
    // rpcd goes, and comes again: the task is left to its anchor, and followed to its end.
    await tasks.close()
    tasks = await createTasks({ system: realSystem(), clock, log: fakeLog(), folder: at('tasks') })
    ada = await api('ada')
    await tasks.recover()
    expect((await ended(second.task)).state).toBe('done')
    expect(readdirSync(at('root/var/slow')).length).toBe(done + 3)
})

test('killed in the middle, it shows as interrupted, and the next apply goes on', async () => {
    const text = 'slow: 6\n'
    const begun = await ada.apply({ ...(await planned(text)), confirmationToken: await confirmed() })
    await told(begun.object, event => event.kind === 'done' && event.text.startsWith('Note'))
    await end('SIGKILL')
    expect(await faultOf(ada.getStatus({}))).toMatchObject({
        code: 'unavailable',
        summary: 'The root service of this node does not run',
    })
    await start()
    expect(await states()).toEqual(['interrupted'])
    expect((await ada.getStatus({})).now).toBe('')
    const task = await ended(begun.task)
    expect(task).toMatchObject({ state: 'failed', problem: { code: 'unknown' } })
    expect((await told(begun.object)).at(-1)).toMatchObject({ kind: 'end', state: 'interrupted' })
    // What was confirmed before is forgotten.
    const again = await planned(text)
    expect(again.plan.groups[0]!.steps.length).toBeLessThan(12)
    const second = await ada.apply({ ...again, confirmationToken: await confirmed() })
    expect((await ended(second.task)).state).toBe('done')
    expect(await states()).toEqual(['done', 'interrupted'])
})

test('told to end, it stops between two steps and says so', async () => {
    const begun = await ada.apply({ ...(await planned('slow: 20\n')), confirmationToken: await confirmed() })
    await told(begun.object, event => event.kind === 'done')
    await end('SIGTERM')
    expect(rootd.exitCode).toBe(0)
    await start()
    expect(await states()).toEqual(['cancelled'])
    expect((await ended(begun.task)).state).toBe('failed')
})

test('only root and the group of rpcd reach it', () => {
    const connect = (uid: number, gid: number) => {
        const script = `require('node:net').connect(${JSON.stringify(socket())}).on('connect', () => process.exit(0)).on('error', e => { console.log(e.code); process.exit(1) })`
        const argv = ['--reuid', `${uid}`, '--regid', `${gid}`, '--clear-groups', process.execPath, '-e', script]
        return spawnSync('setpriv', argv, { encoding: 'utf8' })
    }
    expect(connect(0, 0).status).toBe(0)
    expect(connect(65534, 65534)).toMatchObject({ status: 1, stdout: 'EACCES\n' })
    // Group `daemon` stands for debvisor-rpc here.
    expect(connect(65534, 1).status).toBe(0)
})
