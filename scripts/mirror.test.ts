// Which mirror apt's files name, in both of their forms; and that a mirror out of reach is told from a wrong file.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { debianMirror, mirrorIn, sourceTarball } from './mirror.ts'

const folder = mkdtempSync(join(tmpdir(), 'dv-apt-'))
afterAll(() => rmSync(folder, { recursive: true }))

const deb822 = (uris: string, more = '') =>
    `Types: deb\n# by hand\nURIs: ${uris}\nSuites: trixie\n${more}Components: main\n`

it.each([
    ['deb822', deb822('http://a.example/debian/'), 'http://a.example/debian'],
    ['several', deb822('cdrom:[x]/ https://b.example/debian'), 'https://b.example/debian'],
    [
        'a later stanza',
        `${deb822('http://a/debian', 'Enabled: no\n')}\n${deb822('http://b/debian')}`,
        'http://b/debian',
    ],
    ['sources only', 'Types: deb-src\nURIs: http://a/debian\nSuites: trixie\n', undefined],
    ['one line', 'deb http://a.example/debian/ bookworm main\n', 'http://a.example/debian'],
    ['options', 'deb [arch=amd64 signed-by=/k] http://a/debian bookworm main\n', 'http://a/debian'],
    [
        'a disc first',
        '#deb cdrom:[Debian]/ bookworm main\ndeb cdrom:[D] x main\ndeb http://a/debian x main\n',
        'http://a/debian',
    ],
    ['security first', 'deb http://a/debian-security x main\ndeb http://a/debian x main\n', 'http://a/debian'],
    ['comments', '# deb http://a/debian x main\n', undefined],
])('%s', (_, text, mirror) => {
    expect(mirrorIn(text)).toBe(mirror)
})

it('looks into debian.sources, sources.list and the rest, in this order', () => {
    const apt = join(folder, 'apt')
    expect(debianMirror(apt)).toBeUndefined()
    mkdirSync(join(apt, 'sources.list.d'), { recursive: true })
    writeFileSync(join(apt, 'sources.list.d/site.list'), 'deb http://third/debian x main\n')
    expect(debianMirror(apt)).toBe('http://third/debian')
    writeFileSync(join(apt, 'sources.list'), 'deb http://second/debian x main\n')
    expect(debianMirror(apt)).toBe('http://second/debian')
    writeFileSync(join(apt, 'sources.list.d/debian.sources'), deb822('http://first/debian'))
    expect(debianMirror(apt)).toBe('http://first/debian')
})

it('answers why a mirror cannot be had', async () => {
    const server = createServer((_, answer) => answer.writeHead(404).end())
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}/debian`
    expect(await sourceTarball('libvirt', mirror)).toEqual({
        unreachable: 'the Debian mirror answered 404 for index of source packages',
    })
    await new Promise(resolve => server.close(resolve))
    expect(await sourceTarball('libvirt', mirror)).toMatchObject({
        unreachable: expect.stringContaining('ECONNREFUSED'),
    })
})
