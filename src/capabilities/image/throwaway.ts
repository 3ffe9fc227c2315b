// Users that nobody is, lent to one run at a time: two that run at once cannot touch one another.

export interface Throwaways {
    /** A user that no other run has. */
    take(): number
    giveBack(uid: number): void
}

/** `first` to `last`, each in its turn, so that one is used again as late as can be. */
export function createThrowaways({ first, last }: { first: number; last: number }): Throwaways {
    const taken = new Set<number>()
    let next = first
    return {
        take() {
            for (let tries = first; tries <= last; tries++) {
                const uid = next
                next = next === last ? first : next + 1
                if (taken.has(uid)) continue
                taken.add(uid)
                return uid
            }
            throw new Error(`all ${taken.size} throwaway users are taken`)
        },
        giveBack: uid => void taken.delete(uid),
    }
}
