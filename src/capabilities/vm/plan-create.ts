// What making a VM does, in order, in a sentence each: the same for the preview and for the task's log.
import { formatBytes } from '../../base/units.ts'
import type { DiskWant, VmWant } from './spec.ts'
import { summaryOf } from './want.ts'

export interface Sentence {
    sentence: string
    /** What dies by it; empty where nothing does. */
    destroys: string
}

/** Names that were chosen for what is made: `pool/volume` for each disk, and for the seed where there is one. */
export interface ChosenNames {
    disks: string[]
    seed: string
    /** Networks that have to be started before it. */
    networks: string[]
}

/** Sentences without a secret: no content of the seed is in them. */
export function planCreate(want: VmWant, names: ChosenNames): Sentence[] {
    const said = [
        ...want.disks.map((disk, i) => diskSentence(disk, names.disks[i] ?? '')),
        ...(names.seed ? [`Write the cloud-init seed ${names.seed}`] : []),
        `Define the VM ${want.name}: ${summaryOf(want)}`,
        ...(want.autostart ? [`Let ${want.name} start when the node starts`] : []),
        ...(want.start ? [...names.networks.map(name => `Start the network ${name}`), `Start ${want.name}`] : []),
    ]
    return said.map(sentence => ({ sentence, destroys: '' }))
}

function diskSentence(disk: DiskWant, name: string): string {
    if (disk.existing) return `Use the volume ${disk.existing} as it is`
    const grow = disk.sizeBytes > 0 && disk.from ? ` and grow it to ${formatBytes(disk.sizeBytes)}` : ''
    if (disk.linked) return `Make the disk ${name}, standing on ${disk.from}${grow}`
    if (disk.from) return `Copy ${disk.from} to the disk ${name}${grow}`
    return `Make the disk ${name}, empty, ${formatBytes(disk.sizeBytes)}`
}
