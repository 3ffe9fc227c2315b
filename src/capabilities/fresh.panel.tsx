// Answers that are kept, asked for again after a change.
import { type QueryKey, useQueryClient } from '@tanstack/react-query'
import { useCallback } from 'react'

/** Asks again for all that is kept under a key, or for all there is; what was asked before the change does not count any more. */
export function useAskAgain(): (key?: QueryKey) => void {
    const queries = useQueryClient()
    return useCallback(
        (queryKey = []) => {
            // A first question that is still on its way would else be taken for the new one: it may tell of before.
            void queries.cancelQueries({ queryKey }).then(() => queries.invalidateQueries({ queryKey }))
        },
        [queries],
    )
}
