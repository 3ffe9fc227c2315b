// qemu-img's words, as versions 7.2 (Debian 12) and 10.0 (Debian 13) really said them.
import { describe, expect, test } from 'vitest'
import { Fault } from '../../base/fault.ts'
import { classify, convertArgv, infoArgv, parseCheck, parseInfo, parseMeasure, parseProgress } from './qemuimg.ts'
import said7 from './testdata/qemu-img-7.2.json' with { type: 'json' }
import said10 from './testdata/qemu-img-10.0.json' with { type: 'json' }

type Said = Record<string, { argv: string[]; exitCode: number; stdout: string; stderr: string }>

describe.each([
    ['7.2', said7 as Said],
    ['10.0', said10 as Said],
])('qemu-img %s', (_version, said) => {
    const of = (name: string) => said[name] ?? expect.unreachable(`no such record: ${name}`)

    test.each(['qcow2', 'vmdk', 'vdi', 'vhdx', 'vpc'])('an honest %s refers to nothing', format => {
        const info = parseInfo(of(`info ${format}`).stdout)
        expect(info).toMatchObject({ format, virtualSizeBytes: expect.any(Number) })
        expect(info.virtualSizeBytes).toBeGreaterThanOrEqual(8 * 1024 ** 2)
        expect(info.refersTo).toEqual([])
    })
    test('what an image refers to is found', () => {
        expect(parseInfo(of('info with a backing file').stdout).refersTo).toEqual(['/etc/passwd'])
        expect(parseInfo(of('info with a data file').stdout).refersTo).toEqual(['dat.raw'])
        expect(parseInfo(of('info of a flat vmdk').stdout).refersTo).toEqual(['./flat-flat.vmdk'])
    })
    test.each(['qcow2', 'vmdk', 'vdi', 'vhdx'])('a whole %s has no corruptions', format => {
        expect(parseCheck(of(`check ${format}`).stdout)).toMatchObject({ corruptions: 0, checkErrors: 0 })
    })
    test('a cut image has', () => {
        const cut = of('check a cut qcow2')
        expect(cut.exitCode).toBe(2)
        expect(parseCheck(cut.stdout).corruptions).toBeGreaterThan(10)
    })
    test('measure and progress', () => {
        expect(parseMeasure(of('measure qcow2').stdout)).toBeGreaterThan(3 * 1024 ** 2)
        expect(parseProgress(of('convert').stdout)).toBe(1)
    })
    test.each([
        ['not qcow2', 'invalid', 'not of the format'],
        ['not vmdk', 'invalid', 'not of the format'],
        ['not vpc', 'invalid', 'not of the format'],
        ['not vhdx', 'invalid', 'cannot be read'],
        ['unknown feature', 'unsupported', 'does not know'],
        ['size of 2^60', 'invalid', 'size that no disk has'],
        ['file size limit', 'exhausted', 'no room'],
        ['no such file', 'invalid', 'cannot be read'],
    ])('%s is %s', (name, code, words) => {
        const fault = classify(of(name), 'x')
        expect(of(name).exitCode).not.toBe(0)
        expect(fault).toMatchObject({ code, summary: expect.stringContaining(words) })
        // The tool's own words are for the log alone.
        expect(fault.message).not.toContain('qemu-img:')
    })
})

test('a memory limit is an image that asks for too much', () => {
    expect(classify((said7 as Said)['memory limit']!, 'x')).toMatchObject({ code: 'denied' })
})

test('what nobody has seen yet is classified too', () => {
    expect(classify({ exitCode: 1, stderr: 'qemu-img: something new' }, 'x')).toMatchObject({ code: 'invalid' })
    expect(classify({ exitCode: 139, stderr: '' }, 'x')).toMatchObject({ code: 'invalid' })
    expect(() => parseInfo('[]')).toThrow(Fault)
    expect(() => parseCheck('oops')).toThrow(Fault)
    expect(parseProgress('nothing')).toBeUndefined()
})

test('a name is never read as a protocol or an option, and the format is always said', () => {
    expect(infoArgv('part', 'raw')).toEqual(['qemu-img', 'info', '--output=json', '-f', 'raw', './part'])
    expect(infoArgv('json:{}', 'raw').at(-1)).toBe('./json:{}')
    expect(infoArgv('-o', 'raw').at(-1)).toBe('./-o')
    const argv = convertArgv({ file: 'part', format: 'vmdk' }, { file: 'out', format: 'qcow2' })
    expect(argv.slice(0, 7)).toEqual(['qemu-img', 'convert', '-p', '-f', 'vmdk', '-O', 'qcow2'])
})
