// A process of its own that takes images in until it is killed: the tests kill it at any moment.
import { live } from './image-world.ts'

const [socketPath = '', folder = '', round = ''] = process.argv.slice(2)
const daemon = await live(
    { libvirt: { socketPath }, folder, staging: `${folder}/staging`, imports: `${folder}/imports`, vms: new Map() },
    {},
)
await daemon.image.inventory.ready()
const task = {
    task: (
        await daemon.rpc.import({
            source: `${folder}/imports/crash.raw`,
            pool: 'default',
            name: `crash${round}.qcow2`,
            keepAs: 'qcow2',
        })
    ).task,
}
const clone = await daemon.rpc.cloneVolume({ pool: 'default', volume: 'base.qcow2', name: `clone${round}.qcow2` })
process.stdout.write('begun\n')
await daemon.ended(task.task)
await daemon.ended(clone.task)
process.stdout.write('ended\n')
setInterval(() => {}, 1000)
