// A second client of libvirt, in its own process: suspends and resumes VMs so many times a second.
import { openLibvirt } from '../src/drivers/libvirt/libvirt.ts'
import { silentLog, testClock } from '../src/drivers/libvirt/testing.ts'

const [socketPath, perSecond, ...names] = process.argv.slice(2)
const libvirt = await openLibvirt({ socketPath: socketPath!, clock: testClock, log: silentLog })
const doms = await Promise.all(names.map(async name => (await libvirt.call('domainLookupByName', { name })).dom))
const paused = new Set<number>()
const busy = new Set<number>()
const began = performance.now()
let done = 0
let next = 0

setInterval(() => {
    const due = ((performance.now() - began) / 1000) * Number(perSecond)
    // What libvirt cannot keep up with is not piled up: at most four are under way.
    while (done + busy.size < due && busy.size < 4) {
        const which = next++ % doms.length
        if (busy.has(which)) return
        busy.add(which)
        const dom = doms[which]!
        const change = paused.has(which)
            ? libvirt.call('domainResume', { dom })
            : libvirt.call('domainSuspend', { dom })
        void change.then(() => {
            if (!paused.delete(which)) paused.add(which)
            busy.delete(which)
            done++
        })
    }
}, 10)

process.on('message', () => process.send!(done / ((performance.now() - began) / 1000)))
