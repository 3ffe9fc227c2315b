// VMs and tasks of the fake node: web1 runs, the task t-bad fails, and t-long goes on until it is cancelled.
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect'
import { Fault } from '../../../base/fault.ts'
import { ConsoleService } from '../../../gen/proto/capabilities/console/console_pb.js'
import { TaskService, State as TaskState } from '../../../gen/proto/capabilities/task/task_pb.js'
import { State, VmService } from '../../../gen/proto/capabilities/vm/vm_pb.js'
import type { Calls } from './fake-node.ts'

const UUID = '6f1f7c1e-0d3c-4c3e-9a53-0f6b6f6f0001'

const web1 = {
    name: 'web1',
    state: State.RUNNING,
    vcpus: 2,
    memoryBytes: 2147483648n,
    cpu: 0.42,
    networks: ['default'],
    uuid: UUID,
}

const disk = {
    target: 'vda',
    device: 'disk',
    pool: 'default',
    volume: 'web1.qcow2',
    limits: { readIops: 100n, writeIops: 0n, readBytesPerSecond: 1048576n, writeBytesPerSecond: 0n },
}

const noVm = (name: string) =>
    new Fault('not-found', {
        summary: 'There is no such VM',
        detail: name,
        fix: 'List them with: debvisor vm list',
    })

export function fakeVms(router: ConnectRouter, calls: Calls): void {
    router.service(VmService, {
        list(request) {
            calls.push(['list', request])
            return { vms: [web1, { name: 'evil\u001b[2J', state: State.STOPPED, vcpus: 1, memoryBytes: 536870912n }] }
        },
        get({ vm }) {
            if (vm !== 'web1' && vm !== UUID) throw noVm(vm)
            return { detail: { vm: web1, revision: 'r1', disks: [disk] } }
        },
        getGuest: () => ({
            agent: true,
            hostname: 'web1.lan',
            os: 'Debian GNU/Linux 13',
            interfaces: [{ name: 'eth0', mac: '52:54:00:00:00:01', addresses: ['192.168.122.10'], source: 'agent' }],
            filesystems: [{ mountpoint: '/', type: 'ext4', totalBytes: 3221225472n, usedBytes: 1073741824n }],
        }),
        getFigures: () => ({ history: [{ cpu: 0.25, memoryUsedBytes: 536870912n, memoryBytes: 1073741824n }] }),
        async *watchFigures() {
            yield { figures: { cpu: 0.5 } }
            yield { figures: { cpu: 0.75 } }
        },
        listSnapshots: ({ vm }) => ({ snapshots: vm === 'web1' ? [{ name: 'clean' }] : [] }),
        start(request) {
            calls.push(['start', request])
            if (request.vm === 'gone') throw noVm('gone')
            return request.dryRun
                ? { plan: [{ sentence: `Start ${request.vm}` }] }
                : { task: { bad: 't-bad', slow: 't-long' }[request.vm] ?? 't-1' }
        },
        create(request) {
            calls.push(['create', request])
            return { plan: [{ sentence: 'Make it' }], task: request.dryRun ? '' : 't-1' }
        },
        clone(request) {
            calls.push(['clone', request])
            return { plan: [{ sentence: 'Clone it' }], task: request.dryRun ? '' : 't-1' }
        },
        update(request) {
            calls.push(['update', request])
            return { plan: [{ sentence: 'Change it' }] }
        },
        updateDisk(request) {
            calls.push(['updateDisk', request])
            return { plan: [{ sentence: 'Change it' }] }
        },
        shutdown(request) {
            calls.push(['shutdown', request])
            return {}
        },
        delete(request) {
            calls.push(['delete', request])
            const plan = [
                { sentence: 'Delete web1' },
                { sentence: 'Delete its disk', destroys: 'disk:default/web1.qcow2' },
            ]
            return request.dryRun ? { plan } : { plan, task: 't-1' }
        },
        async *watch() {
            yield { vms: [{ name: 'web1', uuid: UUID, state: State.RUNNING }], synced: true }
        },
    })
    router.service(ConsoleService, {
        screenshot: () => ({ png: Buffer.from('a picture'), width: 640, height: 480 }),
        open: () => ({ path: '/console', ticket: 'once' }),
    })
    const running = { id: 't-1', title: 'Start web1', state: TaskState.RUNNING, progress: 0.5 }
    router.service(TaskService, {
        list: () => ({ tasks: [running] }),
        get({ id }) {
            if (id === 't-ended') return { task: { ...running, id, state: TaskState.DONE } }
            return { task: { ...running, id, cancellable: true, onId: 'default/disk.img' } }
        },
        cancel(request) {
            calls.push(['cancelTask', request])
            return { task: running }
        },
        async *watch({ id }, { signal }) {
            if (id === '') {
                yield { task: running, existing: true }
                yield { task: { ...running, state: TaskState.DONE } }
                return
            }
            yield { task: { ...running, id } }
            if (id === 't-lost') throw new ConnectError('the daemon ends', Code.Unavailable)
            if (id === 't-long') {
                await new Promise(resolve => signal.addEventListener('abort', resolve))
                return
            }
            if (id === 't-bad') {
                const problem = { code: 'precondition', summary: 'The VM has no disk', detail: 'bad', fix: 'Add one.' }
                yield { task: { id, title: 'Start bad', state: TaskState.FAILED, problem } }
            } else yield { task: { id, title: 'Start web1', state: TaskState.DONE, progress: 1 } }
        },
    })
}
