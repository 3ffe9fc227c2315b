// A verify that finds nothing, on a node in QEMU that is what its document says, against the tools that it asks.
import { startNode } from '../tests/vm/node-vm.ts'
import { median, type Result, times } from './figures.ts'

const ROUNDS = 5
/** Under emulation; 3 s natively. */
const TARGET_MS = 10_000
const TARGET_RATIO = 1.5
const DOCUMENT = '/etc/debvisor/node.yaml'

/** Notes what the program runs, with what it hands over; loaded before it. */
const NOTE = `
const { appendFileSync } = require('node:fs')
const child_process = require('node:child_process')
const { spawn } = child_process
child_process.spawn = (program, args, options) => {
    const child = spawn(program, args, options)
    let stdin = ''
    const end = child.stdin.end.bind(child.stdin)
    child.stdin.end = (data, ...rest) => { if (typeof data === 'string') stdin += data; return end(data, ...rest) }
    child.on('close', () => appendFileSync('/root/ran', JSON.stringify({ argv: [program, ...args], stdin }) + '\\n'))
    return child
}
require('node:module').syncBuiltinESMExports()
`

export async function verify(): Promise<Result> {
    const vm = await startNode({ disks: 2 })
    try {
        await vm.put(DOCUMENT, 'profile: zfs\n')
        await vm.must('debvisor node apply --yes', 15 * 60_000)
        await vm.put('/root/note.cjs', NOTE)
        await vm.must('NODE_OPTIONS="--require /root/note.cjs" debvisor node verify', 120_000)
        const ran = (await vm.must('cat /root/ran')).trim().split('\n')
        const tools = ran.map(line => JSON.parse(line) as { argv: string[]; stdin: string })
        await vm.put('/root/tools.sh', `${tools.map(lineOf).join('\n')}\n`)
        const ours: number[] = []
        const theirs: number[] = []
        for (let i = 0; i < ROUNDS; i++) {
            ours.push(await timed(vm, 'debvisor node verify'))
            theirs.push(await timed(vm, 'sh /root/tools.sh'))
        }
        const bare = await timed(vm, 'node -e 0')
        const seconds = (value: number) => `${(value / 1000).toFixed(1)} s`
        const ratio = median(ours) / median(theirs)
        return {
            title: 'verify: a node that is what its document says',
            notes: [
                `profile zfs with two disks; median of ${ROUNDS}, in turn, measured in the guest; two emulated CPUs`,
                'the tools run one after the other, by a shell; verify runs some at the same time',
            ],
            rows: [
                {
                    ...{ what: 'node verify, and nothing differs', value: seconds(median(ours)) },
                    ...{ target: `≤ ${seconds(TARGET_MS)} emulated`, met: median(ours) <= TARGET_MS },
                },
                {
                    ...{ what: 'against its tools alone', value: seconds(median(ours)) },
                    ...{ peer: `${tools.length} tools ${seconds(median(theirs))}`, ratio: times(ratio) },
                    ...{ target: `≤ ${times(TARGET_RATIO)}`, met: ratio <= TARGET_RATIO },
                },
                { what: 'of it: Node, before any of our code', value: seconds(bare) },
            ],
        }
    } finally {
        await vm.stop()
    }
}

/** Of one run, by the guest's own clock. */
async function timed(vm: { must(line: string, deadlineMs?: number): Promise<string> }, line: string): Promise<number> {
    const said = await vm.must(`a=$(date +%s%N); ${line} >/dev/null 2>&1; b=$(date +%s%N); echo $a $b`, 300_000)
    const [began = 0, ended = 0] = said.trim().split(' ').map(Number)
    return (ended - began) / 1e6
}

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`
const lineOf = ({ argv, stdin }: { argv: string[]; stdin: string }) =>
    `${argv.map(quoted).join(' ')} ${stdin ? `<<'END'\n${stdin.replace(/\n?$/, '\n')}END` : '</dev/null'}`
