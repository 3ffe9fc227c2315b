// Prepared parts stand where their mark stood, byte for byte, and nothing that people write is taken for one.
import { expect, it } from 'vitest'
import { prepared, withPrepared } from './prepared-json.ts'

const bytes = (value: unknown) => new Uint8Array(Buffer.from(JSON.stringify(value)))
const text = (of: Uint8Array) => Buffer.from(of).toString()

it('puts objects into the place of the mark', () => {
    const answer = {}
    const mark = prepared(answer, [bytes({ name: 'a}{' }), bytes({ name: 'ü 🦆' })])
    const sent = withPrepared.encode(JSON.stringify({ ahead: '{é}', vms: [{ uuid: mark }], total: 2 }))
    expect(JSON.parse(text(sent))).toEqual({ ahead: '{é}', vms: [{ name: 'a}{' }, { name: 'ü 🦆' }], total: 2 })
    // Asked for twice, it is the same.
    expect(text(withPrepared.encode(JSON.stringify({ vms: [{ uuid: mark }] })))).toBe(
        '{"vms":[{"name":"a}{"},{"name":"ü 🦆"}]}',
    )
})

it('leaves everything else as it is', () => {
    for (const value of ['', '{}', '{"name":"{\\"uuid\\":\\"x.1.\\"}"}', '{"name":"ü"}'])
        expect(text(withPrepared.encode(value))).toBe(value)
    expect(text(withPrepared.encode())).toBe('')
})

it('keeps apart what two answers prepared', () => {
    const [one, other] = [{}, {}]
    const marks = [prepared(one, [bytes(1)]), prepared(other, [bytes(2)])]
    expect(marks.map(uuid => text(withPrepared.encode(JSON.stringify([{ uuid }]))))).toEqual(['[1]', '[2]'])
})
