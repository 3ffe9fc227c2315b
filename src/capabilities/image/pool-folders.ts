// Which folders a pool may have: none that the system or DebVisor keeps its own things in.
import { Fault } from '../../base/fault.ts'

/** Folders that belong to the system: a pool there would let images overwrite what the node runs on. */
const FORBIDDEN = [
    '/bin',
    '/boot',
    '/dev',
    '/etc',
    '/lib',
    '/lib32',
    '/lib64',
    '/proc',
    '/root',
    '/run',
    '/sbin',
    '/sys',
    '/usr',
    '/var/lib/apt',
    '/var/lib/ceph',
    '/var/lib/containerd',
    '/var/lib/debvisor',
    '/var/lib/docker',
    '/var/lib/dpkg',
    '/var/lib/etcd',
    '/var/lib/kubelet',
    '/var/lib/libvirt/dnsmasq',
    '/var/lib/libvirt/network',
    '/var/lib/libvirt/nwfilter',
    '/var/lib/libvirt/qemu',
    '/var/lib/libvirt/secrets',
    '/var/lib/libvirt/swtpm',
    '/var/lib/NetworkManager',
    '/var/lib/systemd',
    '/var/log',
    '/var/run',
    '/var/spool',
    '/var/cache',
    '/lost+found',
]
const TOO_HIGH = [
    '/',
    '/home',
    '/media',
    '/mnt',
    '/opt',
    '/srv',
    '/tmp',
    '/var',
    '/var/lib',
    '/var/tmp',
    '/var/lib/libvirt',
]

/** The same path, when it is fit for a pool. @throws Fault `invalid` */
export function checkFolder(path: string, own: readonly string[] = []): string {
    const refuse = (summary: string, fix: string) =>
        new Fault('invalid', { summary, detail: JSON.stringify(path.slice(0, 200)), fix, at: 'path' })
    const parts = path.split('/')
    const isClean = path.startsWith('/') && path.length <= 1024 && !/[\u0000-\u001f\u007f]/.test(path)
    if (!isClean || parts.slice(1).some(p => p === '' || p === '.' || p === '..')) {
        throw refuse(
            'The path of a pool must be absolute and plain',
            'Write it like /srv/vm, without ".." and without a slash at its end.',
        )
    }
    const isOwn = own.some(folder => isIn(path, folder) || isIn(folder, path))
    if (isOwn || TOO_HIGH.includes(path) || FORBIDDEN.some(folder => isIn(path, folder))) {
        throw refuse(
            'That folder is not for images',
            'Choose a folder of its own, such as /srv/vm or /var/lib/libvirt/images.',
        )
    }
    return path
}

const isIn = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`)
