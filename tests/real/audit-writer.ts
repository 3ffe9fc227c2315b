// A daemon that writes audit records without end and says each number once it is durable: made to be killed.
import { createAudit } from '../../src/capabilities/audit/audit.ts'
import { fakeLog } from '../../src/ports/fake.ts'
import { realClock, realSystem } from '../../src/ports/real.ts'

const [, , folder] = process.argv as unknown as [string, string, string]
const { sink, start } = createAudit({
    ...{ system: realSystem(), clock: realClock(), log: fakeLog() },
    ...{ folder: `${folder}/audit`, key: `${folder}/audit.key`, rotateBytes: 100_000 },
})
await start!()
const writeOn = async () => {
    for (;;) {
        const number = await sink.intent({
            who: 'ann',
            from: 'local',
            what: 'vm.start',
            onName: 'web1',
            detail: { n: 1 },
        })
        process.stdout.write(`${number}\n`)
        await sink.close(number, { result: 'done' })
    }
}
await Promise.all([writeOn(), writeOn(), writeOn()])
