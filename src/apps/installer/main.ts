// debvisor-installer: the screens at this terminal, in mounts of their own, and what ends them.
import { asFault } from '../../base/fault.ts'
import { realSystem } from '../../ports/real.ts'
import { withOwnMounts } from '../../ports/real-tools.ts'
import { runInstaller } from './installer.ts'
import { realMachine } from './machine.ts'
import { openTerminal } from './terminal.ts'

const USAGE = `Usage: debvisor-installer [--image FILE]

Asks what is to be installed, shows every step and every disk that is erased, and installs a node of DebVisor.
For the live system, as root. By answers in a file: debvisor install --answers FILE
`

function imageIn(argv: readonly string[]): string | undefined {
    const [option, image, ...rest] = argv
    if (option === undefined) return undefined
    if (option === '--image' && image && rest.length === 0) return image
    process.stderr.write(USAGE)
    process.exit(option === '--help' ? 0 : 64)
}

async function main(): Promise<number> {
    const image = imageIn(process.argv.slice(2))
    if (process.getuid?.() !== 0) {
        process.stderr.write('Only root can install. Run it with sudo.\n')
        return 1
    }
    if (!process.stdin.isTTY || !process.stdout.isTTY) {
        process.stderr.write('The installer needs a terminal. By answers in a file: debvisor install --answers FILE\n')
        return 1
    }
    const code = await withOwnMounts()
    if (code !== undefined) return code
    // What the kernel says would be written over the screen; all of it stays in the journal (dmesg(1)).
    await realSystem()
        .run({ argv: ['dmesg', '--console-level', 'emerg'], deadlineMs: 10_000 })
        .catch(() => undefined)
    const terminal = await openTerminal({ stdin: process.stdin, stdout: process.stdout, env: process.env })
    try {
        await runInstaller(terminal, realMachine(image ? { image } : {}))
        return 0
    } finally {
        terminal.close()
    }
}

main().then(
    code => process.exit(code),
    thrown => {
        const { message, fix } = asFault(thrown)
        process.stderr.write(`${message}\n${fix}\n`)
        process.exit(1)
    },
)
