// What a machine is made of, for people.
import { formatBytes } from '../../base/units.ts'
import { diskWords } from '../../capabilities/disks/disk.ts'
import type { facts } from '../../capabilities/table.provision.ts'
import type { View } from '../../capabilities/verb.ts'
import { asJson } from './provision-views.ts'

type Facts = Awaited<ReturnType<typeof facts>>

export function factsView(seen: Facts): View {
    const fields = [
        { label: 'Host', value: seen.hostname },
        { label: 'System', value: `${seen.os}, Linux ${seen.kernel}` },
        {
            label: 'Machine',
            value: [seen.model, seen.serial && `serial number ${seen.serial}`].filter(Boolean).join(', '),
        },
        { label: 'Firmware', value: seen.firmware },
        {
            label: 'CPU',
            value: `${seen.cpuModel}, ${seen.cpus} logical in ${seen.sockets} ${seen.sockets === 1 ? 'socket' : 'sockets'}`,
        },
        {
            label: 'VMs run',
            value: seen.virtualization
                ? `with hardware virtualization (${seen.virtualization})`
                : 'emulated, and slow: the CPU has no virtualization, or it is off in the firmware',
        },
        { label: 'Memory', value: formatBytes(seen.memoryBytes) },
        { label: 'Cards', value: seen.cards.map(cardWords).join('\n') },
        {
            label: 'Disks',
            value: seen.disks.map(disk => `${disk.id} (${disk.system ? 'system, ' : ''}${diskWords(disk)})`).join('\n'),
        },
    ]
    return { kind: 'record', fields: fields.filter(({ value }) => value), json: asJson(seen) }
}

function cardWords({ name, mac, path, carrier, master, addresses }: Facts['cards'][number]): string {
    const cable = carrier ? 'connected' : 'no cable'
    const parts = [mac, path, cable, master && `port of ${master}`, ...addresses]
    return `${name}: ${parts.filter(Boolean).join(', ')}`
}
