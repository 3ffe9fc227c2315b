// A question with a time to answer: a yes, another word, the end of the terminal, and nothing at all.
import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { answeredYes } from './io.ts'

it.each([
    ['y\n', true],
    ['yes\n', true],
    ['\n', false],
    ['no\n', false],
    [null, false],
    ['', false],
])('%j is %s', async (typed, expected) => {
    const stdin = Object.assign(new PassThrough(), { isTTY: true })
    const stderr = Object.assign(new PassThrough(), { isTTY: true })
    const answer = answeredYes(
        { stdin, stdout: new PassThrough(), stderr, env: {} },
        'Keep it?',
        typed === '' ? 50 : 5000,
    )
    if (typed === null) stdin.end()
    else if (typed) stdin.write(typed)
    expect(await answer).toBe(expected)
    expect(String(stderr.read())).toContain('Keep it?')
})
