// One change of a stack at a time: another one would be about containers that are being made.
import { Fault } from '../../base/fault.ts'
import type { Change } from '../begin.ts'

export function createTurns() {
    const busy = new Map<string, string>()
    return {
        /** @throws Fault `conflict` */
        need(name: string): void {
            const title = busy.get(name)
            if (title === undefined) return
            throw new Fault('conflict', {
                summary: 'The stack is being changed',
                detail: title,
                at: 'stack',
                fix: 'Wait until that task has ended, or cancel it.',
            })
        },
        /** The same change, which holds the stack while it works. */
        held(name: string, change: Change): Change {
            return {
                ...change,
                work: async task => {
                    this.need(name)
                    busy.set(name, change.title)
                    try {
                        await change.work(task)
                    } finally {
                        busy.delete(name)
                    }
                },
            }
        },
    }
}
