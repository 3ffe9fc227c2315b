// The folders of the daemon, each with the owner and mode its content needs.
import type { Log, System } from '../../ports/ports.ts'

/** Debian's QEMU runs as this user when libvirt's system daemon starts it. */
const QEMU_USER = 'libvirt-qemu'
/** QEMU makes sockets in it; by the setgid bit they are of our group, and QEMU's umask lets that in. */
const VNC_MODE = 0o2750

export interface Folders {
    tasks: string
    identity: string
    staging: string
    /** What is remembered of VMs beside libvirt. */
    vms: string
    /** What is remembered of containers beside Docker. */
    containers: string
    /** Compose files of stacks, with their variables. */
    stacks: string
    /** Where QEMU makes the sockets of displays, and the daemon connects to them. */
    vnc: string
}

/** Makes what is missing below the state folder. QEMU must be able to pass through it to reach its sockets. */
export async function makeFolders(stateFolder: string, deps: { system: System; log: Log }): Promise<Folders> {
    const { system } = deps
    const folders = {
        tasks: `${stateFolder}/tasks`,
        identity: `${stateFolder}/identity`,
        staging: `${stateFolder}/staging`,
        vms: `${stateFolder}/vms`,
        containers: `${stateFolder}/containers`,
        stacks: `${stateFolder}/stacks`,
        vnc: `${stateFolder}/vnc`,
    }
    await system.makeDirectory(stateFolder, 0o711)
    const { vnc, ...own } = folders
    for (const folder of Object.values(own)) await system.makeDirectory(folder, 0o700)
    await makeVncFolder(vnc, deps)
    return folders
}

/**
 * QEMU's folder, of our group: made by root alone. An ordinary user takes what root has made, and says what is missing
 * where it was not; displays then work only for a QEMU of the same user.
 */
async function makeVncFolder(path: string, { system, log }: { system: System; log: Log }): Promise<void> {
    const self = system.self()
    const [qemu, seen] = await Promise.all([userNamed(QEMU_USER, system), system.look(path)])
    if (self.uid !== 0) {
        // Another's: its mode is theirs to choose.
        if (seen && seen.uid !== self.uid) return
        await system.makeDirectory(path, 0o750)
        if (!qemu) return
        return log.warn('QEMU cannot make the sockets of displays in its folder', {
            fix: `As root: install -d -o ${QEMU_USER} -g ${self.gid} -m 2750 ${path}`,
        })
    }
    if (!qemu) return system.makeDirectory(path, 0o750)
    // The group that somebody has given it already is that of the daemon that is to run there.
    const gid = seen?.uid === qemu.uid && seen.gid !== qemu.gid ? seen.gid : self.gid
    if (seen?.uid === qemu.uid && seen.gid === gid && seen.mode === VNC_MODE) return
    if (!seen) await system.makeDirectory(path, 0o750)
    await system.chown(path, qemu.uid, gid)
    await system.chmod(path, VNC_MODE)
}

async function userNamed(name: string, system: System): Promise<{ uid: number; gid: number } | undefined> {
    const line = ((await system.readText('/etc/passwd')) ?? '').split('\n').find(l => l.startsWith(`${name}:`))
    const [, , uid, gid] = line?.split(':') ?? []
    return uid && gid ? { uid: Number(uid), gid: Number(gid) } : undefined
}
