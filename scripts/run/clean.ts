// `make clean-run`: stops what `make run` started, removes its state folder, and says what belongs to libvirt and stays.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { stateFolder, whoRuns } from './state.ts'
import { canMakeUnits, stopOurUnits } from './systemd.ts'
import { waitFor } from './wait.ts'

const state = stateFolder()

const read = (path: string): string => {
    try {
        return readFileSync(path, 'utf8')
    } catch {
        return ''
    }
}
const list = (folder: string): string[] => {
    try {
        return readdirSync(folder)
    } catch {
        return []
    }
}

/** Names of libvirt's objects whose XML in the folder points into the state folder. */
const pointing = (folder: string): string[] =>
    list(folder)
        .filter(name => name.endsWith('.xml') && read(join(folder, name)).includes(`${state}/`))
        .map(name => name.slice(0, -'.xml'.length))

const usesState = (pid: string): boolean => {
    const words = read(`/proc/${pid}/cmdline`).split('\0')
    return /(^|\/)qemu-system-/.test(words[0] ?? '') && words.some(word => word.includes(`${state}/`))
}

const guests = list('/proc').filter(name => /^\d+$/.test(name) && usesState(name))
if (guests.length > 0) {
    console.log(`Guests run on disks below ${state} (QEMU processes ${guests.join(', ')}).`)
    console.log('Nothing was removed: delete these VMs first, in the panel or by `debvisor vm delete`.')
    process.exit(3)
}

const holder = whoRuns(state)
if (holder) {
    process.kill(holder.pid, 'SIGTERM')
    await waitFor('`make run` to end', 45_000, async () => whoRuns(state) === undefined)
    console.log(`Stopped \`make run\` (process ${holder.pid}).`)
}
if (canMakeUnits()) for (const unit of await stopOurUnits(state)) console.log(`Stopped ${unit}.`)
for (const pool of pointing('/etc/libvirt/storage')) {
    const virsh = (word: string) =>
        spawnSync('virsh', ['--quiet', '--connect', 'qemu:///system', word, pool]).status === 0
    virsh('pool-destroy')
    if (!virsh('pool-undefine')) {
        // No libvirtd answers: then its definition is a file that nobody holds.
        rmSync(`/etc/libvirt/storage/autostart/${pool}.xml`, { force: true })
        rmSync(`/etc/libvirt/storage/${pool}.xml`, { force: true })
    }
    console.log(`Removed the storage pool '${pool}', which was in the state folder.`)
}
rmSync(state, { recursive: true, force: true })
console.log(`Removed ${state}.`)

const vms = pointing('/etc/libvirt/qemu')
if (vms.length > 0) console.log('libvirt still knows these VMs, whose disks are gone; to remove them:')
for (const name of vms) console.log(`    virsh -c qemu:///system undefine --nvram '${name}'`)
console.log('Debian packages stay, and so do VMs whose disks lie elsewhere.')
