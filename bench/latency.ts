// How long a VM that virsh starts takes to reach a watching client, against a bare libvirt client in the same run.
import type { Client } from '@connectrpc/connect'
import { VIR } from '../src/drivers/libvirt/libvirt.ts'
import { State, VmService } from '../src/gen/proto/capabilities/vm/vm_pb.js'
import { personWith } from '../tests/real/reliability-world.ts'
import { until } from '../tests/real/world.ts'
import { median, ms, quantile, type Result } from './figures.ts'
import { runsAs, startMany } from './many.ts'

const ROUNDS = 40
const VMS = 100

export async function latency(): Promise<Result> {
    const world = await startMany(0)
    const ended = new AbortController()
    try {
        await world.grow(VMS)
        const name = 'vm00007'
        const { daemon, libvirt } = world
        const seen = { running: 0, stopped: 0, event: 0 }
        await libvirt.watch('domain', 'lifecycle', event => {
            if (event.event === VIR.VIR_DOMAIN_EVENT_STARTED && event.dom.name === name) seen.event = performance.now()
        })
        const person = await personWith(daemon, 'bench', world.token)
        const watching = follow(person.client(VmService), { name, seen, signal: ended.signal })
        const toClient: number[] = []
        const fromReturn: number[] = []
        const toBare: number[] = []
        for (let round = 0; round < ROUNDS; round++) {
            seen.running = 0
            seen.event = 0
            const asked = performance.now()
            await daemon.libvirt.virsh(['start', name])
            const returned = performance.now()
            await until('the watching client to see it run', 20_000, () => seen.running > 0)
            toBare.push(seen.event - asked)
            toClient.push(seen.running - asked)
            fromReturn.push(seen.running - Math.min(seen.event, returned))
            seen.stopped = 0
            await daemon.libvirt.virsh(['destroy', name])
            await until('the watching client to see it stopped', 20_000, () => seen.stopped > 0)
        }
        ended.abort()
        await watching
        const behind = toClient.map((one, i) => one - toBare[i]!)
        return {
            title: `latency: virsh start to a watching client (${VMS} VMs, ${ROUNDS} starts)`,
            notes: [
                'the clock starts when libvirt tells its own clients of the start, or when virsh returns: what is earlier',
                'the peer is a bare libvirt client in the same run; its figure includes the start of QEMU',
                runsAs,
            ],
            rows: [
                {
                    what: 'started → client',
                    value: `median ${ms(median(fromReturn))}, p99 ${ms(quantile(fromReturn, 0.99))}`,
                    target: 'median < 100 ms',
                    met: median(fromReturn) < 100,
                },
                {
                    what: 'virsh typed → client',
                    value: `median ${ms(median(toClient))}`,
                    peer: `bare client ${ms(median(toBare))}`,
                    ratio: `${(median(toClient) / median(toBare)).toFixed(3)}× (${ms(median(behind))} more)`,
                },
            ],
        }
    } finally {
        ended.abort()
        await world.stop()
    }
}

interface Following {
    name: string
    seen: { running: number; stopped: number }
    signal: AbortSignal
}

async function follow(vms: Client<typeof VmService>, { name, seen, signal }: Following): Promise<void> {
    try {
        for await (const change of vms.watch({}, { signal })) {
            const vm = change.vms.find(one => one.name === name)
            if (vm?.state === State.RUNNING) seen.running ||= performance.now()
            if (vm?.state === State.STOPPED) seen.stopped ||= performance.now()
        }
    } catch (thrown) {
        if (!signal.aborted) throw thrown
    }
}
