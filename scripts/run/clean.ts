// `make clean-run`: stops what `make run` started, removes what it made here and in libvirt, and says what stays and why.
import { existsSync, statSync } from 'node:fs'
import { removeBelongings } from './belongings.ts'
import { processesOn, waitForLeftovers } from './leftovers.ts'
import { ensureLibvirt } from './libvirt.ts'
import { notOurs, removeOurs, stateFolder, take, whoRuns } from './state.ts'
import { canMakeUnits, stopOurUnits } from './systemd.ts'
import { waitFor } from './wait.ts'

const state = stateFolder()

function refuse(why: string, fix: string): never {
    console.log(`Nothing was removed: ${why}.\n${fix}`)
    process.exit(1)
}

function refuseWhatIsNotOurs(): void {
    const why = notOurs(state)
    if (why) refuse(`${state} was not made by \`make run\`: ${why}`, 'DEBVISOR_STATE names the state folder.')
    const [owner, me] = [statSync(state).uid, process.getuid!()]
    if (me !== 0 && me !== owner) refuse(`${state} belongs to another user`, 'Run it as root.')
}

function refuseRunningGuests(): void {
    const guests = processesOn(state).filter(({ name }) => name === 'qemu')
    if (guests.length === 0) return
    const pids = guests.map(({ pid }) => pid).join(', ')
    console.log(`Guests run on disks below ${state} (QEMU processes ${pids}).`)
    console.log('Nothing was removed: delete these VMs first, in the panel or by `debvisor vm delete`.')
    process.exit(3)
}

async function stopWhatRuns(): Promise<void> {
    const holder = whoRuns(state)
    if (holder) {
        process.kill(holder.pid, 'SIGTERM')
        await waitFor('`make run` to end', { deadlineMs: 90_000 }, async () => whoRuns(state) === undefined)
        console.log(`Stopped \`make run\` (process ${holder.pid}).`)
    }
    const other = take(state)
    if (other) refuse(`another process (${other.pid}) has just taken the state folder`, 'Run it again.')
    if (canMakeUnits()) for (const unit of await stopOurUnits(state)) console.log(`Stopped ${unit}.`)
    await waitForLeftovers(state)
}

/** libvirt has to be asked: a pool or VM that points at a removed folder would be left broken. */
async function cleanLibvirt(): Promise<string[]> {
    if (!existsSync('/usr/bin/virsh')) return ['whatever libvirt knows of this folder: virsh is not installed']
    const libvirt = await ensureLibvirt(state, { onEnd: () => undefined }).catch(trouble =>
        refuse('libvirt does not answer, and may know VMs and a pool of this folder', (trouble as Error).message),
    )
    try {
        const { removed, stays } = await removeBelongings(state)
        for (const one of removed) console.log(`Removed ${one}.`)
        return stays
    } finally {
        await libvirt.stop()
    }
}

if (!existsSync(state)) {
    console.log(`There is nothing to remove: ${state} does not exist.`)
} else {
    refuseWhatIsNotOurs()
    refuseRunningGuests()
    await stopWhatRuns()
    const stays = await cleanLibvirt()
    const foreign = removeOurs(state)
    if (foreign.length === 0) console.log(`Removed ${state}.`)
    else stays.push(`${foreign.join(', ')} in ${state}, which DebVisor did not make`)
    for (const one of stays) console.log(`Left: ${one}.`)
    console.log('Debian packages, VMs and storage elsewhere stay as they are.')
}
