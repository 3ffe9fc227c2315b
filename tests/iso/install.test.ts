// Power on with an ISO that holds its answers, to a node that works: nobody presses a key but the one in the boot menu.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildAll } from '../../scripts/build.ts'
import { panelHash } from '../../src/capabilities/identity/installed.ts'
import { tool } from '../real/world-cache.ts'
import { bootFromDisks, type OwnBoot } from '../vm/own-boot.ts'
import { bootIso, builtIso, whyNoIso } from './world-iso.ts'

const MINUTE_MS = 60_000
const PASSWORD = 'glacier tulip marzipan'
const missing = whyNoIso()
// One after the other they take hours under emulation.
const profiles = process.env.DEBVISOR_ALL === '1' ? (['zfs', 'ceph', 'mixed'] as const) : (['zfs'] as const)
const firmwareOf = { zfs: 'bios', ceph: 'uefi', mixed: 'bios' } as const

describe.each(profiles)('with the profile %s', profile => {
    let folder = ''
    let node: OwnBoot | undefined
    const disks = () =>
        ['OS', 'DATA1', 'DATA2', 'DATA3', 'DATA4'].map(serial => ({ file: join(folder, `${serial}.qcow2`), serial }))

    beforeAll(async () => {
        if (missing) return
        const built = await builtIso()
        await buildAll()
        folder = await mkdtemp(join(tmpdir(), 'dv-iso-install-'))
        for (const { file, serial } of disks())
            await tool(['qemu-img', 'create', '-q', '-f', 'qcow2', file, serial === 'OS' ? '32G' : '12G'])
        const hash = (await tool(['openssl', 'passwd', '-6', PASSWORD])).trim()
        await writeFile(
            join(folder, 'answers.yaml'),
            `profile: ${profile}
install:
  machine: any
  disks: [{ id: OS }]
  passwords: { root: '${hash}', ann: '${hash}' }
  panel: { ann: '${await panelHash(PASSWORD)}' }
node: { hostname: node1 }
users:
  administrators: [{ name: ann }]
`,
        )
        const words = [
            'iso',
            'prepare',
            built,
            '--answers',
            join(folder, 'answers.yaml'),
            '-o',
            join(folder, 'own.iso'),
        ]
        await tool(['node', 'dist/debvisor.mjs', ...words], { deadlineMs: 10 * MINUTE_MS })
    }, 120 * MINUTE_MS)
    afterAll(async () => {
        await node?.stop()
        if (folder) await rm(folder, { recursive: true })
    })
    const must = (line: string, deadlineMs?: number) => node!.must(line, deadlineMs)
    const verified = async () =>
        expect(await must('debvisor node verify', 15 * MINUTE_MS)).toContain('The machine is what its document says.')

    it(
        'is installed without a question',
        async ({ skip }) => {
            if (missing) skip(missing)
            const machine = bootIso(firmwareOf[profile], { iso: join(folder, 'own.iso'), disks: disks() })
            try {
                await machine.hear('Automatic install', 5 * MINUTE_MS)
                machine.type('a')
                const said = await machine.hear(/Installed in \d+ s\./, 60 * MINUTE_MS)
                expect(said).toContain('The answers come from the medium.')
                expect(said).not.toContain('$6$')
                await machine.ended(5 * MINUTE_MS)
            } finally {
                await machine.stop()
            }
        },
        75 * MINUTE_MS,
    )

    it(
        'becomes a node by itself at its first boot',
        async ({ skip }) => {
            if (missing) skip(missing)
            const how = { disks: disks(), keep: true, memoryMib: 4096, bootMs: 30 * MINUTE_MS }
            node = await bootFromDisks({ firmware: firmwareOf[profile], ...how })
            // It is 'activating' while it works.
            const state = 'systemctl show --property=ActiveState --value debvisor-firstboot'
            await must(`while ${state} | grep -q ing; do sleep 1; done`, 60 * MINUTE_MS)
            const said = await must('journalctl --unit debvisor-firstboot --output cat --no-pager | tail -n 15')
            expect(said).toContain('The machine is what its document says.')
            expect(await must('systemctl is-enabled debvisor-firstboot || :')).toBe('disabled\n')
            expect(await must('hostname -f')).toBe('node1.debvisor.local\n')
            await verified()
            expect(await must('systemctl --failed --no-legend')).toBe('')
        },
        100 * MINUTE_MS,
    )

    const panelLetsIn = async () => {
        const login = { user: 'ann', password: PASSWORD }
        const said = await must(
            `curl --silent --insecure --fail --retry 30 --retry-all-errors -H 'content-type: application/json' ` +
                `-d '${JSON.stringify(login)}' https://127.0.0.1:8443/debvisor.identity.v1.IdentityService/Login`,
            10 * MINUTE_MS,
        )
        expect(JSON.parse(said)).toBeTypeOf('object')
    }

    it(
        "lets its administrator into the panel by the installer's password, and runs a VM",
        async ({ skip }) => {
            if (missing) skip(missing)
            await panelLetsIn()
            await must('debvisor vm create web1 --disk 64M --memory 64M --no-network --start', 10 * MINUTE_MS)
            expect(await must('debvisor vm list')).toMatch(/web1\s+running/)
        },
        30 * MINUTE_MS,
    )

    it(
        'is the same after a reboot',
        async ({ skip }) => {
            if (missing) skip(missing)
            await node!.reboot()
            await verified()
            await panelLetsIn()
            expect(await must('debvisor vm list')).toContain('web1')
        },
        60 * MINUTE_MS,
    )
})
