// One stack for its page: services, who reaches its ports, its history, and what is wrong with it now.
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { asFault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import type { Stack } from '../../gen/proto/capabilities/stack/stack_pb.js'
import { type OpsDeps, prepareNewest } from './bring-up.ts'
import { wantedOf } from './model.ts'
import type { KnownContainer } from './seen.ts'
import type { StackDoc } from './store.ts'

export interface Reach {
    /** For people: who can reach it. */
    words: string
    open: boolean
}

/** Who reaches a port that a container publishes. */
export type ReachOf = (
    port: { host: number; protocol: string; address: string } & Pick<KnownContainer, 'addresses' | 'bridges'>,
) => Reach

interface About {
    line: Stack
    doc: StackDoc | undefined
    containers: readonly KnownContainer[]
    deps: OpsDeps & { reach(): Promise<ReachOf> }
}

export async function detailOf({ line, doc, containers, deps }: About) {
    const findings: Finding[] = []
    const ready = doc
        ? await prepareNewest(deps, doc).catch(thrown => {
              const { code, summary, detail, fix, at } = asFault(thrown)
              findings.push({ severity: 'error', code, summary, detail, fix, at })
              return undefined
          })
        : undefined
    if (ready) findings.push(...ready.prepared.findings)
    const model = ready?.prepared.model
    const names = new Set([...line.services, ...Object.keys(model?.services ?? {})])
    const services = [...names].sort().map(name => {
        const service = model?.services[name]
        const own = containers.filter(one => one.line.service === name)
        const marks = new Set([...(ready?.prepared.marks[name] ?? []), ...own.flatMap(one => one.marks)])
        return {
            ...{ name, image: service?.image ?? own[0]?.line.image ?? '', containers: own.map(({ id }) => id) },
            ...{ wanted: service ? wantedOf(service) : 0, running: own.filter(({ running }) => running).length },
            ...{ marks: [...marks].sort(), exposed: ready?.prepared.exposed.has(name) ?? false },
        }
    })
    const published = containers.flatMap(one =>
        one.line.ports.filter(({ host, address }) => host > 0 && address).map(port => ({ ...port, of: one })),
    )
    const reachOf = await deps.reach()
    const ports = published.map(({ host, container, protocol, address, of }) => {
        const { addresses, bridges, line: its } = of
        const { words, open } = reachOf({ host, protocol, address, addresses, bridges })
        return { service: its.service, host, container, protocol, address, reach: words, open }
    })
    ports.sort((a, b) => a.host - b.host || (a.service < b.service ? -1 : 1))
    const versions = (doc?.versions ?? []).map(({ number, atMs, by, note }) => ({
        ...{ number, at: timestampFromMs(atMs), by, note },
    }))
    return { stack: line, services, ports, versions, findings }
}
