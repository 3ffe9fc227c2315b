// The verbs of `debvisor vm` for the cloud-init seed: looked at, given anew, taken away.
import { GetSeedResponseSchema, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { carryOut } from '../change.ts'
import type { Argument, Verb } from '../verb.ts'
import { SEED, seedOf } from './cli-make.ts'

const VM: Argument = { name: 'vm', summary: 'name or UUID', complete: 'vm' }

export const seedVerbs: Verb[] = [
    {
        words: ['vm', 'seed'],
        examples: [{ line: 'debvisor vm seed web1', note: 'What cloud-init is told; secrets are hidden.' }],
        summary: 'show what the cloud-init seed of a VM says',
        arguments: [VM],
        async run(context) {
            const answer = await context.client(VmService).getSeed({ vm: context.args.vm })
            const text = answer.files.map(file => `# ${file.name} of ${answer.volume}\n${file.text}`).join('\n')
            return { kind: 'text', text, json: context.json(GetSeedResponseSchema, answer) }
        },
    },
    {
        words: ['vm', 'set-seed'],
        examples: [
            {
                line: 'debvisor vm set-seed web1 --user ann --ssh-key ~/.ssh/id_ed25519.pub',
                note: 'A login for who has lost theirs, at the next boot.',
            },
        ],
        summary: 'give a VM another cloud-init seed for its next boot',
        description:
            'It has a new instance-id: cloud-init does its first work again, and makes the SSH host keys anew. The old seed is deleted.',
        arguments: [VM],
        options: SEED,
        changes: true,
        async run(context) {
            const cloudInit = (await seedOf(context)) ?? {}
            return carryOut(context, {
                call: dryRun => context.client(VmService).setSeed({ vm: context.args.vm, cloudInit, dryRun }),
                question: 'At its next boot cloud-init does its first work again.',
            })
        },
    },
    {
        words: ['vm', 'remove-seed'],
        examples: [{ line: 'debvisor vm remove-seed web1', note: 'When it has booted once.' }],
        summary: 'take the cloud-init seed, with its secrets, away after the first boot',
        arguments: [VM],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun => context.client(VmService).removeSeed({ vm: context.args.vm, dryRun }),
                question: 'The seed is deleted; cloud-init in the guest must have run already.',
            }),
    },
]
