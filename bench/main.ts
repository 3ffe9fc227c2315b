// `make bench`: runs the benchmarks that are named (all when none is) and prints their tables; exits 1 on a missed target.
import { cpus } from 'node:os'
import { missed, type Result, show } from './figures.ts'

const benches: Record<string, () => Promise<Result>> = {
    list: async () => (await import('./list.ts')).list(),
    create: async () => (await import('./create.ts')).create(),
    latency: async () => (await import('./latency.ts')).latency(),
    idle: async () => (await import('./idle.ts')).idle(),
    plan: async () => (await import('./plan.ts')).plan(),
    verify: async () => (await import('./verify.ts')).verify(),
    panel: async () => (await import('./panel.ts')).panel(),
    containers: async () => (await import('./containers.ts')).containers(),
    iso: async () => (await import('./iso.ts')).iso(),
}
/** Only when it is named: it takes an ISO, and an hour. */
const SLOW = 'iso'

const asked = process.argv.slice(2)
const unknown = asked.filter(name => !(name in benches))
if (unknown.length > 0) {
    console.error(`There is no benchmark ${unknown.join(', ')}: take ${Object.keys(benches).join(', ')}.`)
    process.exit(1)
}
console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}\n`)
const misses: string[] = []
for (const name of asked.length > 0 ? asked : Object.keys(benches).filter(name => name !== SLOW)) {
    const began = performance.now()
    try {
        const result = await benches[name]!()
        console.log(show(result))
        misses.push(...missed(result).map(what => `${name}: ${what}`))
        console.log(`  (${name}: ${((performance.now() - began) / 1000).toFixed(0)} s in all)\n`)
    } catch (thrown) {
        console.error(`${name} is broken:`, thrown)
        process.exitCode = 1
    }
}
if (misses.length > 0) {
    console.error(`Missed: ${misses.join('; ')}`)
    process.exitCode = 1
}
process.exit()
