// The tools of accounts on a simulated node: they edit its passwd, shadow and group as Debian's do.
import type { FakeSystem, FakeTool } from '../../ports/fake.ts'
import type { ToolRun } from '../../ports/ports.ts'

interface Host {
    system: FakeSystem
    onTouch: (argv: readonly string[]) => void
}

/** `host` is asked when a tool runs: the node is made with its tools. */
export function accountTools(host: () => Host): FakeTool[] {
    const rows = async (path: string) =>
        ((await host().system.readText(path)) ?? '')
            .split('\n')
            .filter(Boolean)
            .map(line => line.split(':'))
    const put = (path: string, lines: string[][]) =>
        void host().system.files.set(path, Buffer.from(lines.map(line => `${line.join(':')}\n`).join('')))
    const edit = async (path: string, name: string, change: (row: string[]) => void) => {
        const lines = await rows(path)
        const row = lines.find(([word]) => word === name)
        if (!row) return false
        change(row)
        put(path, lines)
        return true
    }
    const value = (argv: readonly string[], option: string) => argv[argv.indexOf(option) + 1] ?? ''
    const tool = (program: string, act: (run: ToolRun) => Promise<number>): FakeTool => ({
        argv: argv => argv[0] === program,
        answer: async run => {
            host().onTouch(run.argv)
            return { exitCode: await act(run) }
        },
    })
    return [
        tool('/usr/sbin/useradd', async ({ argv }) => {
            const name = argv.at(-1)!
            const passwd = await rows('/etc/passwd')
            const group = await rows('/etc/group')
            if (passwd.some(([word]) => word === name)) return 9
            const known = group.find(([word]) => word === name)
            if (known && argv.includes('--user-group')) return 9
            const used = new Set([...passwd, ...group].map(([, , number]) => Number(number)))
            const [first, next] = argv.includes('--system') ? [999, -1] : [1000, 1]
            let number = first
            while (used.has(number)) number += next
            const id = String(number)
            if (!known) put('/etc/group', [...group, [name, 'x', id, '']])
            const home = argv.includes('--home-dir') ? value(argv, '--home-dir') : `/home/${name}`
            const shell = value(argv, '--shell')
            put('/etc/passwd', [...passwd, [name, 'x', id, known?.[2] ?? id, value(argv, '--comment'), home, shell]])
            put('/etc/shadow', [...(await rows('/etc/shadow')), [name, '!', '20784', '0', '99999', '7', '', '', '']])
            return 0
        }),
        tool('/usr/sbin/usermod', async ({ argv }) => {
            const name = argv.at(-1)!
            if (argv.includes('--groups')) {
                for (const word of value(argv, '--groups').split(',')) {
                    const known = await edit('/etc/group', word, row => {
                        row[3] = [...(row[3] ?? '').split(',').filter(Boolean), name].join(',')
                    })
                    if (!known) return 6
                }
            }
            await edit('/etc/shadow', name, row => {
                if (argv.includes('--lock')) row[1] = row[1]!.startsWith('!') ? row[1]! : `!${row[1]}`
                if (argv.includes('--unlock')) row[1] = row[1]!.replace(/^!/, '')
                if (argv.includes('--expiredate')) row[7] = value(argv, '--expiredate')
            })
            return 0
        }),
        tool('/usr/sbin/chpasswd', async ({ stdin }) => {
            const [name = '', hash = ''] = String(stdin).trim().split(':')
            const known = await edit('/etc/shadow', name, row => {
                row[1] = hash
            })
            return known ? 0 : 1
        }),
        tool('/usr/sbin/visudo', async ({ stdin }) => (/^\S+ ALL=\([a-zA-Z:]+\) /m.test(String(stdin)) ? 0 : 1)),
    ]
}
