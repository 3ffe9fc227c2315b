// `make run`: starts what does not run yet, prints where the panel is, stops what it started when it is interrupted.
import { mkdirSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { root, runStage } from '../stages.ts'
import { listenAddress } from './address.ts'
import { noteBefore } from './belongings.ts'
import { ensureEtcd } from './etcd.ts'
import { guardGuests } from './guests.ts'
import { probeAcceleration } from './kvm.ts'
import { waitForLeftovers } from './leftovers.ts'
import { ensureLibvirt, runningGuests } from './libvirt.ts'
import { freshLink, type Ready, startRpcd } from './rpcd.ts'
import { closedFolderOn, note, release, stateFolder, take } from './state.ts'
import { canMakeUnits, isBooted, stopOurUnits } from './systemd.ts'

const state = stateFolder()
const stops: (() => Promise<void>)[] = []
const say = (line: string) => console.log(line)
const fact = (name: string, text: string) => say(`  ${name.padEnd(16)} ${text}`)
const restarts = (name: string) => (how: string) => say(`${name} ended (${how}) and is started again`)

/** With systemd, QEMU runs as a user of its own, who must be able to reach the images and to make sockets. */
function refuseWhatCannotWork() {
    if (isBooted() && process.getuid?.() !== 0)
        throw new Error(
            'run it as root (sudo make run). libvirtd runs guests as the user libvirt-qemu, who has to reach their disks' +
                ' and make the sockets of their displays in the state folder: an ordinary user cannot let it in there',
        )
}

function warnOfClosedFolders() {
    const closed = isBooted() ? closedFolderOn(state) : undefined
    if (closed)
        say(`${closed} is closed to the user libvirt-qemu: guests there do not start. Set DEBVISOR_STATE elsewhere.`)
}

/** IMPORT_FOLDER=folder:folder, or `import` in the state folder. */
function importFolders(): string[] {
    const given = (process.env.IMPORT_FOLDER ?? '').split(delimiter).filter(Boolean)
    if (given.length > 0) return given.map(folder => resolve(root, folder))
    mkdirSync(join(state, 'import'), { recursive: true, mode: 0o755 })
    return [join(state, 'import')]
}

/** REFUSE_NETWORK=10.9.0.0/16,10.1.0.5/32 */
const refusedNetworks = () => (process.env.REFUSE_NETWORK ?? '').split(/[\s,]+/).filter(Boolean)

function tellLink(link: Awaited<ReturnType<typeof freshLink>>) {
    if (link === 'done') fact('first login', 'done: an administrator exists')
    else if (link === 'silent') fact('first login', 'unknown: rpcd does not answer on its socket')
    else fact('first login', `${link}   (once, within 15 minutes)`)
}

async function tellAddress({ url, fingerprint }: Ready) {
    fact('panel', url)
    fact('fingerprint', `SHA-256 ${fingerprint}`)
    tellLink(await freshLink(state, url))
    fact('command line', 'scripts/debvisor vm list   (as root, no login)')
}

async function start(signal: AbortSignal) {
    const asUnit = canMakeUnits()
    // Left by a run that was killed; nobody else works on this state folder, since we hold it.
    if (asUnit) await stopOurUnits(state)
    await waitForLeftovers(state, signal)
    // In a process of its own: the bundlers' memory goes back when it is done.
    const built = await runStage({ name: 'build', argv: [process.execPath, '--import', 'tsx', 'scripts/build.ts'] })
    signal.throwIfAborted()
    if (!built.passed) throw new Error(`the build failed:\n${built.output}`)
    if (!built.output.startsWith('nothing')) say(built.output.trimEnd())
    warnOfClosedFolders()
    const folders = importFolders()
    const acceleration = await probeAcceleration()
    signal.throwIfAborted()
    const libvirt = await ensureLibvirt(state, { onEnd: restarts('libvirtd'), signal })
    stops.unshift(() => libvirt.stop())
    await noteBefore(state)
    signal.throwIfAborted()
    const etcd = await ensureEtcd(state, { asUnit, onEnd: restarts('etcd'), signal })
    stops.unshift(() => etcd.stop())
    signal.throwIfAborted()
    const { service, ready } = await startRpcd({
        state,
        listen: listenAddress(),
        libvirtSocket: libvirt.socketPath,
        etcd,
        accel: acceleration.accel,
        importFolders: folders,
        refusedNetworks: refusedNetworks(),
        asUnit,
        onEnd: restarts('rpcd'),
        onAgain: again => void tellNewLink(again),
        signal,
    })
    stops.unshift(() => service.stop())
    if (asUnit) stops.unshift((await guardGuests(state)).stop)
    signal.throwIfAborted()
    note(state, ready)
    say('\nDebVisor runs.\n')
    await tellAddress(ready)
    fact('libvirt', libvirt.how)
    fact('etcd', etcd.how)
    fact('guests', acceleration.accel === 'kvm' ? 'KVM' : `EMULATION, much slower than KVM: ${acceleration.why}`)
    fact('images from', folders.join(', '))
    fact('state', `${state}   (make clean-run removes it)`)
    say('\nCtrl-C stops what was started here; guests go on.')
}

async function stop() {
    const guests = stops.length > 0 ? await runningGuests() : []
    for (const one of stops.splice(0)) await one().catch(trouble => say(`While stopping: ${trouble.message}`))
    if (guests.length > 0) say(`Still running: ${guests.join(', ')}`)
    release(state)
}

/** A daemon that began anew has forgotten the link that it gave; where an administrator exists there is nothing to say. */
async function tellNewLink({ url }: Ready) {
    const link = await freshLink(state, url)
    if (link !== 'done') tellLink(link)
}

/** Runs until a signal comes; what is being started when it comes is stopped too. */
function runUntilInterrupted() {
    const ending = new AbortController()
    const started = start(ending.signal)
    const end = async () => {
        if (ending.signal.aborted) return
        ending.abort(new Error('interrupted'))
        await started.catch(() => undefined)
        await stop()
        process.exit()
    }
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => void end())
    // A terminal that is gone must not take the guests' daemons with it: SIGHUP ends them in order.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
    // Held open until a signal comes.
    setInterval(() => {}, 3_600_000)
    started.catch(trouble => {
        if (ending.signal.aborted) return
        say(`\nDebVisor could not be started: ${trouble.message}`)
        process.exitCode = 1
        void end()
    })
}

/** The holder of the state folder when it is not this process; ends with the reason when the folder cannot be taken. */
function holderOf(): ReturnType<typeof take> {
    try {
        refuseWhatCannotWork()
        return take(state)
    } catch (trouble) {
        say(`DebVisor could not be started: ${(trouble as Error).message}`)
        process.exit(1)
    }
}

const holder = holderOf()
if (!holder) runUntilInterrupted()
else {
    say(`DebVisor runs already (process ${holder.pid}, state ${state}).\n`)
    if (holder.url && holder.fingerprint) await tellAddress({ url: holder.url, fingerprint: holder.fingerprint })
    else say('It is starting: run this again in a moment.')
}
