// The folder of the displays: QEMU's and of our group where root makes it, left alone where it is another's.
import { expect, it } from 'vitest'
import { fakeLog, fakeSystem } from '../../ports/fake.ts'
import { makeFolders } from './folders.ts'

const VNC = '/state/vnc'
const QEMU = { uid: 64055, gid: 993 }
const passwd = { '/etc/passwd': `root:x:0:0::/root:/bin/sh\nlibvirt-qemu:x:${QEMU.uid}:${QEMU.gid}::/:/bin/false\n` }

function world(self: { uid: number; gid: number }, files: Record<string, string> = passwd) {
    const system = fakeSystem({ files, writable: ['/state'], self })
    const log = fakeLog()
    const vnc = () => [system.owners.get(VNC), system.modes.get(VNC)?.toString(8)]
    return { system, log, make: () => makeFolders('/state', { system, log }), vnc }
}

it('is made by root for QEMU and for the group that it has been given', async () => {
    const { system, make, vnc } = world({ uid: 0, gid: 0 })
    await make()
    expect(vnc()).toEqual([{ uid: QEMU.uid, gid: 0 }, '2750'])
    // A package made it for the daemon's own group.
    system.owners.set(VNC, { uid: QEMU.uid, gid: 900 })
    await make()
    expect(vnc()).toEqual([{ uid: QEMU.uid, gid: 900 }, '2750'])
})

it('is left as it is where an ordinary user finds that root has made it', async () => {
    const { system, log, make, vnc } = world({ uid: 1000, gid: 1000 })
    system.files.set(VNC, null)
    system.owners.set(VNC, { uid: QEMU.uid, gid: 1000 })
    system.modes.set(VNC, 0o2750)
    system.chmod = system.chown = async () => expect.unreachable('it is not ours to change')
    await make()
    expect(vnc()).toEqual([{ uid: QEMU.uid, gid: 1000 }, '2750'])
    expect(log.lines).toEqual([])
})

it('that an ordinary user has to make says what root has to do', async () => {
    const { log, make, vnc } = world({ uid: 1000, gid: 1000 })
    await make()
    expect(vnc()).toEqual([{ uid: 1000, gid: 1000 }, '750'])
    expect(log.lines.map(line => line.facts.fix)).toEqual([
        'As root: install -d -o libvirt-qemu -g 1000 -m 2750 /state/vnc',
    ])
})

it('needs nobody where there is no such user', async () => {
    const { log, make, vnc } = world({ uid: 1000, gid: 1000 }, {})
    await make()
    expect([...vnc(), log.lines]).toEqual([{ uid: 1000, gid: 1000 }, '750', []])
})
