// The choice to replace volumes that are there, which names what is lost and has it typed.
import { useState } from 'react'
import { CheckField, TextField } from '../fields.panel.tsx'
import { bytes } from '../format.panel.tsx'
import { useLive } from '../live.panel.tsx'
import { lostWord } from '../plan.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { storage } from './store.panel.tsx'
import { words } from './words.panel.tsx'

/** What of these names is there in the pool, and whether it was agreed that it goes: `field` asks. */
export function useReplace(pool: string, names: readonly string[]) {
    const { items } = useLive(storage)
    const [overwrite, setOverwrite] = useState(false)
    const [text, setText] = useState('')
    const there = names.flatMap(name => items.get(`${pool}/${name}`)?.volume ?? [])
    const word = there.length === 1 ? there[0]!.name : String(there.length)
    const asks = overwrite && there.length > 0
    const field = (
        <>
            <CheckField name="overwrite" label={words.replace} value={overwrite} change={setOverwrite} />
            {asks && (
                <>
                    <div data-lost>
                        {there.map(volume => (
                            <div key={volume.name} className="dv-destroys">
                                {fill(common.destroys, {
                                    what: `${lostWord(`volume:${volume.pool}/${volume.name}`)}, ${bytes(volume.capacityBytes)}`,
                                })}
                            </div>
                        ))}
                    </div>
                    <TextField
                        name="confirm"
                        label={fill(common.typeName, { name: word })}
                        value={text}
                        change={setText}
                    />
                </>
            )}
        </>
    )
    return { overwrite, agreed: !asks || text === word, field }
}
