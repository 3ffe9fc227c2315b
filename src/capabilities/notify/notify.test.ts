// Who is told what: the golden plans, applied twice; messages in words; what was told is not told again.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { runCases } from '../../../tests/cases.ts'
import { Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import { kitOf } from '../../engine/kit.ts'
import { fakeSystem } from '../../ports/fake.ts'
import { type Message, mailText, messageOf, testMessage } from './message.ts'
import { healthBasics, planHealth } from './plan.ts'
import { notifyResources, notifyTools } from './resources.ts'
import { checkNotify, notifySpec } from './spec.ts'
import { targetsOf } from './targets.ts'
import { TOLD, tell } from './tell.ts'

const schema = z.strictObject({ notify: notifySpec.prefault({}) })
const folder = join(import.meta.dirname, 'testdata')

describe('what people are told', () => {
    runCases({ folder, schema, checks: [checkNotify], resources: notifyResources, kit: kitOf(notifyTools) })

    it('is looked at when any service fails but the look itself', () => {
        const dropIns = healthBasics().files!.filter(({ path }) => path.endsWith('/50-debvisor-health.conf'))
        expect(dropIns.map(({ path, content }) => [path, String(content).includes('OnFailure')])).toEqual([
            ['/etc/systemd/system/service.d/50-debvisor-health.conf', true],
            ['/etc/systemd/system/debvisor-health.service.d/50-debvisor-health.conf', false],
        ])
    })

    it('needs systemd to read its files, once', () => {
        expect(planHealth({}, { stale: true }).steps).toMatchObject([{ args: ['daemon-reload'] }])
        expect(planHealth({}, { stale: false }).steps).toEqual([])
    })
})

const full: Finding = {
    ...{ severity: 'error', code: 'full', at: 'filesystem:/', summary: 'A file system is nearly full' },
    ...{ detail: '/: 98% of its space used', fix: 'Delete.' },
}
const failed: Finding = {
    ...{ severity: 'warning', code: 'unit-failed', at: 'unit:a.service', summary: 'A service has failed' },
    detail: 'a.service',
}

describe('a message', () => {
    it('says in its first line what it is about', () => {
        const subject = (began: Finding[], ended: Finding[]) => messageOf('node1', { began, ended }).subject
        expect(subject([full], [])).toBe('node1: A file system is nearly full: /: 98% of its space used')
        expect(subject([full, failed], [])).toBe('node1: 2 things are wrong')
        expect(subject([], [failed])).toBe('node1: over: A service has failed')
        expect(messageOf('node1', { began: [full], ended: [failed] }).text).toBe(
            'A file system is nearly full: /: 98% of its space used\n    Delete.\n\nOver:\n  A service has failed: a.service\n',
        )
    })

    it('lets no name write a line of its own into a mail', () => {
        const bad = { ...failed, detail: 'x\nBcc: somebody@else\r\n\r\nhello' }
        const text = mailText(messageOf('node1', { began: [bad], ended: [] }))
        expect(text.split('\n').filter(line => /^(Subject|Bcc):/.test(line))).toHaveLength(1)
        expect(mailText({ ...testMessage('n'), subject: 'größer' })).toMatch(/^Subject: =\?UTF-8\?B\?\S+\?=\n/)
    })
})

describe('telling', () => {
    const sent: [string, Message][] = []
    const target = (name: 'mail' | 'webhook', down = () => false) => ({
        name,
        async send(message: Message) {
            if (down()) throw new Fault('unavailable', { summary: 'down' })
            sent.push([name, message])
        },
    })
    const names = () => sent.splice(0).map(([name, { began, ended }]) => [name, began.length, ended.length])

    it('tells what is new, to each target once, and what could not be sent the next time', async () => {
        const system = fakeSystem({ writable: ['/var/lib/debvisor'] })
        let isDown = true
        const targets = [target('mail'), target('webhook', () => isDown)]
        const round = (findings: Finding[]) => tell({ system, node: 'node1', targets, findings })
        expect(await round([])).toEqual({ told: [], faults: [] })
        expect(system.files.has(TOLD)).toBe(false)
        expect(await round([full])).toMatchObject({ told: ['mail'], faults: [{ summary: 'down' }] })
        expect(names()).toEqual([['mail', 1, 0]])
        isDown = false
        expect((await round([{ ...full, detail: '/: 99%' }, failed])).told).toEqual(['mail', 'webhook'])
        expect(names()).toEqual([
            ['mail', 1, 0],
            ['webhook', 2, 0],
        ])
        expect((await round([full, failed])).told).toEqual([])
        expect((await round([])).told).toEqual(['mail', 'webhook'])
        expect(names()).toEqual([
            ['mail', 0, 2],
            ['webhook', 0, 2],
        ])
        system.files.set(TOLD, Buffer.from('{"mail": tor'))
        expect((await round([full])).told).toEqual(['mail', 'webhook'])
    })
})

describe('a webhook', () => {
    it('gets JSON with a text, and its address is in no fault', async () => {
        const bodies: string[] = []
        let status = 200
        const server = createServer(async (request, response) => {
            let body = ''
            for await (const chunk of request) body += chunk
            bodies.push(body)
            response.writeHead(status, { location: '/elsewhere' }).end()
        })
        await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook/s3cret`
        const system = fakeSystem({ files: { '/etc/debvisor/secrets/hook': `${url}\n` } })
        const [hook] = targetsOf({ webhook: { url: { file: '/etc/debvisor/secrets/hook' } } }, system)
        try {
            await hook!.send(messageOf('node1', { began: [full], ended: [] }))
            expect(JSON.parse(bodies[0]!)).toMatchObject({
                ...{ node: 'node1', began: [{ code: 'full' }] },
                text: expect.stringContaining('nearly full'),
            })
            for (const bad of [404, 302]) {
                status = bad
                const fault = (await hook!.send(testMessage('node1')).catch(thrown => thrown)) as Fault
                expect(fault.summary).toBe('The webhook did not take the message')
                expect(JSON.stringify(fault) + fault.message).not.toContain('s3cret')
            }
        } finally {
            server.close()
        }
        const fault = (await hook!.send(testMessage('node1')).catch(thrown => thrown)) as Fault
        expect(fault.detail).toBe('no connection')
        expect(fault.message).not.toContain('s3cret')
    })
})
