// The generator on a libvirt of a few lines: what it reads, and what it refuses to guess.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { generate } from '../generate-libvirt.ts'
import { findTarball } from '../mirror.ts'
import { evaluate, readHeaders } from './headers.ts'
import { readProtocol } from './protocol.ts'

const FILES: Record<string, string> = {
    'meson.build': `project('libvirt', version: '0.0.1')`,
    'include/libvirt/libvirt.h': '# include <libvirt/libvirt-common.h>\n# include <libvirt/libvirt-domain.h>\n',
    'include/libvirt/libvirt-common.h.in': '# define VIR_UUID_BUFLEN (16)\n',
    'include/libvirt/libvirt-domain.h': `
        typedef enum {
            VIR_DOMAIN_XML_SECURE = (1 << 0), /* (Since: 0.3.3) */
            VIR_DOMAIN_XML_INACTIVE = (1 << 1),
            VIR_DOMAIN_XML_BOTH = VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_INACTIVE,
        } virDomainXMLFlags;
        typedef enum { VIR_DOMAIN_EVENT_ID_REBOOT = 1 } virDomainEventID;
        # define VIR_DOMAIN_NAME "name"
        char * virDomainGetXMLDesc (virDomainPtr domain, unsigned int flags);`,
    'include/libvirt/libvirt-qemu.h': '',
    'include/libvirt/virterror.h': `
        typedef enum { VIR_ERR_NONE = 0, VIR_ERR_WARNING = 1 } virErrorLevel;
        typedef enum { VIR_FROM_NONE = 0 } virErrorDomain;
        typedef enum { VIR_ERR_OK = 0, VIR_ERR_INTERNAL_ERROR, VIR_ERR_NO_MEMORY } virErrorNumber;`,
    'src/rpc/virnetprotocol.x': '%#include "internal.h"\n',
    'src/rpc/virkeepaliveprotocol.x': '',
    'src/remote/remote_protocol.x': `
        const REMOTE_STRING_MAX = 0x10;
        typedef string remote_nonnull_string<REMOTE_STRING_MAX>;
        typedef remote_nonnull_string *remote_string;
        typedef opaque remote_uuid[VIR_UUID_BUFLEN];
        struct remote_nonnull_domain { remote_nonnull_string name; remote_uuid uuid; int id; };
        struct remote_domain_get_xml_desc_args { remote_nonnull_domain dom; unsigned int flags; };
        struct remote_domain_get_xml_desc_ret { remote_string xml; unsigned hyper size; char model[2]; };
        struct remote_domain_event_reboot_msg { remote_nonnull_domain dom<3>; };
        struct remote_domain_open_args { remote_string alias; };
        union remote_value switch (int type) { case 1: int i; case 2: hyper l; };
        const REMOTE_PROGRAM = 0x20008086;
        enum remote_procedure {
            /**
             * @generate: both
             * @acl: domain:read
             * @acl: domain:read_secure:VIR_DOMAIN_XML_SECURE
             */
            REMOTE_PROC_DOMAIN_GET_XML_DESC = 14,
            /**
             * @readstream: 2
             * @acl: domain:open_device
             */
            REMOTE_PROC_DOMAIN_OPEN = 15,
            /**
             * @acl: none
             */
            REMOTE_PROC_DOMAIN_EVENT_REBOOT = 16
        };`,
    'src/remote/qemu_protocol.x': 'const QEMU_PROGRAM = 0x20008087; enum qemu_procedure { };',
}

let folder: string
beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'dv-generate-'))
    for (const [path, text] of Object.entries(FILES)) {
        mkdirSync(dirname(join(folder, path)), { recursive: true })
        writeFileSync(join(folder, path), text)
    }
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('reading', () => {
    it('finds procedures with the capitals of the C functions, their streams, and whether they only look', () => {
        const { procedures } = readProtocol(folder, readHeaders(folder))
        expect(procedures).toEqual([
            expect.objectContaining({
                ...{ name: 'domainGetXMLDesc', number: 14, program: 0x20008086, reads: true },
                ...{ args: 'DomainGetXMLDescArgs', ret: 'DomainGetXMLDescRet' },
            }),
            expect.objectContaining({ name: 'domainOpen', stream: 'read', reads: false }),
            expect.objectContaining({ name: 'domainEventReboot', message: 'DomainEventRebootMsg' }),
        ])
    })

    it('resolves typedefs, constants and the length of arrays', () => {
        const { shapes, events } = readProtocol(folder, readHeaders(folder))
        expect(shapes.get('DomainGetXMLDescRet')).toEqual({
            fields: [
                ['xml', ['opt', ['text', 16]]],
                ['size', 'uhyper'],
                ['model', ['fixed', 'int', 2]],
            ],
        })
        expect(shapes.get('DomainRef')).toEqual({
            fields: [
                ['name', ['text', 16]],
                ['uuid', ['block', 16]],
                ['id', 'int'],
            ],
        })
        expect(shapes.get('Value')).toEqual({
            cases: [
                [1, 'int'],
                [2, 'hyper'],
            ],
        })
        expect(events.get('domain')?.get('reboot')).toEqual({ id: 1, procedure: 'domainEventReboot' })
    })

    it('says where a file is not what it should be', () => {
        const bad = join(folder, 'src/rpc/virnetprotocol.x')
        writeFileSync(bad, 'struct a { int b }')
        expect(() => readProtocol(folder, readHeaders(folder))).toThrow("virnetprotocol.x: ';' expected, '}' found")
        writeFileSync(bad, FILES['src/rpc/virnetprotocol.x']!)
    })
})

describe('writing', () => {
    it('gives the same bytes for the same source', () => {
        expect([...generate(folder)]).toEqual([...generate(folder)])
    })

    it('lets what is sent leave out flags and nulls, and nothing that is received', () => {
        const text = generate(folder).get('src/gen/libvirt/protocol.ts')!
        expect(text).toContain('export interface DomainGetXMLDescArgs { dom: DomainRef; flags?: number }')
        expect(text).toContain('export interface DomainOpenArgs { alias?: string | null }')
        expect(text).toContain(
            'export interface DomainGetXMLDescRet { xml: string | null; size: bigint; model: number[] }',
        )
    })

    it('keeps error numbers apart from error levels', () => {
        const text = generate(folder).get('src/gen/libvirt/constants.ts')!
        expect(text).toContain("1: 'VIR_ERR_INTERNAL_ERROR'")
        expect(text).not.toContain("1: 'VIR_ERR_WARNING'")
        expect(text).toContain('VIR_DOMAIN_XML_BOTH: 3,')
        expect(text).toContain("VIR_DOMAIN_NAME: 'name',")
    })
})

it('evaluates constants, and nothing else', () => {
    const known = new Map([['A', 4]])
    expect(evaluate('(1U << 3) | A', known)).toBe(12)
    expect(evaluate('0x6b656570', known)).toBe(0x6b656570)
    expect(() => evaluate('process.exit()', known)).toThrow('not a constant expression')
    expect(() => evaluate('UNKNOWN + 1', known)).toThrow('not a constant expression')
})

it('finds a package among others in the index of sources', () => {
    const sum = 'a'.repeat(64)
    const stanza = (name: string) =>
        `Package: ${name}\nBinary: x\nFiles:\n ${'b'.repeat(32)} 1 ${name}_1.orig.tar.xz\nChecksums-Sha256:\n` +
        ` ${'c'.repeat(64)} 1 ${name}_1.dsc\n ${sum} 2 ${name}_1.orig.tar.xz\nDirectory: pool/main/${name}\n`
    const index = `${stanza('libvirt-python')}\n${stanza('libvirt')}`
    expect(findTarball(index, 'libvirt')).toEqual({
        directory: 'pool/main/libvirt',
        file: 'libvirt_1.orig.tar.xz',
        sha256: sum,
    })
    expect(() => findTarball(index, 'other')).toThrow('no upstream tarball')
})
