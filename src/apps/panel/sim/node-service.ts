// The simulated node: facts, findings, load.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { ConnectRouter } from '@connectrpc/connect'
import { LoadSchema, NodeService } from '../../../gen/proto/capabilities/node/node_pb.js'
import { GIB, type World } from './world.ts'

export function nodeService(world: World, router: ConnectRouter): void {
    const loadAt = (ms: number) => {
        const s = ms / 1000
        const wave = (period: number): number => (Math.sin(s / period) + 1) / 2
        return create(LoadSchema, {
            at: timestampFromMs(ms),
            cpu: 0.15 + 0.3 * wave(200),
            load1: 2 + wave(100),
            memoryUsedBytes: BigInt(Math.round(40e9 + 6e9 * wave(800))),
            memoryTotalBytes: 128n * GIB,
            netRxBytesPerSecond: BigInt(Math.round(9e6 * wave(60))),
            netTxBytesPerSecond: BigInt(Math.round(4e6 * wave(80))),
            diskReadBytesPerSecond: BigInt(Math.round(2e7 * wave(45) ** 4)),
            diskWriteBytesPerSecond: BigInt(Math.round(1e7 * wave(30) ** 2)),
        })
    }
    router.service(NodeService, {
        getFacts: () => ({
            hostname: 'node1',
            debvisorVersion: '0.1.0',
            os: 'Debian GNU/Linux 13 (trixie)',
            kernel: '6.12.48+deb13-amd64',
            architecture: 'x86_64',
            cpuModel: 'AMD EPYC 7443P 24-Core Processor',
            cpus: 48,
            sockets: 1,
            coresPerSocket: 24,
            threadsPerCore: 2,
            memoryBytes: 128n * GIB,
            booted: timestampFromMs(world.startMs - 9e8),
            libvirtVersion: '11.3.0',
            qemuVersion: '10.0.3',
            accelerator: 'kvm',
            uefi: true,
            secureBoot: true,
            tpm: false,
            services: [
                { name: 'libvirt', up: true, detail: 'connected' },
                { name: 'etcd', up: true, detail: 'one member' },
            ],
            findings: [
                {
                    severity: 'warning',
                    code: 'no-swtpm',
                    at: '',
                    summary: 'TPM 2.0 is not there',
                    detail: 'swtpm is not installed',
                    fix: 'apt install swtpm',
                },
            ],
        }),
        getLoad: () => ({ history: Array.from({ length: 360 }, (_, i) => loadAt(Date.now() - (360 - i) * 10_000)) }),
        async *watchLoad(_request, context) {
            while (!context.signal.aborted) {
                yield { load: loadAt(Date.now()) }
                await new Promise(resolve => setTimeout(resolve, 2_000))
            }
        },
    })
}
