// An installation in a live system: by answers, refused where it should be, cut from the power; by the screens, onto a
// mirror; without a question, onto the disk that was cut off. Then the installed disks alone, by BIOS and by UEFI, and of
// the mirror the second when the first is gone.
// The first boot's own work is tests/vm/firstboot.test.ts: this node is small, and has neither ZFS nor the package.
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildAll } from '../../scripts/build.ts'
import { installImage } from './install-image.ts'
import { type NodeVm, startNode } from './node-vm.ts'
import { bootFromDisks, type OwnBoot } from './own-boot.ts'

const MINUTE_MS = 60_000
/** Of the word 'sesame', by mkpasswd. */
const HASH = '$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/'
const PANEL = 'scrypt$32768$8$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='
const answers = (install: string) => `profile: zfs
install:
  passwords: { root: ${HASH}, ann: ${HASH} }
  panel: { ann: ${PANEL} }
  ${install}
node: { hostname: node1, domain: example.org, keyboard: de }
users:
  administrators: [{ name: ann }]
storage: { zfs: { disks: [] } }
`
const DEBVISOR = 'node /usr/lib/debvisor/debvisor.mjs'
const ANY = 'machine: any'
const kernelWords = 'debvisor.install=automatic debvisor.after=poweroff'
let vm: NodeVm

beforeAll(async () => {
    const { live, squashfs } = await installImage()
    await buildAll()
    vm = await startNode({
        disks: 3,
        diskSize: '18G',
        image: live,
        files: [squashfs, 'dist/debvisor.mjs', 'dist/rootd.mjs', 'dist/installer.mjs'],
        label: 'DEBVISOR',
        kernelWords,
    })
}, 40 * MINUTE_MS)
afterAll(() => vm?.stop())

async function install(text: string, options = '--yes', deadlineMs = 20 * MINUTE_MS) {
    await vm.put('/root/answers.yaml', text)
    return vm.sh(`${DEBVISOR} install --answers /root/answers.yaml ${options}`, deadlineMs)
}
const signatures = (disk: string) => vm.must(`wipefs --noheadings /dev/disk/by-id/virtio-${disk} | wc -l`)

describe('answers that may not be carried out', () => {
    it.each([
        ['for another machine', `machine: { mac: "02:00:00:00:00:01" }\n  disks: [{ id: DATA1 }]`, /another machine/],
        ['a disk that is not there', `${ANY}\n  disks: [{ id: DATA9 }]`, /No disk of this machine is meant/],
        ['the disk of the running system', `${ANY}\n  disks: [{ id: OS }]`, /The running system stands on that disk/],
        ['several disks that fit', `${ANY}\n  disks: [{ minSize: 17G }]`, /Several disks are meant/],
        ['a disk that is too small', `${ANY}\n  disks: [{ maxSize: 1G }]`, /in use, or can only be read/],
        ['no disks at all', ANY, /install.disks/],
    ])(
        '%s: says so, and touches nothing',
        async (_, text, words) => {
            const { code, err } = await install(answers(text), '--yes', 3 * MINUTE_MS)
            expect(err).toMatch(words)
            expect(code).toBe(1)
            expect(await signatures('DATA1')).toBe('0\n')
        },
        4 * MINUTE_MS,
    )
})

describe('one disk', () => {
    it(
        'is cut from the power in the middle; what is half made boots nothing, and asks for a consent',
        async () => {
            expect((await install(answers(`${ANY}\n  disks: [{ id: DATA1 }]`), '--dry-run')).out).toMatch(
                /Unpack the system[\s\S]*At the first boot:/,
            )
            await vm.sh(`systemd-run --unit=it ${DEBVISOR} install --answers /root/answers.yaml --yes`)
            const end = Date.now() + 15 * MINUTE_MS
            while (
                (await vm.sh('grep -c "Unpack the system" /var/lib/debvisor/applies/*/journal')).out.trim() !== '1'
            ) {
                expect(Date.now()).toBeLessThan(end)
                await pause(1000)
            }
            await vm.cut()
            await vm.boot(20 * MINUTE_MS)
            const { code, err } = await install(answers(`${ANY}\n  disks: [{ id: DATA1 }]`))
            expect(err).toMatch(/the answers do not agree to that: \S+DATA1 \(18 GiB, holds/)
            expect(code).toBe(3)
        },
        60 * MINUTE_MS,
    )
})

const tmux = (words: string) => vm.must(`tmux -L it ${words}`)
const keys = (...names: string[]) => tmux(`send-keys -t it ${names.join(' ')}`)
const type = (text: string) => tmux(`send-keys -t it -l '${text}'`)
async function see(what: RegExp, deadlineMs = 2 * MINUTE_MS): Promise<string> {
    const end = Date.now() + deadlineMs
    for (;;) {
        const shown = await tmux('capture-pane -p -t it')
        if (what.test(shown)) return shown
        if (Date.now() > end) throw new Error(`the screen never showed ${what}:\n${shown}`)
        await pause(1000)
    }
}

it(
    'two disks are mirrored, by the screens, beside a system that has the same names',
    async () => {
        const PASSWORD = 'glacier tulip marzipan'
        await tmux('-f /dev/null new-session -d -s it -x 80 -y 24 "node /usr/lib/debvisor/installer.mjs; sleep 600"')
        expect(await see(/Disk of the system/)).toMatch(/\[ \] 18 GiB, holds .*\n +virtio-DATA1\n +\[x\] 18 GiB, blank/)
        await keys('Down', 'Space', 'Enter', 'Enter')
        await see(/There is 1 extra disk, 19 GB, 1 with data on it/)
        await keys('Down', 'Enter', 'Enter')
        await see(/\[ \] 18 GiB, holds/)
        await keys('Enter', 'Enter')
        await see(/DHCP/)
        await keys('Enter', 'Enter')
        await see(/Who can log in/)
        for (const end of ['Enter', 'Enter Enter', 'Enter', 'Enter F2']) {
            await type(PASSWORD)
            await keys(end)
        }
        await see(/Name of the node/)
        await keys(...Array.from({ length: 'debvisor.local'.length }, () => 'C-h'))
        await type('node1.example.org')
        await keys(...Array.from({ length: 11 }, () => 'Tab'), 'Enter')
        await see(/operator/)
        await keys(...Array.from({ length: 7 }, () => 'Tab'), 'Enter')
        await see(/No data will be lost/)
        await keys('Right', 'Right', 'Enter')
        await see(/Part 1 of 4/)
        await see(/DebVisor was installed in \d+ minute/, 30 * MINUTE_MS)
        expect(await vm.must(`ps -eo args | grep -c "[m]arzipan" || true`)).toBe('0\n')
        await tmux('kill-server')
        expect(await vm.must('lsblk --noheadings --output MOUNTPOINTS /dev/disk/by-id/virtio-DATA2')).not.toContain('/')
        expect(await vm.must('grep -rlE "[$]6[$]" /run /var/lib/debvisor /var/log 2>/dev/null | wc -l')).toBe('0\n')
    },
    50 * MINUTE_MS,
)

it(
    'one disk is installed without a question where the answers on the medium agree; the machine turns itself off',
    async () => {
        const refused = await vm.sh(`${DEBVISOR} install --automatic`, 3 * MINUTE_MS)
        expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('There are no answers to install by')])
        await vm.put(
            '/run/live/medium/debvisor/answers.yaml',
            answers(`${ANY}\n  disks: [smallest]\n  consent: [target]`),
        )
        const from = (await vm.console()).length
        await vm.must(`systemd-run --unit=automatic ${DEBVISOR} install --automatic`)
        await vm.off(30 * MINUTE_MS)
        const said = (await vm.console()).slice(from).replaceAll('\r', '')
        expect(said).toContain('The answers come from the medium.')
        expect(said).toMatch(/DATA WILL BE DESTROYED on:\n {2}\S+DATA1/)
        expect(said).toContain('4 of 4: Write everything to the disks')
        expect(said).toMatch(/Installed in \d+ s\. The machine turns itself off\./)
        expect(said).not.toContain('qFmFH')
    },
    40 * MINUTE_MS,
)

async function look(machine: OwnBoot, user: string) {
    const lines = await machine.must(
        'hostname -f; cat /etc/debvisor-profile; systemctl is-enabled debvisor-firstboot; ' +
            `getent shadow ${user} node | cut -d: -f2 | cut -c1-3; id -nG ${user}; cat /etc/debvisor/node.yaml; ` +
            'stat -c "%a %U" /var/lib/debvisor/identity/first-admin.json; ls /etc/ssh/ssh_host_*_key | wc -l',
    )
    const begin = ['node1.example.org', 'PROFILE=zfs', 'enabled', '$6$', '!', `${user} adm sudo systemd-journal`, '']
    expect(lines.slice(0, begin.join('\n').length)).toBe(begin.join('\n'))
    expect(lines).toMatch(/\nprofile: zfs\n[\s\S]*hostname: node1[\s\S]*\n600 debvisor-rpc\n3\n$/)
    expect(lines).not.toContain('install:')
    expect(await machine.must('systemctl --failed --no-legend | wc -l')).toBe('0\n')
}

it.each([
    ['one disk, by BIOS', 'bios', [1]],
    ['the mirror, by UEFI', 'uefi', [2, 3]],
    ['the second disk of the mirror alone, by BIOS', 'bios', [3]],
] as const)(
    '%s: boots to a login, with all that was chosen',
    async (_, firmware, numbers) => {
        const disks = numbers.map(number => ({ file: vm.disk(number), serial: `DATA${number}` }))
        const machine = await bootFromDisks({ firmware, disks, bootMs: 25 * MINUTE_MS })
        try {
            expect(await machine.console()).toMatch(/node1 login:/)
            await look(machine, numbers[0] === 1 ? 'ann' : 'operator')
            expect((await machine.sh('[ -d /sys/firmware/efi ]')).code === 0).toBe(firmware === 'uefi')
            if (numbers.length === 2) {
                expect(await machine.must('cat /proc/mdstat')).toMatch(/raid1[\s\S]*\[UU\][\s\S]*\[UU\]/)
                await machine.must('diff --recursive /boot/efi/EFI /boot/efi2/EFI')
            }
        } finally {
            await machine.stop()
        }
    },
    40 * MINUTE_MS,
)
