// The folders of the daemon, each with the mode its content needs.
import type { System } from '../../ports/ports.ts'

/** Debian's QEMU runs as this user when libvirt's system daemon starts it. */
const QEMU_USER = 'libvirt-qemu'

export interface Folders {
    tasks: string
    identity: string
    staging: string
    /** Where QEMU makes the sockets of displays, and the daemon connects to them. */
    vnc: string
}

/** Makes what is missing below the state folder. QEMU must be able to pass through it to reach its sockets. */
export async function makeFolders(stateFolder: string, system: System): Promise<Folders> {
    const folders = {
        tasks: `${stateFolder}/tasks`,
        identity: `${stateFolder}/identity`,
        staging: `${stateFolder}/staging`,
        vnc: `${stateFolder}/vnc`,
    }
    await system.makeDirectory(stateFolder, 0o711)
    for (const folder of [folders.tasks, folders.identity, folders.staging]) await system.makeDirectory(folder, 0o700)
    await system.makeDirectory(folders.vnc, 0o750)
    if (process.getuid?.() === 0) {
        const qemu = await userNamed(QEMU_USER, system)
        if (qemu) {
            await system.chown(folders.vnc, qemu.uid, qemu.gid)
            await system.chmod(folders.vnc, 0o2770)
        }
    }
    return folders
}

async function userNamed(name: string, system: System): Promise<{ uid: number; gid: number } | undefined> {
    const line = ((await system.readText('/etc/passwd')) ?? '').split('\n').find(l => l.startsWith(`${name}:`))
    const [, , uid, gid] = line?.split(':') ?? []
    return uid && gid ? { uid: Number(uid), gid: Number(gid) } : undefined
}
