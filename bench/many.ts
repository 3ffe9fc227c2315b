// A libvirtd with many VMs, of which some really run, and the daemon in front of it.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { DomainRef } from '../src/drivers/libvirt/libvirt.ts'
import { type Libvirt, openLibvirt } from '../src/drivers/libvirt/libvirt.ts'
import { silentLog, testClock } from '../src/drivers/libvirt/testing.ts'
import { VmService } from '../src/gen/proto/capabilities/vm/vm_pb.js'
import { personOf } from '../tests/real/reliability-world.ts'
import { type BareDomain, bareDomain } from '../tests/real/vm-core-world.ts'
import { until } from '../tests/real/world.ts'
import { type DaemonWorld, startDaemon } from '../tests/real/world-daemon.ts'

export interface ManyWorld {
    daemon: DaemonWorld
    token: string
    libvirt: Libvirt
    running: string[]
    /** Defines more, until there are so many, and waits until the daemon knows them. */
    grow(count: number): Promise<void>
    stop(): Promise<void>
}

/** The built daemon, where it has been built: what an installed node runs. */
export const bundled = existsSync(fileURLToPath(new URL('../dist/rpcd.mjs', import.meta.url)))

export const runsAs = bundled ? 'the daemon is dist/rpcd.mjs' : 'the daemon runs from its sources: build it first'

/** The daemon against a libvirtd with `running` VMs that run (with nothing to boot) and as many more as are asked for. */
export async function startMany(running: number): Promise<ManyWorld> {
    const daemon = await startDaemon({ bundle: bundled })
    const libvirt = await openLibvirt({ socketPath: daemon.libvirt.socketPath, clock: testClock, log: silentLog })
    const { token } = await personOf(daemon, 'bench')
    let defined = 0
    const define = async (count: number): Promise<DomainRef[]> => {
        const names = Array.from({ length: count }, () => `vm${String(defined++).padStart(5, '0')}`)
        return Promise.all(
            names.map(async name => {
                const { xml } = usual(name)
                return (await libvirt.call('domainDefineXMLFlags', { xml, flags: 0 }, { deadlineMs: 600_000 })).dom
            }),
        )
    }
    const first = await define(running)
    for (const dom of first) await libvirt.call('domainCreateWithFlags', { dom, flags: 0 })
    const grow = async (count: number) => {
        await define(count - defined)
        const vms = daemon.client(VmService)
        await until(`${count} VMs in the list`, 300_000, async () => (await vms.list({})).vms.length === count)
    }
    return {
        daemon,
        token,
        libvirt,
        running: first.map(dom => dom.name),
        grow,
        async stop() {
            await libvirt.close()
            await daemon.stop()
        },
    }
}

/** A VM like those that people have, but with little memory; and without a boot ROM, which would be busy for seconds. */
function usual(name: string): BareDomain {
    const domain = bareDomain(name, {
        more: `<description>One of many, made to be counted: ${name}</description>`,
        devices: `<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
            <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='sda' bus='sata'/><readonly/></disk>
            <controller type='sata' index='0'/>`,
    })
    return { ...domain, xml: domain.xml.replace('</interface>', `<rom enabled='no'/></interface>`) }
}
