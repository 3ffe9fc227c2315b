// A real rootd over a folder, with resources that harm nobody: made to be asked, cancelled and killed.
import { z } from 'zod'
import { settingsOf } from '../../src/apps/rootd/settings.ts'
import { startRootd } from '../../src/apps/rootd/start.ts'
import { kitOf } from '../../src/engine/kit.ts'
import { createProvision } from '../../src/engine/provision.ts'
import { type Resource, resource } from '../../src/engine/resource.ts'
import { jsonSchemaOf } from '../../src/engine/sample.ts'
import type { Step } from '../../src/engine/step.ts'
import type { System } from '../../src/ports/ports.ts'
import { pinoLog, realClock, realSystem, rootedSystem } from '../../src/ports/real.ts'

const schema = z.strictObject({
    note: z.string().optional().describe('Text of a file.'),
    slow: z.number().int().optional().describe('How many steps of a third of a second there are.'),
    disk: z.string().optional().describe('What dies.'),
})
type Doc = z.infer<typeof schema>

const note = resource<Doc, string, undefined>({
    name: 'note',
    phases: ['boot'],
    want: doc => doc.note,
    basics: text => ({ files: [{ path: '/etc/note', content: `${text}\n`, for: 'the note' }] }),
})
const slow = resource<Doc, number, { done: string[] }>({
    name: 'slow',
    phases: ['boot'],
    want: doc => doc.slow,
    observe: async ({ root }) => ({ done: await root.list('/var/slow') }),
    plan: (count, { done }) => ({
        steps: Array.from({ length: count }, (_, n) => n)
            .filter(n => !done.includes(`${n}`))
            .flatMap((n): Step[] => [
                { do: 'run', say: `Wait for ${n}`, tool: 'sleep', args: ['0.3'], deadlineMs: 5000 },
                { do: 'write', say: `Note that ${n} is over`, path: `/var/slow/${n}`, content: '', mode: 0o644 },
            ]),
    }),
})
const disk = resource<Doc, string, { held: string }>({
    name: 'disk',
    phases: ['boot'],
    want: doc => doc.disk,
    observe: async ({ root }, name) => ({ held: (await root.readText(`/dev/${name}`)) ?? '' }),
    plan: (name, { held }) => ({
        steps:
            held === 'ours\n'
                ? []
                : [
                      {
                          ...{ do: 'write', say: `Take the disk ${name}`, path: `/dev/${name}`, content: 'ours\n' },
                          ...{ mode: 0o600, destroys: [`disk:${name}`] },
                      },
                  ],
        fingerprints: { [`disk:${name}`]: held },
    }),
})

const [, , folder, ...rest] = process.argv as unknown as [string, string, string, ...string[]]
const real = realSystem()
const rooted = rootedSystem(folder)
// Its lock lies in the folder, too; programs run on the machine.
const machine: System = {
    ...rooted,
    ...{ run: real.run, query: real.query, hostname: real.hostname, self: real.self },
    readText: path => (path.startsWith('/proc/') ? real : rooted).readText(path),
}
const log = pinoLog({ level: 'info' })
const rootd = await startRootd({
    ...{ settings: settingsOf(rest), system: real, clock: realClock(), log, titles: { note: 'A note' } },
    provision: createProvision({
        ...{ schema, checks: [], resources: [note, slow, disk] as Resource[] },
        kit: kitOf([{ name: 'sleep', program: '/bin/sleep', half: 'machine' }]),
        ...{ touch: { phase: 'boot', root: rooted, machine }, clock: realClock(), pid: process.pid },
    }),
    draft: async profile => `# For ${profile}\nnote: hello\n`,
    schema: jsonSchemaOf(schema),
})
process.once('SIGTERM', () => void rootd.close().then(() => process.exit(0)))
process.stdout.write('ready\n')
