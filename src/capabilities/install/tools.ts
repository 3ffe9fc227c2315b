// The tools of an installation: those that make the disks run in the live system, those of the new system inside it.
import type { Tool } from '../../engine/kit.ts'

const machine = (name: string, program: string): Tool => ({ name, program, half: 'machine' })
const root = (name: string, program: string): Tool => ({ name, program, half: 'root' })

/** For the disks, and for what is left of them at the end. */
export const diskTools: readonly Tool[] = [
    machine('dmsetup', '/usr/sbin/dmsetup'),
    machine('wipefs', '/usr/sbin/wipefs'),
    machine('sgdisk', '/usr/sbin/sgdisk'),
    machine('udevadm', '/usr/bin/udevadm'),
    machine('mdadm', '/usr/sbin/mdadm'),
    machine('mkfs.vfat', '/usr/sbin/mkfs.vfat'),
    machine('mkfs.xfs', '/usr/sbin/mkfs.xfs'),
    machine('mkfs.ext4', '/usr/sbin/mkfs.ext4'),
    machine('vgcreate', '/usr/sbin/vgcreate'),
    machine('lvcreate', '/usr/sbin/lvcreate'),
    machine('vgchange', '/usr/sbin/vgchange'),
    machine('mount', '/usr/bin/mount'),
    machine('umount', '/usr/bin/umount'),
    machine('curl', '/usr/bin/curl'),
    machine('sha256sum', '/usr/bin/sha256sum'),
    machine('unsquashfs', '/usr/bin/unsquashfs'),
    machine('sync', '/usr/bin/sync'),
    machine('tee', '/usr/bin/tee'),
]

/** For the new system; chpasswd is the one of the accounts. */
export const systemTools: readonly Tool[] = [
    machine('mdadm', '/usr/sbin/mdadm'),
    root('sign-modules', '/usr/lib/debvisor/sign-modules'),
    root('mokutil', '/usr/bin/mokutil'),
    root('ssh-keygen', '/usr/bin/ssh-keygen'),
    root('update-initramfs', '/usr/sbin/update-initramfs'),
    root('grub-install', '/usr/sbin/grub-install'),
    root('update-grub', '/usr/sbin/update-grub'),
]
