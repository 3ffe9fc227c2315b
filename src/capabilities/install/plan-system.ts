// What makes an unpacked system this machine's own: its identity, its passwords, what starts it, its first boot.
import type { OwnPlan } from '../../engine/resource.ts'
import type { SecretRef, Step } from '../../engine/step.ts'
import { espPath } from './plan.ts'
import type { Disk } from './spec.ts'

export interface SystemWant {
    disks: readonly Pick<Disk, 'id'>[]
    profile: string
    /** 32 hexadecimal digits. */
    machineId: string
    /** UUID of the root file system: of this very installation. */
    rootId: string
    /** Accounts with where the hashes of their passwords are kept meanwhile. */
    passwords: readonly { name: string; hash: SecretRef }[]
    /** The first administrator of the panel, as the daemon reads it. */
    panel?: SecretRef
    /** Whether the machine has a serial port, and whether it was installed from there: then that is told how it boots. */
    serial: 'none' | 'beside' | 'first'
    /** The machine was booted by UEFI, and its firmware can be told. */
    efi: boolean
    /** Secure Boot would refuse the modules that were built for it: it is to trust a key of this machine. */
    enrols: boolean
}

export interface SystemSeen {
    /** The note of an installation that came to its end, in the new system. */
    note?: string
    /** What is in the unpacked system. */
    has: { biosGrub: boolean; efiGrub: boolean; sshd: boolean; initrd: boolean; daemon: boolean }
}

export const NOTE = '/var/lib/debvisor/installed.json'
export const PANEL_FILE = '/var/lib/debvisor/identity/first-admin.json'
export const FIRSTBOOT = 'debvisor-firstboot.service'
const TOOL_MS = 300_000
const GRUB_MS = 1_800_000

/** Undefined note: nothing of it is done. Each step may be done again. */
export function planSystem(want: SystemWant, seen: SystemSeen): OwnPlan {
    const note = `${JSON.stringify({ root: want.rootId, whole: true })}\n`
    if (seen.note === note) return { steps: [] }
    const { biosGrub, efiGrub } = seen.has
    if (!biosGrub && !efiGrub) return { steps: [], findings: [noLoader] }
    return {
        steps: [
            ...identitySteps(want, seen),
            ...passwordSteps(want, seen),
            ...mirrorSteps(want),
            ...initrdSteps(want, seen),
            ...loaderSteps(want, seen),
            ...(want.enrols ? keySteps() : []),
            write('Say which profile the node has', '/etc/debvisor-profile', `PROFILE=${want.profile}\n`),
            { do: 'unit', say: 'Let the first boot carry out the document', unit: FIRSTBOOT, action: 'enable' },
            write('Note that the system is whole', NOTE, note),
        ],
    }
}

const run = (say: string, tool: string, args: readonly string[], more: object = {}): Step => ({
    ...{ do: 'run', say, tool, args, deadlineMs: TOOL_MS, ...more },
})
const write = (say: string, path: string, content: string, mode = 0o644): Step => ({
    ...{ do: 'write', say, path, content, mode },
})

function identitySteps({ machineId }: SystemWant, { has }: SystemSeen): Step[] {
    const keys = run('Make the keys of the SSH server', 'ssh-keygen', ['-A'])
    return [
        write('Give the machine an id of its own', '/etc/machine-id', `${machineId}\n`, 0o444),
        ...(has.sshd ? [keys] : []),
    ]
}

function passwordSteps({ passwords, panel }: SystemWant, { has }: SystemSeen): Step[] {
    const steps = passwords.map(({ name, hash }) =>
        run(`Set the password of ${name}`, 'chpasswd', ['--encrypted'], { stdinBefore: `${name}:`, stdin: hash }),
    )
    if (!panel || !has.daemon) return steps
    const owner = 'debvisor-rpc:debvisor-rpc'
    return [
        ...steps,
        {
            ...{ do: 'folder', say: 'Make the folder of users of the panel', path: parentOf(PANEL_FILE) },
            ...{ mode: 0o700, owner },
        },
        {
            ...{ do: 'write', say: 'Hand the first administrator to the panel', path: PANEL_FILE, content: panel },
            ...{ mode: 0o600, owner, secret: true },
        },
    ]
}

/** Of the password of root: the firmware asks for it, and knows it by its hash (mokutil(1)). */
const keySteps = (): Step[] => [
    run("Sign ZFS's module with a key of this machine", 'sign-modules', []),
    run('Let the firmware ask whether to trust the key', 'mokutil', [
        ...['--import', '/var/lib/dkms/mok.pub', '--root-pw'],
    ]),
]

const parentOf = (path: string) => path.slice(0, path.lastIndexOf('/'))

/** Beside the list of arrays, which mdadm itself writes (mdadm.conf(5)). */
const MIRROR_MAIL = 'HOMEHOST <system>\nMAILADDR root\n'
const SYNC = '/etc/systemd/system/debvisor-esp'

/** Either disk may be the one that is left: the array is known by its id, and both EFI file systems are the same. */
function mirrorSteps({ disks }: SystemWant): Step[] {
    if (disks.length < 2) return []
    const scan = { stdoutTo: { path: '/etc/mdadm/mdadm.conf', mode: 0o644 } }
    const service = [
        '[Unit]',
        'Description=Keep the EFI file systems of both disks the same',
        `ConditionPathIsMountPoint=${espPath(0)}`,
        `ConditionPathIsMountPoint=${espPath(1)}`,
        '',
        '[Service]',
        'Type=oneshot',
        `ExecStart=/usr/bin/cp --recursive --update ${espPath(0)}/. ${espPath(1)}`,
    ]
    const path = [
        '[Unit]',
        'Description=Watch the EFI file system for a new boot loader',
        '',
        '[Path]',
        `PathChanged=${espPath(0)}/EFI/debian`,
        `PathChanged=${espPath(0)}/EFI/BOOT`,
        '',
        '[Install]',
        'WantedBy=multi-user.target',
    ]
    return [
        write('Say who is told of a mirror that failed', '/etc/mdadm/mdadm.conf.d/debvisor.conf', MIRROR_MAIL),
        run('Note which mirrors there are', 'mdadm', ['--detail', '--scan'], scan),
        write('Keep both EFI file systems the same', `${SYNC}.service`, `${service.join('\n')}\n`),
        write('Do it when a boot loader is renewed', `${SYNC}.path`, `${path.join('\n')}\n`),
        { do: 'unit', say: 'Watch for new boot loaders', unit: 'debvisor-esp.path', action: 'enable' },
    ]
}

/** That of the image knows every controller; only mirrors have to be named in it. */
function initrdSteps({ disks }: SystemWant, { has }: SystemSeen): Step[] {
    if (disks.length < 2 && has.initrd) return []
    const action = has.initrd ? '-u' : '-c'
    return [run('Make the initial file system of the kernel', 'update-initramfs', [action, '-k', 'all'], slow)]
}

const slow = { deadlineMs: GRUB_MS }

function loaderSteps(want: SystemWant, { has }: SystemSeen): Step[] {
    const { disks, serial, efi } = want
    const consoles = ['console=tty0', 'console=ttyS0,115200n8']
    const inOrder = serial === 'first' ? consoles : consoles.toReversed()
    const settings = [
        '# Written by the installer. The last console is the one that the boot is told on.',
        'GRUB_TIMEOUT=3',
        // What the kernel says would be written over the screen at tty1; errors are.
        'GRUB_CMDLINE_LINUX_DEFAULT="quiet"',
        `GRUB_CMDLINE_LINUX="${serial === 'none' ? '' : inOrder.join(' ')}"`,
        `GRUB_TERMINAL="console${serial === 'none' ? '' : ' serial'}"`,
        ...(serial === 'none' ? [] : ['GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"']),
        'GRUB_DISABLE_OS_PROBER=true',
    ]
    const bios = disks.map(({ id }) =>
        run(`Let a BIOS boot from ${id}`, 'grub-install', ['--target=i386-pc', '--recheck', id], slow),
    )
    // The signed loader looks for its settings in EFI/debian, whatever the system is called.
    const toEsp = (index: number) => [
        ...['--target=x86_64-efi', `--efi-directory=${espPath(index)}`, '--bootloader-id=debian', '--recheck'],
    ]
    const uefi = disks.map(({ id }, i) =>
        run(
            `Let UEFI boot from ${id}, also where it remembers nothing`,
            'grub-install',
            [...toEsp(i), '--no-nvram', '--force-extra-removable'],
            slow,
        ),
    )
    // Firmware that takes no entry boots the removable way all the same.
    const told = run('Tell the firmware of the new system', 'grub-install', toEsp(0), { ...slow, codes: [0, 1] })
    return [
        write('Write the settings of the boot loader', '/etc/default/grub.d/debvisor.cfg', `${settings.join('\n')}\n`),
        ...(has.biosGrub ? bios : []),
        ...(has.efiGrub ? uefi : []),
        ...(has.efiGrub && efi ? [told] : []),
        run('Make the menu of the boot loader', 'update-grub', [], slow),
    ]
}

const noLoader = {
    ...{ severity: 'error' as const, code: 'no-boot-loader', at: 'install', detail: 'neither grub-pc nor grub-efi' },
    summary: 'The image of the node has no boot loader in it',
    fix: 'Use another medium: this one was not built whole.',
}
