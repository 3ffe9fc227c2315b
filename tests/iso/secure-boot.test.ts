// Secure Boot with the keys that machines are sold with: the ISO boots, installs ZFS with a key of the machine, the firmware
// asks whether to trust it, and the kernel then takes the module that it would have refused.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildAll } from '../../scripts/build.ts'
import { tool } from '../real/world-cache.ts'
import { openScreen, type TestScreen } from '../real/world-screen.ts'
import { pokeNowAndThen } from '../vm/poke.ts'
import { bootIso, builtIso, diskMachine, type IsoMachine, whyNoIso } from './world-iso.ts'

const MINUTE_MS = 60_000
const PASSWORD = 'glacier tulip marzipan'
const missing = whyNoIso()
let folder = ''
const at = (name: string) => join(folder, name)
const machine = () => ({ disks: [{ file: at('OS.qcow2'), serial: 'OS' }], vars: at('vars.fd') })

beforeAll(async () => {
    if (missing) return
    const built = await builtIso()
    await buildAll()
    folder = await mkdtemp(join(tmpdir(), 'dv-secure-'))
    await tool(['qemu-img', 'create', '-q', '-f', 'qcow2', at('OS.qcow2'), '32G'])
    const hash = (await tool(['openssl', 'passwd', '-6', PASSWORD])).trim()
    await writeFile(
        at('answers.yaml'),
        `profile: zfs\ninstall: { machine: any, disks: [{ id: OS }], enrolKey: true, passwords: { root: '${hash}' } }\n`,
    )
    const words = ['iso', 'prepare', built, '--answers', at('answers.yaml'), '-o', at('own.iso')]
    await tool(['node', 'dist/debvisor.mjs', ...words], { deadlineMs: 10 * MINUTE_MS })
}, 120 * MINUTE_MS)
afterAll(async () => {
    if (folder) await rm(folder, { recursive: true })
})

it(
    'installs, and says what to do at the restart',
    async ({ skip }) => {
        if (missing) skip(missing)
        const booted = bootIso('secure', { iso: at('own.iso'), ...machine() })
        try {
            await booted.hear('Automatic install', 6 * MINUTE_MS)
            booted.type('a')
            const said = await booted.hear(/Installed in \d+ s\./, 60 * MINUTE_MS)
            expect(said).toContain("Sign ZFS's module with a key of this machine")
            expect(said.replace(/\s+/g, ' ')).toContain('choose Enroll MOK, Continue, Yes')
            await booted.ended(5 * MINUTE_MS)
        } finally {
            await booted.stop()
        }
    },
    90 * MINUTE_MS,
)

/** The terminal of the machine, until the work with it is done. */
async function at80x25<T>(started: IsoMachine, work: (screen: TestScreen) => Promise<T>): Promise<T> {
    const screen = await openScreen(started.argv, { rows: 25 })
    const poke = pokeNowAndThen(started.monitor)
    try {
        return await work(screen)
    } finally {
        poke.end()
        await screen.stop()
        started.remove()
    }
}

it(
    'is asked whether to trust the key, and takes the module of ZFS from then on',
    async ({ skip }) => {
        if (missing) skip(missing)
        await at80x25(diskMachine('secure', machine()), async screen => {
            await screen.see(/Press any key to perform MOK management/, 5 * MINUTE_MS)
            await screen.keys('Enter')
            await screen.see(/Enroll MOK/, MINUTE_MS)
            await screen.keep('mok-menu')
            await screen.keys('Down', 'Enter')
            await screen.see(/View key 0/, MINUTE_MS)
            await screen.keys('Down', 'Enter')
            // Its questions stand above what a serial port shows of them.
            await screen.see(/^\s*No\s+Yes\s*$/, MINUTE_MS)
            await screen.keys('Down', 'Enter')
            await screen.see(/^(?!\s*No\s+Yes)/, MINUTE_MS)
            await screen.keep('mok-password')
            await screen.type(PASSWORD)
            await screen.keys('Enter')
            await screen.see(/Reboot/, MINUTE_MS)
            await screen.keys('Enter')
            await screen.see(/ended 0/, 5 * MINUTE_MS)
        })
        await at80x25(diskMachine('secure', machine()), async screen => {
            await screen.see(/login:/, 25 * MINUTE_MS)
            await screen.type('root')
            await screen.keys('Enter')
            await screen.see(/Password:/, 3 * MINUTE_MS)
            await screen.type(PASSWORD)
            await screen.keys('Enter')
            await screen.see(/root@debvisor/, 5 * MINUTE_MS)
            await screen.type('clear; mokutil --sb-state; modprobe zfs && echo is "loaded"')
            await screen.keys('Enter')
            expect(await screen.see(/is loaded|ERROR/, 5 * MINUTE_MS)).toMatch(/SecureBoot enabled[\s\S]*is loaded/)
        })
    },
    60 * MINUTE_MS,
)
