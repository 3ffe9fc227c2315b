// Whether the machine still is what its document says: as of the last look, and by a look right now.
import { Button, Label } from '@patternfly/react-core'
import { useState } from 'react'
import { ProvisionService, type Verified } from '../../gen/proto/capabilities/node/provision_pb.js'
import { act } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { ago, exactMoment } from '../format.panel.tsx'
import { Quiet, Section } from '../parts.panel.tsx'
import { fill } from '../words.panel.tsx'
import { words } from './configuration-words.panel.tsx'
import { FindingNotes } from './document-plan.panel.tsx'

const api = clientOf(ProvisionService)

const DRIFT = {
    yes: { colour: 'orange', text: words.driftYes },
    no: { colour: 'green', text: words.driftNo },
    unknown: { colour: 'red', text: words.driftUnknown },
    never: { colour: 'grey', text: words.driftNever },
} as const

const driftOf = (verified: Verified | undefined): keyof typeof DRIFT =>
    !verified ? 'never' : verified.problem ? 'unknown' : verified.converged ? 'no' : 'yes'

export function Drift(props: { verified: Verified | undefined; isThere: boolean; done: () => void }) {
    const [busy, setBusy] = useState(false)
    const [problem, setProblem] = useState<Verified>()
    if (!props.isThere) return null
    const verified = problem ?? props.verified
    const drift = driftOf(verified)
    return (
        <>
            <Label color={DRIFT[drift].colour} data-drift={drift}>
                {DRIFT[drift].text}
            </Label>
            {verified?.at && (
                <span className="dv-quiet" title={exactMoment(verified.at)}>
                    {fill(words.lookedAt, { when: ago(verified.at) })}
                </span>
            )}
            <Button
                variant="secondary"
                data-action="verify"
                isLoading={busy}
                isDisabled={busy}
                onClick={() => {
                    setBusy(true)
                    void act(async () => {
                        const { verified } = await api.verify({})
                        setProblem(verified?.problem ? verified : undefined)
                    }).finally(() => {
                        setBusy(false)
                        props.done()
                    })
                }}
            >
                {words.lookAgain}
            </Button>
        </>
    )
}

/** What an apply would do to mend it. */
export function Differs({ verified }: { verified: Verified | undefined }) {
    if (!verified || verified.converged || verified.problem) return null
    return (
        <Section title={words.driftTitle}>
            <FindingNotes findings={verified.findings} />
            <ul className="dv-findings" data-differs>
                {verified.drift.map(one => (
                    <li key={one} className="dv-anywhere">
                        {one}
                    </li>
                ))}
            </ul>
            <Quiet>{words.driftFix}</Quiet>
        </Section>
    )
}
