// Planning alone: 500 resources and 100 disks of a machine in memory, from what is seen to the whole plan.
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { diskWords } from '../src/capabilities/disks/disk.ts'
import { makePlan } from '../src/engine/plan.ts'
import { type Resource, resource } from '../src/engine/resource.ts'
import { survey } from '../src/engine/survey.ts'
import { simulatedNode } from '../src/engine/testing/node.ts'
import { mb, median, ms, quantile, type Result, times } from './figures.ts'

const run = promisify(execFile)
const RESOURCES = 500
const DISKS = 100
const ROUNDS = 200
const TARGET_MS = 50
const TARGET_BYTES = 150_000_000

const disks = Array.from({ length: DISKS }, (_, i) => ({
    ...{
        id: `/dev/disk/by-id/ata-ACME_${i}`,
        path: `/dev/sd${i}`,
        sizeBytes: 4e12,
        model: 'ACME 4000',
        serial: `S${i}`,
    },
    ...{ rotational: true, transport: 'sata', removable: false, readOnly: false, system: i === 0, mountpoints: [] },
    ...{ signatures: i % 3 === 0 ? ['gpt'] : [], blank: i % 3 !== 0 },
}))

/** Each has files, a unit and a package, needs the one before it, and some of them take a disk. */
const all = Array.from({ length: RESOURCES }, (_, i) =>
    resource<object, object, typeof disks>({
        ...{ name: `made.r${i}`, phases: ['boot'], needs: i > 0 ? [`made.r${i - 1}`] : [] },
        want: () => ({}),
        basics: () => ({
            packages: [`package${i % 50}`],
            files: [
                { path: `/etc/made/${i}.conf`, content: `key = ${i}\n`.repeat(20), for: 'a test' },
                { path: `/etc/made/${i}.d/more`, content: 'more\n', for: 'a test' },
            ],
            units: [{ unit: `made${i}.service`, enabled: true, active: true, reads: [`/etc/made/${i}.conf`] }],
        }),
        observe: async () => disks,
        plan: (_, seen, agreed) => {
            const disk = seen[i]
            if (!disk || disk.system || (!disk.blank && !agreed.has(`disk:${disk.id}`))) return { steps: [] }
            const say = `Take ${disk.id} (${diskWords(disk)})`
            return {
                steps: [
                    { do: 'run', say, tool: 'take', args: [disk.id], deadlineMs: 1000, claims: [`disk:${disk.id}`] },
                ],
            }
        },
    }),
) as readonly unknown[] as readonly Resource[]

export async function plan(): Promise<Result> {
    const node = simulatedNode({})
    const began = performance.now()
    const seen = await survey(all, {}, node.touch)
    const surveyMs = performance.now() - began
    const samples: number[] = []
    let steps = 0
    for (let round = 0; round < ROUNDS; round++) {
        const from = performance.now()
        const made = makePlan(all, seen, new Map())
        samples.push(performance.now() - from)
        steps = made.groups.flatMap(group => group.steps).length
    }
    // The raw tool beside it: the same plan as text, written and read again.
    const text = JSON.stringify(makePlan(all, seen, new Map()))
    const raw = Array.from({ length: 20 }, () => {
        const from = performance.now()
        JSON.parse(text)
        return performance.now() - from
    })
    return {
        title: `plan: ${RESOURCES} resources, ${DISKS} disks, ${steps} steps`,
        notes: [
            'the machine is in memory: what looking costs is no part of it',
            'the first plan is made by code that was never run before, as on the command line',
            'the peer only parses the finished plan',
        ],
        rows: [
            {
                what: 'planning alone, the first',
                value: ms(samples[0]!),
                target: `≤ ${TARGET_MS} ms`,
                met: samples[0]! <= TARGET_MS,
            },
            {
                what: `planning alone, ${ROUNDS} times`,
                value: `p50 ${ms(median(samples))}, p99 ${ms(quantile(samples, 0.99))}`,
                peer: `JSON.parse ${ms(median(raw))}`,
                ratio: times(median(samples) / median(raw)),
            },
            { what: 'looking at the machine in memory', value: ms(surveyMs) },
            await memoryRow(),
        ],
    }
}

/** What the program itself takes at most, while it looks at this machine and plans for it. */
async function memoryRow() {
    const folder = await mkdtemp(join(tmpdir(), 'bench-plan-'))
    try {
        const document = join(folder, 'node.yaml')
        await writeFile(document, 'profile: zfs\n')
        const say = 'process.on("exit", () => process._rawDebug("most " + process.resourceUsage().maxRSS))'
        const program = fileURLToPath(new URL('../dist/debvisor.mjs', import.meta.url))
        const argv = ['--import', `data:text/javascript,${encodeURIComponent(say)}`, program]
        const { stderr } = await run(process.execPath, [...argv, 'node', 'plan', '--file', document])
        const bytes = Number(/most (\d+)/.exec(stderr)?.[1]) * 1024
        return {
            what: 'memory of `debvisor node plan` on this machine, at most',
            value: mb(bytes),
            target: `≤ ${mb(TARGET_BYTES)}`,
            met: bytes <= TARGET_BYTES,
        }
    } finally {
        await rm(folder, { recursive: true })
    }
}
