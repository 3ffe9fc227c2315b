// The words of etcd and gRPC, as they came from etcd 3.4 and grpc-js 1.14, and what they mean for a call.
import { expect, test } from 'vitest'
import { classify, refusal } from './trouble.ts'

test.each([
    [
        'unsent',
        '14 UNAVAILABLE: No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: ',
    ],
    ['unsent', '14 UNAVAILABLE: Name resolution failed for target dns:etcd.invalid:12379'],
    ['unsent', '14 UNAVAILABLE: etcdserver: too many requests'],
    ['lost', '14 UNAVAILABLE: Connection dropped'],
    ['lost', '14 UNAVAILABLE: read ECONNRESET'],
    ['lost', '14 UNAVAILABLE: etcdserver: request timed out'],
    ['lost', '14 UNAVAILABLE: etcdserver: leader changed'],
    ['lost', '4 DEADLINE_EXCEEDED: Deadline exceeded after 3.001s,remote_addr=127.0.0.1:12379'],
    ['lost', '1 CANCELLED: Cancelled on client'],
    ['lost', '13 INTERNAL: Received RST_STREAM with code 2'],
    ['compacted', '11 OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted'],
    ['refused', '8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded'],
    ['refused', '3 INVALID_ARGUMENT: etcdserver: key is not provided'],
    ['refused', '7 PERMISSION_DENIED: etcdserver: permission denied'],
    ['refused', 'words that nobody has seen yet'],
])('%s: %s', (meaning, message) => expect(classify(new Error(message))).toBe(meaning))

test('a name is enough where the library has taken the words', () => {
    expect(classify(Object.assign(new Error('x'), { name: 'GRPCUnavailableError' }))).toBe('lost')
    expect(classify('a thrown text')).toBe('refused')
})

test('a full store says what to do; anything else is internal, with its words as the detail', () => {
    const full = refusal(new Error('8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded'))
    expect(full).toMatchObject({ code: 'exhausted', fix: expect.stringContaining('etcdctl defrag') })
    expect(refusal(new Error('strange'))).toMatchObject({ code: 'internal', detail: 'strange' })
})
