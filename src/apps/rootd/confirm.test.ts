// A confirmation is good for five minutes, for one person and one session, while they are still who they were.
import { generateSync } from 'otplib'
import { expect, it } from 'vitest'
import { createAttempts } from '../../capabilities/identity/attempts.ts'
import { CONFIRMED_MS } from '../../capabilities/identity/confirmed.ts'
import type { UserDoc } from '../../capabilities/identity/documents.ts'
import { newFactorSecret, newRecoveryCodes } from '../../capabilities/identity/otp.ts'
import { createPasswords } from '../../capabilities/identity/password.ts'
import { personIn } from '../../capabilities/identity/person.ts'
import { fakeClock } from '../../ports/fake.ts'
import { createConfirmations } from './confirm.ts'

const PASSWORD = 'glacier tulip 7 marzipan'
const ada = { user: 'ada', from: '192.0.2.1', viaId: 's1' }

async function world() {
    const clock = fakeClock()
    const passwords = createPasswords({ n: 16, r: 1, p: 1 })
    const user: UserDoc = {
        ...{ name: 'ada', uid: 'u1', role: 'admin', fullName: '', locked: false, generation: 'g1', createdMs: 0 },
        password: { ...(await passwords.hash(PASSWORD, 'test')) },
    }
    const people = new Map([['ada', user]])
    const steps = new Map<string, number>()
    const attempts = createAttempts(clock, () => false)
    const personOf = async (name: string) => {
        const found = people.get(name)
        return found && { user: found, step: steps.get(name) ?? 0 }
    }
    const { confirm, need } = createConfirmations({ personOf, passwords, attempts, clock })
    const shown = (password: string, code = '') => ({ password, code })
    return {
        ...{ clock, people, steps, user, need },
        confirm: (person: typeof ada, password: string, code = '') => confirm(person, shown(password, code)),
    }
}
const refused = { code: 'denied', at: 'confirmation' }

it('is good until its time is over', async () => {
    const { confirm, need, clock } = await world()
    const { token, expiresMs } = await confirm(ada, PASSWORD)
    expect(expiresMs).toBe(clock.now() + CONFIRMED_MS)
    await clock.advance(CONFIRMED_MS)
    await need(ada, token)
    await clock.advance(1)
    await expect(need(ada, token)).rejects.toMatchObject(refused)
})

it('is of one person in one session', async () => {
    const { confirm, need } = await world()
    const { token } = await confirm(ada, PASSWORD)
    await need(ada, token)
    await expect(need({ ...ada, viaId: 's2' }, token)).rejects.toMatchObject(refused)
    await expect(need({ ...ada, user: 'eve' }, token)).rejects.toMatchObject(refused)
    await expect(need(ada, `${token}x`)).rejects.toMatchObject(refused)
    await expect(need(ada, '')).rejects.toMatchObject(refused)
})

it('ends with a new password, a new user of that name, and with them', async () => {
    const { confirm, need, people, user } = await world()
    const { token } = await confirm(ada, PASSWORD)
    for (const other of [
        { ...user, generation: 'g2' },
        { ...user, uid: 'u2' },
    ]) {
        people.set('ada', other)
        await expect(need(ada, token)).rejects.toMatchObject(refused)
    }
    people.set('ada', { ...user, locked: true })
    await expect(need(ada, token)).rejects.toMatchObject({ code: 'denied', detail: 'ada is locked' })
    people.delete('ada')
    await expect(need(ada, token)).rejects.toMatchObject(refused)
})

it('is not guessed: after five wrong passwords one waits, also with the right one', async () => {
    const { confirm, clock } = await world()
    const wrong = { code: 'denied', at: 'password' }
    for (let i = 0; i < 5; i++) await expect(confirm(ada, 'wrong')).rejects.toMatchObject(wrong)
    await expect(confirm(ada, PASSWORD)).rejects.toMatchObject({ code: 'exhausted' })
    await clock.advance(1_000)
    await confirm(ada, PASSWORD)
    // Nobody learns which names there are.
    await expect(confirm({ ...ada, user: 'eve' }, PASSWORD)).rejects.toMatchObject(wrong)
})

it('asks for the second factor of who has one, takes each code once, and none that a login has taken', async () => {
    const { confirm, clock, people, steps, user } = await world()
    const secret = newFactorSecret()
    const { codes, hashes } = newRecoveryCodes()
    people.set('ada', { ...user, factor: { secret, recovery: hashes, createdMs: 0 } })
    const codeNow = () => generateSync({ secret, epoch: Math.floor(clock.now() / 1000) })
    const refusedCode = { code: 'denied', at: 'one_time_password' }
    await expect(confirm(ada, PASSWORD)).rejects.toMatchObject({ ...refusedCode, summary: /is needed/ })
    await expect(confirm(ada, PASSWORD, '12345')).rejects.toMatchObject(refusedCode)
    // Whoever does not know the password learns nothing of a second factor.
    await expect(confirm(ada, 'wrong', codeNow())).rejects.toMatchObject({ code: 'denied', at: 'password' })
    await expect(confirm(ada, PASSWORD, codes[0])).rejects.toMatchObject(refusedCode)
    await confirm(ada, PASSWORD, codeNow())
    await expect(confirm(ada, PASSWORD, codeNow())).rejects.toMatchObject(refusedCode)
    await clock.advance(60_000)
    steps.set('ada', Math.floor(clock.now() / 30_000))
    await expect(confirm(ada, PASSWORD, codeNow())).rejects.toMatchObject(refusedCode)
    await clock.advance(60_000)
    await confirm(ada, PASSWORD, codeNow())
})

it('reads a person from the copy of identity, and takes nothing else for one', () => {
    const user = { name: 'ada', uid: 'u', role: 'admin', fullName: '', locked: false, generation: 'g', createdMs: 1 }
    const password = { kind: 'scrypt', n: 16, r: 1, p: 1, salt: 'AA==', hash: 'AA==' }
    const copy = (value: object) =>
        JSON.stringify({ version: 1, entries: [{ key: '/debvisor/identity/users/ada', value: JSON.stringify(value) }] })
    expect(personIn(copy({ ...user, password }), 'ada')).toMatchObject({
        ...{ user: { name: 'ada', role: 'admin' }, step: 0 },
    })
    for (const [text, name] of [
        [copy({ ...user, password }), 'eve'],
        [copy(user), 'ada'],
        ['{}', 'ada'],
        ['', 'ada'],
        ['null', 'ada'],
    ] as const)
        expect(personIn(text, name)).toBeUndefined()
})
