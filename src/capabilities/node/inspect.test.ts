// The journal, services and disks as their tools tell of them. (Lines of the journal as journalctl of systemd 252 wrote them.)
import { describe, expect, it } from 'vitest'
import { asFault } from '../../base/fault.ts'
import { fakeClock, fakeSystem } from '../../ports/fake.ts'
import { healthOf } from '../disks/look.ts'
import { parseSmart } from '../disks/smartctl.ts'
import { checkWish, type JournalWish, journalArgv, parseJournal, readJournal } from './journal.ts'
import { parseUnits, seeServices, unitsArgv } from './units.ts'

const all: JournalWish = { unit: '', text: '', lines: 0, follow: false }
const line = (n: number, more: object = {}): string =>
    JSON.stringify({
        __CURSOR: `s=454676f63f424be28106883f5af3af3f;i=${n}`,
        MESSAGE: 'something broke (really)',
        _COMM: 'cat',
        SYSLOG_IDENTIFIER: 'demo',
        PRIORITY: '3',
        _PID: '15086',
        __REALTIME_TIMESTAMP: '1795793400881052',
        ...more,
    })

describe('the journal', () => {
    it('is asked with each wish as one argument, and text as text', () => {
        expect(journalArgv({ ...all, unit: 'ssh.service', priority: 4, text: 'a.b* (c)', lines: 50 })).toEqual([
            ...['/usr/bin/journalctl', '--output=json', '--no-pager', '--quiet'],
            '--output-fields=MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_SYSTEMD_UNIT,UNIT,_COMM,_PID',
            ...['--unit=ssh.service', '--priority=4'],
            ...['--grep=a\\.b\\*\\ \\(c\\)', '--case-sensitive=no', '--lines=50'],
        ])
    })

    it.each([
        { unit: '--root=/evil' },
        { unit: 'a b' },
        { unit: 'x\n' },
        { priority: 8 },
        { lines: 2001 },
        { text: 'x'.repeat(201) },
        { text: 'a\0b' },
    ])('refuses %j', wrong => {
        const fault = () => checkWish({ ...all, ...wrong })
        expect(fault).toThrow(/The journal cannot be asked that/)
        try {
            fault()
        } catch (thrown) {
            expect(asFault(thrown)).toMatchObject({ code: 'invalid', at: Object.keys(wrong)[0] })
        }
    })

    it('reads lines: bytes that are no text, fields that are missing, and what is no line', () => {
        const bytes = line(2, {
            MESSAGE: [98, 121, 116, 101, 115, 32, 1, 255],
            PRIORITY: '4',
            _SYSTEMD_UNIT: 'a.service',
        })
        const bare = JSON.stringify({ __CURSOR: 'i=3', __REALTIME_TIMESTAMP: '1', MESSAGE: null })
        const [first, second, third, ...rest] = parseJournal([line(1), bytes, bare, 'no json', ''].join('\n'))
        expect(first).toEqual({
            cursor: 's=454676f63f424be28106883f5af3af3f;i=1',
            atMs: 1795793400881,
            ...{ priority: 3, unit: '', source: 'demo', pid: 15086, text: 'something broke (really)' },
        })
        expect(second).toMatchObject({ unit: 'a.service', priority: 4, text: 'bytes \x01\uFFFD' })
        expect(third).toMatchObject({ priority: 6, source: '', pid: 0, text: '' })
        expect(rest).toEqual([])
    })

    it('is followed from the last entry on, and ends with its reader', async () => {
        const clock = fakeClock()
        const asked: string[] = []
        const answers = [line(1), '', line(2), '']
        const machine = fakeSystem({
            tools: [
                {
                    argv: ([tool]) => tool === '/usr/bin/journalctl',
                    answer({ argv }) {
                        asked.push(argv.find(word => word.startsWith('--after-cursor=')) ?? 'all')
                        const stdout = answers.shift() ?? ''
                        return { exitCode: stdout === '' ? 1 : 0, stdout }
                    },
                },
            ],
        })
        const stop = new AbortController()
        const reader = readJournal({ machine, clock }, { ...all, follow: true }, stop.signal)
        expect((await reader.next()).value).toHaveLength(1)
        const next = reader.next()
        for (let i = 0; i < 3; i++) await clock.advance(1_000)
        expect((await next).value).toMatchObject([{ cursor: expect.stringMatching(/i=2$/) }])
        const last = reader.next()
        stop.abort()
        expect((await last).done).toBe(true)
        expect(asked.slice(0, 3)).toEqual([
            'all',
            '--after-cursor=s=454676f63f424be28106883f5af3af3f;i=1',
            '--after-cursor=s=454676f63f424be28106883f5af3af3f;i=1',
        ])
    })
})

describe('services', () => {
    it('are those that are there', () => {
        const stdout = JSON.stringify([
            {
                unit: 'ssh.service',
                load: 'loaded',
                active: 'active',
                sub: 'running',
                description: 'OpenBSD Secure Shell',
            },
            {
                unit: 'auditd.service',
                load: 'not-found',
                active: 'inactive',
                sub: 'dead',
                description: 'auditd.service',
            },
        ])
        expect(parseUnits(stdout)).toEqual([
            { name: 'ssh.service', description: 'OpenBSD Secure Shell', active: 'active', sub: 'running' },
        ])
        for (const wrong of ['', 'no json', '{}', '[{"unit":1}]'])
            expect(() => parseUnits(wrong)).toThrow(/cannot be listed/)
    })

    it('cannot be listed where systemd does not run, and that is said', async () => {
        const machine = fakeSystem({
            tools: [
                {
                    argv: unitsArgv,
                    answer: {
                        exitCode: 1,
                        stderr: 'System has not been booted with systemd as init system (PID 1).\n',
                    },
                },
            ],
        })
        await expect(seeServices(machine)).rejects.toMatchObject({
            code: 'unavailable',
            detail: expect.stringContaining('not been booted with systemd'),
        })
    })
})

it('a disk is as it says: good, with signs, failing, or silent', () => {
    const nvme = parseSmart(
        JSON.stringify({
            smart_status: { passed: true },
            temperature: { current: 41 },
            power_on_time: { hours: 9000 },
            nvme_smart_health_information_log: { percentage_used: 12, media_errors: 0, available_spare: 100 },
        }),
    )
    expect(nvme).toMatchObject({ temperatureCelsius: 41, powerOnHours: 9000, wornPercent: 12 })
    expect(healthOf(nvme)).toBe('ok')
    expect(healthOf({ passed: true, signs: ['3 media errors'] })).toBe('signs')
    expect(healthOf({ passed: false, signs: [] })).toBe('failing')
    expect(healthOf({ signs: [] })).toBe('unknown')
})
