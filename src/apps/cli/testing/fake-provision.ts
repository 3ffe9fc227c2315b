// A node's document for the tests of the command line: one disk that holds something, and a password.
import type { ConnectRouter } from '@connectrpc/connect'
import { Fault } from '../../../base/fault.ts'
import { ProvisionService } from '../../../gen/proto/capabilities/node/provision_pb.js'
import type { Calls } from './fake-node.ts'

export const PASSWORD = 'glacier tulip 7 marzipan'
const TARGET = 'disk:/dev/disk/by-id/ata-A'

export function fakeProvision(router: ConnectRouter, calls: Calls): void {
    const planOf = (text: string, destroy: readonly string[] = []) => ({
        hash: `hash of ${text.trim()} ${destroy.join()}`.trim(),
        groups: text.includes('same') ? [] : [{ resource: 'pool', title: 'Pool', steps: [{ say: 'Make the pool' }] }],
        destroys: text.includes('disk') ? [{ target: TARGET, agreed: destroy.includes(TARGET) }] : [],
        summary: '1 step.',
        text: text.includes('same')
            ? 'Nothing to do: the node is what the document says.\n'
            : 'Pool:\n  > Make the pool\n',
    })
    const noted =
        <Q extends object, A>(name: string, answer: (request: Q) => A) =>
        (request: Q): A => {
            calls.push([name, request])
            return answer(request)
        }
    const record = { id: '2026-a', by: 'ada', state: 'interrupted', steps: 3, failed: 1 }
    router.service(ProvisionService, {
        getDocument: () => ({ path: '/etc/debvisor/node.yaml', exists: true, text: 'note: on the node\n' }),
        draftDocument: ({ profile }) => ({ text: `# draft\nprofile: ${profile}\n` }),
        plan: noted('plan', ({ text, destroy }) => ({ plan: planOf(text, destroy) })),
        confirm: noted('confirm', ({ password }) => {
            if (password === PASSWORD) return { confirmationToken: 'proof' }
            throw new Fault('denied', { summary: 'The password is wrong', at: 'password' })
        }),
        apply: noted('apply', () => ({ task: 'ok', object: '2026-a' })),
        rollback: noted('rollback', () => ({ task: 'ok', object: '2026-b' })),
        verify: () => ({ verified: { converged: false, drift: ['pool: Make the pool'] } }),
        getStatus: () => ({ document: 'abc', now: 'debvisor node apply', last: record }),
        listApplies: () => ({ applies: [record] }),
        getApply: ({ apply }) => ({
            ...{ record: { ...record, id: apply }, document: '' },
            events: [
                { kind: 'done', text: 'Make the pool' },
                { kind: 'said', text: 'zpool ended with 0' },
                { kind: 'end', state: 'interrupted' },
            ],
        }),
        planRollback: ({ apply }) => ({ apply: apply || '2026-a', plan: planOf('note') }),
    })
}
