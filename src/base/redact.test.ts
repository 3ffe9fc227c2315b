// What is hidden in logs, audit and plans, and what must stay readable.
import { expect, test } from 'vitest'
import { redact } from './redact.ts'

test('values under keys that name secrets are hidden, whatever their depth', () => {
    expect(redact({ user: 'ann', deep: [{ password: 'x', userData: '#cloud', empty: { token: '' } }] })).toEqual({
        user: 'ann',
        deep: [{ password: '[hidden]', userData: '[hidden]', empty: { token: '' } }],
    })
    // A command of cloud-init may hold a join token.
    expect(redact({ cloudInit: { commands: ['join --token x'], runcmd: ['y'] }, command: '' })).toEqual({
        cloudInit: { commands: '[hidden]', runcmd: '[hidden]' },
        command: '',
    })
    expect(redact({ data: new Uint8Array(3), size: 5n })).toEqual({ data: '[3 bytes]', size: '5' })
})

test.each([
    ['https://s3.example/b/x.qcow2?X-Amz-Signature=abc&y=1', 'https://s3.example/b/x.qcow2?[hidden]'],
    ['https://node:8443/#/first/SECRET', 'https://node:8443/#[hidden]'],
    [
        'Take https://h/x?key=1 in as "https://h/y?key=2", then go',
        'Take https://h/x?[hidden] in as "https://h/y?[hidden]", then go',
    ],
    ['https://ann:secret@h/x', 'https://[hidden]@h/x'],
    ['https://ann:se@cret@h?k=v', 'https://[hidden]@h?[hidden]'],
    ['qemu+ssh://root@h/system', 'qemu+ssh://root@h/system'],
    ['http://[fd00::1]:80/a@b:c', 'http://[fd00::1]:80/a@b:c'],
    ['https://h/x?', 'https://h/x?'],
    ['what is this? no URL', 'what is this? no URL'],
    ['://?x', '://?x'],
])('%s becomes %s', (text, hidden) => {
    expect(redact({ source: text })).toEqual({ source: hidden })
    expect(redact([text])).toEqual([hidden])
})

test('a long text that is full of schemes takes no long time', () => {
    const text = 'a://'.repeat(500_000)
    const began = performance.now()
    expect(redact(text)).toHaveLength(text.length)
    expect(performance.now() - began).toBeLessThan(2_000)
})

test.each([
    [[{ name: 'SMTP', value: 'hunter2' }], [{ name: 'SMTP', value: '[hidden]' }]],
    [
        ['SMTP=hunter2=x', 'BARE'],
        ['SMTP=[hidden]', 'BARE=[hidden]'],
    ],
    [
        { SMTP: 'hunter2', NUMBER: 1 },
        { SMTP: '[hidden]', NUMBER: '[hidden]' },
    ],
    ['SMTP=hunter2', '[hidden]'],
    [
        [null, 7],
        [
            { name: undefined, value: '[hidden]' },
            { name: undefined, value: '[hidden]' },
        ],
    ],
    [undefined, undefined],
])('of an environment only the names are told: %j', (environment, told) => {
    expect(redact({ wish: { environment, env: environment } })).toEqual({ wish: { environment: told, env: told } })
})
