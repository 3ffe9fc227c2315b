// A daemon's life in short: does one task that makes two files, and kills itself -9 at the step it is told.
import { writeFile } from 'node:fs/promises'
import { fakeLog } from '../../ports/fake.ts'
import { realClock, realSystem } from '../../ports/real.ts'
import { createTasks } from '../tasks.ts'

const [, , folder, dieAt] = process.argv as unknown as [string, string, string, string]
let step = 0
const reach = (name: string) => {
    process.stdout.write(`${name}\n`)
    if (step++ === Number(dieAt)) process.kill(process.pid, 'SIGKILL')
}
const make = (name: string) => writeFile(`${folder}/things/${name}`, name)

const system = realSystem()
const tasks = await createTasks({ system, clock: realClock(), log: fakeLog(), folder: `${folder}/tasks` })
tasks.onUndo('thing', async undo => {
    await system.remove(`${folder}/things/${undo.name}`)
    reach('took one back')
})
reach('opened')
await tasks.recover()
reach('recovered')
const spec = { kind: 'thing.create', title: 'Make two things', owner: 'ann' }
const begun = tasks.begin(spec, async task => {
    reach('begun')
    task.say('going to make a')
    const promised = task.undo({ kind: 'thing', name: 'a' })
    reach('promised to undo a, not on the disk yet')
    await promised
    reach('promised to undo a')
    await make('a')
    reach('made a')
    await task.undo({ kind: 'thing', name: 'b' })
    reach('promised to undo b')
    await make('b')
    reach('made b')
    reach('about to end')
})
reach('asked to begin')
const { settled } = await begun
await settled
reach('ended')
await tasks.close()
reach('closed')
