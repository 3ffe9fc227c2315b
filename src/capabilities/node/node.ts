// This machine over the API: its facts, what is wrong with it, and how busy it is.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { ConnectRouter } from '@connectrpc/connect'
import {
    GetFactsResponseSchema,
    type Load,
    LoadSchema,
    NodeService,
} from '../../gen/proto/capabilities/node/node_pb.js'
import type { Clock } from '../../ports/ports.ts'
import type { Capability } from '../capability.ts'
import { type FactsDeps, gatherFacts, type NodeFacts } from './facts.ts'
import { createLoad, type LoadSample } from './load.ts'

export type { NodeFacts, ServiceCheck } from './facts.ts'

/** The capability; `facts` are for others that need to know the machine. Samples are taken from `start` on. */
export function createNode(deps: FactsDeps & { clock: Clock }): Capability & { facts(): Promise<NodeFacts> } {
    const load = createLoad(deps)
    const facts = () => gatherFacts(deps)
    return {
        name: 'node',
        facts,
        services: (router: ConnectRouter) =>
            router.service(NodeService, {
                getFacts: async () => {
                    const { os, version, bootedMs, memoryBytes, ...rest } = await facts()
                    return create(GetFactsResponseSchema, {
                        ...{ hostname: rest.hostname, debvisorVersion: version, os: os.name, kernel: rest.kernel },
                        ...{ architecture: rest.architecture, cpuModel: rest.cpuModel, cpus: rest.cpus },
                        ...{ sockets: rest.sockets, coresPerSocket: rest.coresPerSocket },
                        ...{ threadsPerCore: rest.threadsPerCore, memoryBytes: BigInt(memoryBytes) },
                        booted: timestampFromMs(bootedMs),
                        ...{ libvirtVersion: rest.libvirtVersion, qemuVersion: rest.qemuVersion },
                        ...{
                            accelerator: rest.accelerator,
                            machineTypes: rest.machineTypes,
                            cpuModels: rest.cpuModels,
                        },
                        ...{ uefi: rest.uefi, secureBoot: rest.secureBoot, tpm: rest.tpm },
                        services: rest.services.map(({ name, up, detail }) => ({ name, up, detail })),
                        findings: rest.findings,
                    })
                },
                getLoad: () => ({ history: load.history().map(toProto) }),
                watchLoad: async function* (_, context) {
                    for await (const sample of load.watch(context.signal)) yield { load: toProto(sample) }
                },
            }),
        start: load.start,
        close: async () => load.stop(),
    }
}

const toProto = (sample: LoadSample): Load =>
    create(LoadSchema, {
        ...{ at: timestampFromMs(sample.atMs), cpu: sample.cpu, load1: sample.load1 },
        memoryUsedBytes: BigInt(sample.memoryUsedBytes),
        memoryTotalBytes: BigInt(sample.memoryTotalBytes),
        swapUsedBytes: BigInt(sample.swapUsedBytes),
        netRxBytesPerSecond: BigInt(sample.rxBytesPerSecond),
        netTxBytesPerSecond: BigInt(sample.txBytesPerSecond),
        diskReadBytesPerSecond: BigInt(sample.readBytesPerSecond),
        diskWriteBytesPerSecond: BigInt(sample.writtenBytesPerSecond),
    })
