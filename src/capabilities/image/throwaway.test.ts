// No two runs have the same user at once, and the last one used comes last again.
import { expect, test } from 'vitest'
import { createThrowaways } from './throwaway.ts'

test('each is lent to one at a time', () => {
    const users = createThrowaways({ first: 10, last: 12 })
    expect([users.take(), users.take()]).toEqual([10, 11])
    users.giveBack(10)
    expect(users.take()).toBe(12)
    expect(users.take()).toBe(10)
    expect(() => users.take()).toThrow('taken')
    users.giveBack(11)
    expect(users.take()).toBe(11)
})
