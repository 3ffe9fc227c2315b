// Stacks against a real dockerd and Debian 13's docker-compose: their whole life over the API and the command line.
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Code } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { AuditService } from '../../src/gen/proto/capabilities/audit/audit_pb.js'
import { ContainerVolumeService } from '../../src/gen/proto/capabilities/container/stores_pb.js'
import { IdentityService } from '../../src/gen/proto/capabilities/identity/identity_pb.js'
import { type LogLine, StackService, State } from '../../src/gen/proto/capabilities/stack/stack_pb.js'
import { TaskService } from '../../src/gen/proto/capabilities/task/task_pb.js'
import { refusal, type StackWorld, stacksOf, startStacks } from './stack-world.ts'
import { until } from './world.ts'

let world: StackWorld
let scratch = ''
const stacks = () => stacksOf(world)
const done = (call: Promise<{ task: string }>) => call.then(begun => world.daemon.done(begun))
const sentences = (begun: { plan: { sentence: string }[] }) => begun.plan.map(step => step.sentence)
const line = async (name: string) => (await stacks().list({})).stacks.find(one => one.name === name)!

const SHOP = `# A shop of two.
services:
  web:
    image: site:1
    ports: ["18080:80"]
    environment:
      WORD: \${WORD}
      TOKEN: \${TOKEN}
    depends_on: [db]
  db:
    image: tiny:1
    volumes: ["data:/data"]
    secrets: [pass]
volumes:
  data:
secrets:
  pass:
    environment: TOKEN
`
const SECRET = 'a "secret" of $HOME\\n'
const VARIABLES = [
    { name: 'WORD', value: 'plain $word' },
    { name: 'TOKEN', value: SECRET, secret: true },
]

beforeAll(async () => {
    world = await startStacks()
    await world.docker.image('tiny:1')
    const changes = ['CMD ["httpd","-f","-v","-p","80","-h","/www"]']
    await world.docker.image('site:1', { files: { 'www/index.html': 'the first page\n' }, changes })
    await world.docker.image('site:2', { files: { 'www/index.html': 'the second page\n' }, changes })
    scratch = await mkdtemp(join(tmpdir(), 'dv-stacks-'))
}, 600_000)
afterAll(async () => {
    await world?.stop()
    await rm(scratch, { recursive: true, force: true })
})

it('a stack is made of a file, and every step of it is told before', async () => {
    const request = { name: 'shop', composeFile: SHOP, environment: VARIABLES, up: true }
    const begun = await stacks().create({ ...request, dryRun: true })
    expect(sentences(begun)).toEqual([
        'Keep the file as version 1 of the stack shop',
        'Make the network shop_default',
        'Make the volume shop_data',
        'Make and start the container shop-db-1 of tiny:1',
        'Make and start the container shop-web-1 of site:1',
    ])
    expect(begun.findings).toMatchObject([{ code: 'ports-closed', detail: 'web: 18080' }])
    expect(await line('shop')).toBeUndefined()
    await done(stacks().create(request))
    expect(await line('shop')).toMatchObject({
        ...{ managed: true, state: State.RUNNING, version: 1, applied: 1, unfinished: 0, running: 2, containers: 2 },
        ...{ drift: [], services: ['db', 'web'], marks: [], owner: 'root' },
    })
    expect(await world.page(18080)).toBe('the first page\n')
})
