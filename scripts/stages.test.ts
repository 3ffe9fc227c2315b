// A stage that is late ends with all that it has started.
import { expect, it } from 'vitest'
import { waitFor } from './run/wait.ts'
import { runStage } from './stages.ts'

const isThere = (pid: number) => {
    try {
        return process.kill(pid, 0)
    } catch {
        return false
    }
}

it('ends the whole process group at its deadline', async () => {
    // The inner shell is a grandchild, and holds the output open.
    const argv = ['sh', '-c', 'sh -c "echo \\$\\$; exec sleep 600" & wait']
    const result = await runStage({ name: 'late', argv, deadlineMs: 1_500 })
    expect(result).toMatchObject({ passed: false, code: null })
    expect(result.output).toContain('not done after 1500 ms')
    const pid = Number(/^\d+/.exec(result.output)?.[0])
    expect(pid).toBeGreaterThan(1)
    await waitFor('the grandchild to be gone', { deadlineMs: 5_000 }, async () => !isThere(pid))
})

it('answers the exit code and what was said', async () => {
    const result = await runStage({ name: 'three', argv: ['sh', '-c', 'echo out; echo err >&2; exit 3'] })
    expect(result).toMatchObject({ passed: false, code: 3 })
    expect(result.output.split('\n').sort()).toEqual(['', 'err', 'out'])
    expect(await runStage({ name: 'none', argv: ['/no/such/program'] })).toMatchObject({ passed: false, code: null })
})
