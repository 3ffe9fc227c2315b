// Who reaches a published port from another machine: a real dockerd and the rules of the firewall in one network namespace,
// rootd beside them, and two more namespaces as other machines, of which the document lets in one.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Code } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { EXPOSED_FILE, rulesText } from '../../src/capabilities/firewall/rules.ts'
import { AuditService } from '../../src/gen/proto/capabilities/audit/audit_pb.js'
import { ContainerService } from '../../src/gen/proto/capabilities/container/container_pb.js'
import { reach } from './reach.ts'
import { refusal, type StackWorld, stacksOf, startStacks } from './stack-world.ts'
import { until } from './world.ts'

const root = new URL('../../', import.meta.url).pathname
const id = randomBytes(2).toString('hex')
const NODE = '10.233.0.1'
const LET_IN = '10.233.0.2'
const friend = `dvex-${id}-friend`
const stranger = `dvex-${id}-stranger`

let world: StackWorld
let rootd: ChildProcess | undefined
let folder = ''
const rules = () => join(folder, 'firewall.nft')
const exposed = () => join(folder, 'exposed.nft')
const socket = () => join(folder, 'rootd.sock')

const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' })
const inside = (...argv: string[]) =>
    execFileSync('nsenter', [`--net=${world.docker.network}`, ...argv], { stdio: 'pipe' })
const loadRules = () => inside('nft', '-f', rules())

async function startRootd(): Promise<void> {
    const words = ['--socket', socket(), '--group', '', '--state', world.daemon.folder, '--exposed', exposed()]
    const program = [process.execPath, '--import', 'tsx', join(root, 'src/apps/rootd/main.ts')]
    rootd = spawn('nsenter', [`--net=${world.docker.network}`, ...program, ...words], { cwd: root, stdio: 'pipe' })
    let said = ''
    for (const stream of [rootd.stdout!, rootd.stderr!]) stream.on('data', data => (said += String(data)))
    await until('rootd to be ready', 30_000, () => said.includes('"ready"'))
}
async function endRootd(): Promise<void> {
    const gone = new Promise(resolve => rootd!.once('exit', resolve))
    rootd!.kill('SIGTERM')
    await gone
}

function neighbour(name: string, port: string, address: string): void {
    ip('netns', 'add', name)
    inside('ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
    inside('ip', 'link', 'set', port, 'master', 'br0', 'up')
    ip('-n', name, 'link', 'set', 'eth0', 'up')
    ip('-n', name, 'address', 'add', `${address}/24`, 'dev', 'eth0')
}

const containers = () => world.daemon.client(ContainerService)
const expose = async (container: string, lan = true) => world.daemon.done(await containers().expose({ container, lan }))
const portOf = async (name: string, host: number) => (await world.find(name))?.ports.find(one => one.host === host)
/** What listens in a container listens a moment after its start. */
const opens = (from: string, port: number) =>
    until(`${port} to open`, 15_000, async () => (await reach(from, NODE, port)) === 'open')
const byHand = (name: string, port: number) =>
    world.docker.docker(['run', '-d', '--name', name, '-p', `${port}:80`, 'site', 'httpd', '-f', '-p', '80'])

beforeAll(async () => {
    world = await startStacks([], docker => {
        folder = docker.folder
        return ['--firewall', rules(), '--exposed', exposed(), '--rootd', socket()]
    })
    await world.docker.image('site', { files: { 'index.html': 'hello' } })
    inside('ip', 'link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0')
    inside('ip', 'address', 'add', `${NODE}/24`, 'dev', 'br0')
    inside('ip', 'link', 'set', 'br0', 'up')
    neighbour(friend, 'v-friend', LET_IN)
    neighbour(stranger, 'v-stranger', '10.233.0.3')
    const open = [{ port: 8090, protocol: 'tcp' as const, from: 'any' as const, why: 'for everybody' }]
    const text = rulesText({ cluster: [], open, stacks: [`${LET_IN}/32`], bridges: ['br0'] }, 'mark')
    // The file that a node has in /run is this test's own.
    await writeFile(rules(), text.replace(EXPOSED_FILE.replace(/t$/, '[t]'), exposed().replace(/t$/, '[t]')))
    loadRules()
    await startRootd()
})
afterAll(async () => {
    if (rootd) await endRootd()
    await world?.stop()
    for (const name of [friend, stranger])
        try {
            ip('netns', 'del', name)
        } catch {
            // It was never made.
        }
})

it('what docker publishes is closed to other machines, and told so', async () => {
    await byHand('web', 8080)
    await until('the container to be known', 10_000, async () => (await portOf('web', 8080)) !== undefined)
    expect(await portOf('web', 8080)).toMatchObject({ open: false, reach: 'nobody outside: closed by the firewall' })
    await until('it to listen', 10_000, async () =>
        world.docker.enter(['busybox', 'wget', '-qO-', 'http://127.0.0.1:8080/']).then(
            text => text === 'hello',
            () => false,
        ),
    )
    expect(await reach(friend, NODE, 8080)).toBe('dropped')
    expect(await reach(stranger, NODE, 8080)).toBe('dropped')
})

it('exposed it is open to whom the document names; restarts of dockerd, of the container and of the rules change nothing', async () => {
    await expose('web')
    expect(await reach(friend, NODE, 8080)).toBe('open')
    expect(await reach(stranger, NODE, 8080)).toBe('dropped')
    expect(await portOf('web', 8080)).toMatchObject({
        ...{ open: true, reach: `${LET_IN}/32: exposed, as firewall.stacks says` },
    })
    expect((await world.debvisor(['container', 'list'])).stdout).toMatch(/0\.0\.0\.0:8080→80 open/)
    expect((await world.debvisor(['container', 'show', 'web'])).stdout).toContain('exposed, as firewall.stacks says')
    const { records } = await world.daemon.client(AuditService).list({})
    expect(JSON.stringify(records.map(({ what, onName }) => [what, onName]))).toContain('["container.Expose","web"]')

    loadRules()
    expect(await reach(friend, NODE, 8080)).toBe('open')
    await world.docker.kill()
    await world.docker.start()
    await opens(friend, 8080)
    expect(await reach(stranger, NODE, 8080)).toBe('dropped')
    await world.docker.docker(['stop', '-t', '0', 'web'])
    // Another one takes its address meanwhile: it comes back with a new one.
    await world.docker.docker(['run', '-d', '--name', 'between', 'site'])
    await world.docker.docker(['start', 'web'])
    await opens(friend, 8080)
    await world.docker.docker(['rm', '-f', 'between'])
})

it('unexposed it is closed again, and one that was made anew or comes to the port is closed too', async () => {
    await expose('web', false)
    expect(await reach(friend, NODE, 8080)).toBe('dropped')
    await expose('web')
    expect(await reach(friend, NODE, 8080)).toBe('open')
    await world.docker.docker(['rm', '-f', 'web'])
    await until('nothing to be open', 10_000, async () => !(await readFile(exposed(), 'utf8')).includes('8080'))
    await byHand('web', 8080)
    await until('the new one to be known', 10_000, async () => (await portOf('web', 8080)) !== undefined)
    expect(await reach(friend, NODE, 8080)).toBe('dropped')
    expect(await portOf('web', 8080)).toMatchObject({ open: false })
})

it('what was removed while our daemon was dead is closed once it is back', async () => {
    await expose('web')
    await world.daemon.kill()
    await world.docker.docker(['rm', '-f', 'web'])
    await byHand('web', 8080)
    await world.daemon.start()
    await until('nothing to be open', 20_000, async () => !(await readFile(exposed(), 'utf8')).includes('8080'))
    expect(await reach(friend, NODE, 8080)).toBe('dropped')
})

it('made with lan: it is open from its start; published to the node alone it cannot be, and both are said', async () => {
    const run = async (line: string) => world.debvisor(['container', ...line.split(' ')])
    await run('create open site --publish lan:8081:80 --start -- httpd -f -p 80')
    await opens(friend, 8081)
    expect(await reach(stranger, NODE, 8081)).toBe('dropped')
    await run('unexpose open')
    expect(await reach(friend, NODE, 8081)).toBe('dropped')
    await run('create own site --publish 8082:80 --start -- httpd -f -p 80')
    expect(await portOf('own', 8082)).toMatchObject({ open: false, reach: 'this node only' })
    const refused = await run('expose own').catch(error => error)
    expect(refused.stderr).toMatch(/this node only.*lan:8082:80/s)
    await run('create shut site --start')
    await expect(run('expose shut')).rejects.toThrow(/publishes no port/)
})

it('what the document opens is open to everybody, whatever is said here', async () => {
    await byHand('listed', 8090)
    await opens(stranger, 8090)
    expect(await portOf('listed', 8090)).toMatchObject({ open: true, reach: 'everybody: the document opens it' })
    const { plan, findings } = await containers().expose({ container: 'listed', lan: false, dryRun: true })
    expect(plan).toEqual([])
    expect(findings).toMatchObject([{ code: 'open-still', detail: '8090/tcp: everybody: the document opens it' }])
})

it('a stack is reached behind its own bridge as its file says, and its containers are not opened one by one', async () => {
    const file = (lan: boolean) =>
        `services: { web: { image: site, command: [httpd, -f, -p, "80"], ports: ["8083:80"] } }\n` +
        `x-debvisor: { expose: ${lan ? 'lan' : 'node'} }\n`
    const stacks = stacksOf(world)
    await world.daemon.done(await stacks.create({ name: 'shop', composeFile: file(false), up: true }))
    expect(await reach(friend, NODE, 8083)).not.toBe('open')
    const refused = await refusal(containers().expose({ container: 'shop-web-1', lan: true }), Code.FailedPrecondition)
    expect(refused.message).toContain('belongs to a stack')
    await world.daemon.done(await stacks.expose({ stack: 'shop', service: 'web', lan: true }))
    await opens(friend, 8083)
    expect(await reach(stranger, NODE, 8083)).toBe('dropped')
    const { detail } = await stacks.get({ stack: 'shop' })
    expect(detail!.ports).toMatchObject([{ open: true, reach: `${LET_IN}/32: exposed, as firewall.stacks says` }])
    expect(await portOf('shop-web-1', 8083)).toMatchObject({ open: true })
    await world.daemon.done(await stacks.expose({ stack: 'shop', service: 'web', lan: false }))
    expect(await reach(friend, NODE, 8083)).not.toBe('open')
    // Whoever puts a container of their own behind that bridge has opened it, and is told so.
    const guest = ['run', '-d', '--name', 'guest', '--network', 'shop_default', '-p', '8084:80', 'site']
    await world.docker.docker([...guest, 'httpd', '-f', '-p', '80'])
    await opens(friend, 8084)
    const { findings } = await containers().expose({ container: 'guest', lan: false, dryRun: true })
    expect(findings).toMatchObject([{ code: 'open-still', detail: expect.stringContaining('8084/tcp') }])
})

it('who may only look opens nothing; an operator does; without the root service it is told and nothing is remembered', async () => {
    const vera = await world.as('vera', 'viewer', ContainerService)
    await refusal(vera.expose({ container: 'open', lan: true }), Code.PermissionDenied)
    const olga = await world.as('olga', 'operator', ContainerService)
    await world.daemon.done(await olga.expose({ container: 'open', lan: true }))
    expect(await reach(friend, NODE, 8081)).toBe('open')
    await world.daemon.done(await olga.expose({ container: 'open', lan: false }))

    await endRootd()
    await expect(expose('open')).rejects.toThrow(/root service/)
    expect((await world.find('open'))!.exposed).toBe(false)
    await startRootd()
    expect(await reach(friend, NODE, 8081)).toBe('dropped')
    await expose('open')
    expect(await reach(friend, NODE, 8081)).toBe('open')
})
