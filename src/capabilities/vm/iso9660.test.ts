// Seeds are read back by ourselves and by a program that others wrote.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ISO_DESCRIPTOR, makeIso, readIso, readIsoDescriptor } from './iso9660.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const files = [
    { name: 'user-data', data: bytes(`#cloud-config\n${'x'.repeat(5000)}`) },
    { name: 'meta-data', data: bytes('instance-id: a\n') },
    { name: 'network-config', data: bytes('version: 2\n') },
    { name: 'vendor-data', data: bytes('') },
]
const image = () => makeIso(files, { label: 'cidata', madeMs: Date.UTC(2026, 10, 23, 6, 30) })

describe('an ISO image', () => {
    it('gives back what was put in', () => {
        const back = readIso(image())
        expect(back.map(file => file.name)).toEqual(['meta-data', 'network-config', 'user-data', 'vendor-data'])
        for (const file of files) expect(back.find(b => b.name === file.name)?.data).toEqual(file.data)
    })

    it('says its label and size in the descriptor', () => {
        const { offsetBytes, lengthBytes } = ISO_DESCRIPTOR
        const whole = image()
        const descriptor = readIsoDescriptor(whole.subarray(offsetBytes, offsetBytes + lengthBytes))
        expect(descriptor).toEqual({ label: 'cidata', sizeBytes: whole.length })
    })

    it('is read by xorriso with the small letters of Joliet', () => {
        const folder = mkdtempSync(join(tmpdir(), 'iso9660-'))
        try {
            const path = join(folder, 'seed.iso')
            writeFileSync(path, image())
            const out = join(folder, 'out')
            const said = execFileSync(
                'xorriso',
                ['-osirrox', 'on', '-indev', `stdio:${path}`, '-pvd_info', '-find', '/', '--', '-extract', '/', out],
                { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
            )
            expect(said).toMatch(/Volume Id\s*:\s*cidata/)
            expect(said).toContain("'/user-data'")
            expect(said).toContain("'/network-config'")
            const same = execFileSync('sha256sum', [join(out, 'user-data')], { encoding: 'utf8' })
            const want = execFileSync('sha256sum', { input: files[0]!.data, encoding: 'utf8' })
            expect(same.slice(0, 64)).toBe(want.slice(0, 64))
        } finally {
            rmSync(folder, { recursive: true, force: true })
        }
    })

    it('is refused when it is none, or cut off', () => {
        expect(() => readIso(new Uint8Array(100_000))).toThrow('not an ISO image')
        expect(() => readIso(new Uint8Array(0))).toThrow('ends too early')
        expect(() => readIso(image().subarray(0, 26 * 2048))).toThrow('ends too early')
        expect(readIsoDescriptor(new Uint8Array(2048))).toBeUndefined()
    })

    it('takes no names that Joliet or Linux cannot hold', () => {
        const one = (name: string) => () => makeIso([{ name, data: bytes('') }], { label: 'x', madeMs: 0 })
        for (const name of ['', '../x', 'a/b', 'x'.repeat(31)]) expect(one(name)).toThrow('small ISO')
    })
})
