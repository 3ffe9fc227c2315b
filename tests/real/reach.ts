// Who reaches whom over TCP, from a network namespace with a name.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** `dropped` when nothing at all comes back. */
export async function reach(from: string, address: string, port: number): Promise<'open' | 'refused' | 'dropped'> {
    const argv = ['netns', 'exec', from, 'timeout', '2', 'bash', '-c', `</dev/tcp/${address}/${port}`]
    const code = await run('ip', argv).then(
        () => 0,
        (error: { code: number }) => error.code,
    )
    return code === 0 ? 'open' : code === 124 ? 'dropped' : 'refused'
}
