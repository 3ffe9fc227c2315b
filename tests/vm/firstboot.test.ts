// The first boot of a machine that has a profile and no document: told on the consoles, cut from the power, done, over.
// Then the root service, which systemd starts by its socket for the user of rpcd and for nobody else.
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type NodeVm, startNode } from './node-vm.ts'

const MINUTE_MS = 60_000
const FIRST = 'debvisor-firstboot.service'
let vm: NodeVm

beforeAll(async () => {
    vm = await startNode({ disks: 2 })
    // As the installer does.
    await vm.must(`systemctl enable ${FIRST}`)
}, 40 * MINUTE_MS)
afterAll(() => vm?.stop())

/** The words on the serial console from here on. */
async function said(words: RegExp, from: number, deadlineMs: number): Promise<void> {
    const end = Date.now() + deadlineMs
    while (!words.test((await vm.console()).slice(from))) {
        if (Date.now() > end) throw new Error(`not said: ${words}\n${(await vm.console()).slice(-2000)}`)
        await pause(500)
    }
}
const isEnabled = async () => (await vm.sh(`systemctl is-enabled ${FIRST}`)).out.trim()

describe('the first boot', () => {
    it(
        'says what to type where nothing says what the machine should be, and stays',
        async () => {
            const from = (await vm.console()).length
            expect((await vm.sh(`systemctl start ${FIRST}`, 5 * MINUTE_MS)).code).not.toBe(0)
            await said(/Nothing says what this machine should be[\s\S]*debvisor node init/, from, MINUTE_MS)
            expect(await isEnabled()).toBe('enabled')
            expect(await vm.must(`journalctl -u ${FIRST} -o cat`)).toContain('Nothing says what this machine should be')
        },
        8 * MINUTE_MS,
    )

    it(
        'shows the whole plan beforehand, and touches nothing',
        async () => {
            await vm.must("echo 'PROFILE=zfs' > /etc/debvisor-profile")
            const plan = await vm.must('debvisor node firstboot --dry-run', 5 * MINUTE_MS)
            expect(plan).toMatch(/Make the pool tank, mirror of \S+DATA1 .*DATA2/)
            expect(await vm.must('ls /etc/debvisor 2>/dev/null | wc -l')).toBe('0\n')
        },
        8 * MINUTE_MS,
    )

    it(
        'is cut from the power in the middle, goes on at the next boot, and then is over',
        async () => {
            const from = (await vm.console()).length
            const booting = vm.reboot(30 * MINUTE_MS).catch(() => undefined)
            await said(
                /node\.yaml is written from \/etc\/debvisor-profile[\s\S]*Make the pool tank/,
                from,
                20 * MINUTE_MS,
            )
            await vm.cut()
            await booting
            const again = (await vm.console()).length
            await vm.boot(40 * MINUTE_MS)
            await said(/Done: \d+ steps\. This machine is what its document says\./, again, MINUTE_MS)
            expect((await vm.console()).slice(again)).toMatch(/\[1\/\d+\] .* done/)
            expect(await isEnabled()).toBe('disabled')
            expect((await vm.sh('debvisor node verify', 5 * MINUTE_MS)).code).toBe(0)
            expect(await vm.must('zpool list -Ho health tank')).toBe('ONLINE\n')
            expect(await vm.must('debvisor node history')).toMatch(/first boot +done[\s\S]*first boot +interrupted/)
        },
        80 * MINUTE_MS,
    )
})

describe('the root service', () => {
    const ask = (user: string) =>
        vm.sh(
            `setpriv --reuid ${user} --regid ${user === 'nobody' ? 'nogroup' : user} --clear-groups node -e '` +
                `const r = require("node:http").request({socketPath: "/run/debvisor-rootd.sock", method: "POST",` +
                `path: "/debvisor.rootd.v1.RootdService/GetDocument", headers: {"content-type": "application/json"}},` +
                `a => a.pipe(process.stdout)); r.on("error", e => { console.log(e.code); process.exit(1) }); r.end("{}")'`,
            2 * MINUTE_MS,
        )

    it(
        'is started by its socket for the user of rpcd, and closed to others',
        async () => {
            expect(await vm.must('systemctl is-active debvisor-rootd.socket')).toBe('active\n')
            await vm.sh('systemctl stop debvisor-rootd.service')
            expect(await ask('nobody')).toMatchObject({ code: 1, out: 'EACCES\n' })
            expect(JSON.parse((await ask('debvisor-rpc')).out)).toMatchObject({
                ...{ path: '/etc/debvisor/node.yaml', exists: true },
                text: expect.stringContaining('profile: zfs'),
            })
            expect((await vm.sh('systemctl is-active debvisor-rootd.service')).out).toBe('active\n')
            await vm.must('systemctl stop debvisor-rootd.service')
            expect((await ask('debvisor-rpc')).out).toContain('profile: zfs')
        },
        10 * MINUTE_MS,
    )
})
