import { runStage } from '../stages.ts'
import { ensureEtcd } from './etcd.ts'
import { guardGuests } from './guests.ts'
import { probeAcceleration } from './kvm.ts'
import { ensureLibvirt, runningGuests } from './libvirt.ts'
import { freshLink, startRpcd } from './rpcd.ts'
import { closedFolderOn, note, release, stateFolder, take } from './state.ts'
import { canMakeUnits, isBooted, stopOurUnits } from './systemd.ts'

const state = stateFolder()
const stops: (() => Promise<void>)[] = []
const say = (line: string) => console.log(line)
const fact = (name: string, text: string) => say(`  ${name.padEnd(16)} ${text}`)

/** LISTEN=address or address:port; loopback and 8443 unless told otherwise. */
function listenAddress(): string {
    const given = process.env.LISTEN || '127.0.0.1'
    return /:\d+$/.test(given) && !given.endsWith('::') && !/^[0-9a-f:]+$/i.test(given) ? given : `${wrap(given)}:8443`
}
const wrap = (address: string) => (address.includes(':') && !address.startsWith('[') ? `[${address}]` : address)

const restarts = (name: string) => (how: string) => say(`${name} ended (${how}) and is started again`)

/** With systemd, QEMU runs as a user of its own, who must be able to reach the images. */
function warnOfClosedFolders() {
    const closed = isBooted() ? closedFolderOn(state) : undefined
    if (closed)
        say(`${closed} is closed to the user libvirt-qemu: guests there do not start. Set DEBVISOR_STATE elsewhere.`)
}

function tellAddress(at: { url: string; fingerprint: string }, link: URL | string) {
    fact('panel', at.url)
    fact('fingerprint', `SHA-256 ${at.fingerprint}`)
    if (link === 'done') fact('first login', 'done: an administrator exists')
    else if (link === 'silent') fact('first login', 'unknown: rpcd does not answer on its socket')
    else fact('first login', `${link}   (once, within 15 minutes)`)
    fact('command line', 'scripts/debvisor vm list   (as root, no login)')
}

async function start() {
    const asUnit = canMakeUnits()
    // Left by a run that was killed; nobody else works on this state folder, since we hold it.
    if (asUnit) await stopOurUnits(state)
    // In a process of its own: the bundlers' memory goes back when it is done.
    const built = await runStage({ name: 'build', argv: [process.execPath, '--import', 'tsx', 'scripts/build.ts'] })
    if (!built.passed) throw new Error(`the build failed:\n${built.output}`)
    if (!built.output.startsWith('nothing')) say(built.output.trimEnd())
    warnOfClosedFolders()
    const acceleration = await probeAcceleration()
    const libvirt = await ensureLibvirt(state, restarts('libvirtd'))
    stops.unshift(() => libvirt.stop())
    const etcd = await ensureEtcd(state, { asUnit, onEnd: restarts('etcd') })
    stops.unshift(() => etcd.stop())
    const { service, ready } = await startRpcd({
        state,
        listen: listenAddress(),
        libvirtSocket: libvirt.socketPath,
        etcd,
        accel: acceleration.accel,
        asUnit,
        onEnd: restarts('rpcd'),
    })
    stops.unshift(() => service.stop())
    if (asUnit) stops.unshift((await guardGuests(state)).stop)
    note(state, ready)
    say('\nDebVisor runs.\n')
    tellAddress(ready, ready.firstLogin ?? 'done')
    fact('libvirt', libvirt.how)
    fact('etcd', etcd.how)
    fact('guests', acceleration.accel === 'kvm' ? 'KVM' : `EMULATION, much slower than KVM: ${acceleration.why}`)
    fact('state', `${state}   (make clean-run removes it)`)
    say('\nCtrl-C stops what was started here; guests go on.')
}

async function stop() {
    const guests = await runningGuests()
    for (const one of stops.splice(0)) await one().catch(trouble => say(`While stopping: ${trouble.message}`))
    if (guests.length > 0) say(`Still running: ${guests.join(', ')}`)
    release(state)
}

const holder = take(state)
if (holder) {
    say(`DebVisor runs already (process ${holder.pid}, state ${state}).\n`)
    if (holder.url && holder.fingerprint)
        tellAddress({ url: holder.url, fingerprint: holder.fingerprint }, await freshLink(state, holder.url))
    else say('It is starting: run this again in a moment.')
} else {
    let isEnding = false
    const end = () => {
        if (isEnding) return
        isEnding = true
        void stop().then(() => process.exit())
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end)
    // Held open until a signal comes.
    setInterval(() => {}, 3_600_000)
    await start().catch(trouble => {
        say(`\nDebVisor could not be started: ${trouble.message}`)
        process.exitCode = 1
        end()
    })
}
