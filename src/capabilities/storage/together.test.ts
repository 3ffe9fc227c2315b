// One look for those that ask at the same time, a new one for who asks later, and none shared between machines.
import { expect, it } from 'vitest'
import { fakeSystem } from '../../ports/fake.ts'
import { together } from './together.ts'

it('looks once for all that ask meanwhile, and again afterwards, also after a failure', async () => {
    let looks = 0
    const see = together(async machine => {
        looks++
        await null
        if (looks === 2) throw new Error('gone')
        return `${machine.hostname()} ${looks}`
    })
    const [one, other] = [fakeSystem({ hostname: 'one' }), fakeSystem({ hostname: 'other' })]
    expect(await Promise.all([see(one), see(one)])).toEqual(['one 1', 'one 1'])
    await expect(Promise.all([see(one), see(one)])).rejects.toThrow('gone')
    expect(await Promise.all([see(one), see(other)])).toEqual(['one 4', 'other 4'])
})
