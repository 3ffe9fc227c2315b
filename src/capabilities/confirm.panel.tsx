// Password and second factor once more, in the forms of what changes the node: its root service checks them.
import { useState } from 'react'
import { ProvisionService } from '../gen/proto/capabilities/node/provision_pb.js'
import { clientOf } from './client.panel.tsx'
import { ofRoot, useShown, words } from './dangerous.panel.tsx'
import { isUnconfirmed } from './dangerous.ts'
import { Quiet } from './parts.panel.tsx'
import { fill, locale } from './words.panel.tsx'

/** For what changes the node: the fields in a form of its own, and the token when it is to be used. */
export function useConfirmation() {
    const shown = useShown(words.nodeHelp)
    const [fresh, setFresh] = useState(() => ofRoot.get() !== '')
    return {
        missing: !fresh && shown.missing,
        /** Runs a call with the token; where it counts no more, the field is asked again. */
        async with<T>(call: (confirmationToken: string) => Promise<T>): Promise<T> {
            if (ofRoot.get() === '') {
                const { confirmationToken } = await clientOf(ProvisionService).confirm(shown.request)
                ofRoot.set(confirmationToken)
            }
            try {
                return await call(ofRoot.get())
            } catch (thrown) {
                if (isUnconfirmed(thrown)) {
                    ofRoot.set('')
                    setFresh(false)
                }
                throw thrown
            }
        },
        field: fresh ? (
            <Quiet>
                {fill(words.confirmedUntil, {
                    time: new Intl.DateTimeFormat(locale(), { timeStyle: 'short' }).format(
                        Date.now() + ofRoot.leftMs(),
                    ),
                })}
            </Quiet>
        ) : (
            shown.fields
        ),
    }
}
