// libvirt's numbers become the right kind of Fault, and its words the detail.
import { describe, expect, it } from 'vitest'
import { Fault } from '../../base/fault.ts'
import { ERROR_NUMBERS, VIR } from '../../gen/libvirt/constants.ts'
import { connectFault, faultOf, lateFault, libvirtErrorOf, lostFault } from './errors.ts'

const sent = (code: number, message = 'words of libvirt', int1 = 0) => ({
    ...{ code, domain: VIR.VIR_FROM_QEMU, message, level: 2, dom: null, net: null },
    ...{ str1: 'a', str2: null, str3: null, int1, int2: 0 },
})

describe('faultOf', () => {
    it.each([
        ['NO_DOMAIN', 'not-found'],
        ['NO_STORAGE_VOL', 'not-found'],
        ['NO_DOMAIN_SNAPSHOT', 'not-found'],
        ['DOM_EXIST', 'exists'],
        ['OPERATION_INVALID', 'precondition'],
        ['RESOURCE_BUSY', 'conflict'],
        ['INVALID_ARG', 'invalid'],
        ['XML_DETAIL', 'invalid'],
        ['CONFIG_UNSUPPORTED', 'unsupported'],
        ['NO_SUPPORT', 'unsupported'],
        ['AUTH_FAILED', 'denied'],
        ['OPERATION_TIMEOUT', 'deadline'],
        ['AGENT_UNRESPONSIVE', 'unavailable'],
        ['OPERATION_ABORTED', 'cancelled'],
        ['NO_MEMORY', 'exhausted'],
        ['INTERNAL_ERROR', 'internal'],
    ] as const)('%s is %s', (name, code) => {
        const fault = faultOf(sent(VIR[`VIR_ERR_${name}`]), 'domainCreate')
        expect(fault).toMatchObject({ code, detail: 'words of libvirt' })
        expect(fault.fix !== '' || code === 'cancelled').toBe(true)
        expect(fault.summary).not.toContain('words of libvirt')
    })

    it.each([
        [VIR.VIR_ERR_RPC, 'unknown procedure: 450', 0, 'unsupported'],
        [VIR.VIR_ERR_RPC, 'bad packet', 0, 'internal'],
        [VIR.VIR_ERR_OPERATION_FAILED, "operation failed: domain 'a' already exists with uuid 0", 0, 'exists'],
        [VIR.VIR_ERR_OPERATION_FAILED, 'operation failed: job failed', 0, 'internal'],
        [VIR.VIR_ERR_INTERNAL_ERROR, 'internal error: unsupported event ID 27', 0, 'unsupported'],
        [VIR.VIR_ERR_INTERNAL_ERROR, 'internal error: unsupported network event ID 1', 0, 'unsupported'],
        [VIR.VIR_ERR_INTERNAL_ERROR, 'internal error: it broke', 0, 'internal'],
        [
            VIR.VIR_ERR_OPERATION_FAILED,
            'operation failed: Active console session exists for this domain',
            0,
            'conflict',
        ],
        [VIR.VIR_ERR_SYSTEM_ERROR, 'No space left on device', 28, 'exhausted'],
        [VIR.VIR_ERR_SYSTEM_ERROR, 'No such file', 2, 'not-found'],
        [VIR.VIR_ERR_SYSTEM_ERROR, 'Input/output error', 5, 'internal'],
        [9999, 'from the future', 0, 'internal'],
    ] as const)('%d "%s" (%d) is %s', (number, message, errno, code) => {
        expect(faultOf(sent(number, message, errno), 'x').code).toBe(code)
    })

    it('says how a console that somebody else has is taken over', () => {
        const message = 'operation failed: Active console session exists for this domain'
        expect(faultOf(sent(VIR.VIR_ERR_OPERATION_FAILED, message), 'domainOpenConsole')).toMatchObject({
            code: 'conflict',
            summary: 'Somebody else has the serial console open',
            detail: message,
            fix: expect.stringContaining('--force'),
        })
    })

    it('keeps what libvirt said as the cause', () => {
        const fault = faultOf(sent(VIR.VIR_ERR_NO_DOMAIN), 'domainGetInfo')
        expect(libvirtErrorOf(fault)).toMatchObject({
            number: 42,
            name: 'VIR_ERR_NO_DOMAIN',
            from: 'VIR_FROM_QEMU',
            procedure: 'domainGetInfo',
            strings: ['a', null, null],
        })
        expect(libvirtErrorOf(new Fault('internal', { summary: 'x', cause: new Error('y') }))).toBeUndefined()
        expect(libvirtErrorOf(new Error('y'))).toBeUndefined()
    })

    it('takes names from virErrorNumber, not from virErrorLevel with the same prefix', () => {
        expect([ERROR_NUMBERS[1], ERROR_NUMBERS[2]]).toEqual(['VIR_ERR_INTERNAL_ERROR', 'VIR_ERR_NO_MEMORY'])
    })
})

it('tells a lost change from a lost look', () => {
    const why = new Fault('unavailable', { summary: 'gone' })
    expect(lostFault('domainCreate', false, why).code).toBe('unknown')
    expect(lostFault('domainGetInfo', true, why).code).toBe('unavailable')
    expect(lateFault('domainCreate', { reads: false, sent: true, deadlineMs: 1 }).code).toBe('unknown')
    expect(lateFault('domainCreate', { reads: false, sent: false, deadlineMs: 1 }).code).toBe('deadline')
    expect(lateFault('domainGetInfo', { reads: true, sent: true, deadlineMs: 1 }).code).toBe('deadline')
})

it('tells a closed door from an empty house', () => {
    expect(connectFault(Object.assign(new Error(), { code: 'EACCES' }), '/s').code).toBe('denied')
    expect(connectFault(Object.assign(new Error(), { code: 'ENOENT' }), '/s').code).toBe('unavailable')
})
