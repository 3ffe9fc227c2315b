// The verbs of `debvisor vm` for snapshots.
import { timestampDate } from '@bufbuild/protobuf/wkt'
import { ListSnapshotsResponseSchema, type Snapshot, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { carryOut } from '../change.ts'
import type { Argument, Verb } from '../verb.ts'

const VM: Argument = { name: 'vm', summary: 'name or UUID', complete: 'vm' }
const SNAPSHOT: Argument = { name: 'snapshot', summary: 'name of the snapshot', complete: 'snapshot' }

/** Depth first, each with how deep it stands, so that the list reads as the tree it is. */
function tree(snapshots: readonly Snapshot[]): { snapshot: Snapshot; depth: number }[] {
    const names = new Set(snapshots.map(s => s.name))
    const below = (parent: string, depth: number): { snapshot: Snapshot; depth: number }[] =>
        snapshots
            .filter(s => s.parent === parent)
            .flatMap(snapshot => [{ snapshot, depth }, ...below(snapshot.name, depth + 1)])
    const roots = snapshots.filter(s => !names.has(s.parent))
    return roots.flatMap(snapshot => [{ snapshot, depth: 0 }, ...below(snapshot.name, 1)])
}

export const snapshotVerbs: Verb[] = [
    {
        words: ['vm', 'snapshots'],
        examples: [{ line: 'debvisor vm snapshots web1', note: 'As the tree they are.' }],
        summary: 'list the snapshots of a VM as the tree they are',
        arguments: [VM],
        async run(context) {
            const answer = await context.client(VmService).listSnapshots({ vm: context.args.vm })
            return {
                kind: 'table',
                columns: [
                    { key: 'name', label: 'NAME' },
                    { key: 'created', label: 'CREATED' },
                    { key: 'kind', label: 'KIND' },
                    { key: 'memory', label: 'MEMORY' },
                    { key: 'description', label: 'DESCRIPTION' },
                ],
                rows: tree(answer.snapshots).map(({ snapshot: s, depth }) => ({
                    name: `${'  '.repeat(depth)}${depth ? '└ ' : ''}${s.name}${s.current ? ' (current)' : ''}`,
                    created: s.created ? timestampDate(s.created).toLocaleString() : '',
                    kind: s.kind,
                    memory: s.memory ? 'yes' : '',
                    description: s.description,
                })),
                empty: `There is no snapshot. Take one with: debvisor vm snapshot ${context.args.vm} NAME`,
                json: context.json(ListSnapshotsResponseSchema, answer),
            }
        },
    },
    {
        words: ['vm', 'snapshot'],
        examples: [
            {
                line: 'debvisor vm snapshot web1 before-upgrade --memory',
                note: 'It goes on from there after a revert.',
            },
        ],
        summary: 'take a snapshot',
        arguments: [VM, { name: 'snapshot', summary: 'name of the new snapshot' }],
        options: [
            { name: 'description', value: 'TEXT', summary: 'what it is for' },
            { name: 'memory', summary: 'with the memory of the running guest' },
            { name: 'kind', value: 'KIND', summary: 'where it is kept', choices: ['internal', 'external'] },
            { name: 'quiesce', summary: 'have the guest agent freeze the file systems meanwhile' },
        ],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(VmService).createSnapshot({
                        vm: context.args.vm,
                        name: context.args.snapshot,
                        description: context.options.description ?? '',
                        kind: context.options.kind ?? '',
                        memory: context.options.memory !== undefined,
                        quiesce: context.options.quiesce !== undefined,
                        dryRun,
                    }),
            }),
    },
    {
        words: ['vm', 'revert'],
        examples: [
            { line: 'debvisor vm revert web1 before-upgrade', note: 'Asks first, as what was written since is lost.' },
        ],
        summary: 'go back to a snapshot; what was written since is lost',
        arguments: [VM, SNAPSHOT],
        options: [{ name: 'start', summary: 'run it afterwards, whatever it did then' }],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(VmService).revertSnapshot({
                        vm: context.args.vm,
                        name: context.args.snapshot,
                        start: context.options.start !== undefined,
                        dryRun,
                    }),
                consent: context.args.vm,
            }),
    },
    {
        words: ['vm', 'delete-snapshot'],
        examples: [{ line: 'debvisor vm delete-snapshot web1 before-upgrade', note: 'The VM stays as it is now.' }],
        summary: 'delete a snapshot; the VM stays as it is now',
        arguments: [VM, SNAPSHOT],
        options: [{ name: 'children', summary: 'with all that come from it' }],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(VmService).deleteSnapshot({
                        vm: context.args.vm,
                        name: context.args.snapshot,
                        children: context.options.children !== undefined,
                        dryRun,
                    }),
                consent: context.args.snapshot,
                question: `The snapshot ${context.args.snapshot} cannot be reverted to any more.`,
            }),
    },
]
