// From an image or ISO file to a running machine in three screens: source, size and access, review.
import {
    Button,
    Form,
    useWizardContext,
    Wizard,
    WizardFooterWrapper,
    WizardHeader,
    WizardStep,
} from '@patternfly/react-core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useRef, useState } from 'react'
import { VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { begun } from '../act.panel.tsx'
import { clientOf, type Trouble, troubleOf } from '../client.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { Forbidden, Loading, Section, TroubleNote } from '../parts.panel.tsx'
import { PlanView } from '../plan.panel.tsx'
import { SameBlocks } from '../same.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { SizeStep } from './create-size.panel.tsx'
import { SourceStep } from './create-source.panel.tsx'
import { blank, callOfDraft, type Draft, hashed, missing, requestOf } from './draft.panel.tsx'
import { useNetworkChoices } from './sources.panel.tsx'
import { words } from './words.panel.tsx'

const n = words.new

export default function Create() {
    const may = useMay()
    const navigate = useNavigate()
    const networks = useNetworkChoices()
    const [draft, setDraft] = useState<Draft>(blank)
    const [failure, setFailure] = useState<Trouble>()
    const [busy, setBusy] = useState(false)
    const complete: Draft = { ...draft, network: draft.network || networks[0]?.value || '' }
    const change = (part: Partial<Draft>): void => setDraft(d => ({ ...d, ...part }))
    if (!may('vm.create')) return <Forbidden />

    const make = async (): Promise<void> => {
        setBusy(true)
        setFailure(undefined)
        try {
            const answer = await clientOf(VmService).create(requestOf(complete, await hashed(draft.password)))
            begun(answer)
            void navigate(
                answer.object
                    ? { to: '/vms/$vm' as string, params: { vm: answer.object } as never }
                    : { to: '/vms' as string },
            )
        } catch (thrown) {
            setFailure(troubleOf(thrown))
            setBusy(false)
        }
    }
    return (
        <div ref={namedByItsWords} className="dv-wizard-place">
            <Wizard
                height="100%"
                isVisitRequired
                className="dv-wizard"
                header={<WizardHeader title={n.title} isCloseHidden titleId="create-title" />}
                navAriaLabel={n.title}
            >
                <WizardStep
                    name={n.source}
                    id="source"
                    footer={
                        <Footer
                            stop={missing(complete, 1) !== ''}
                            cancel={() => void navigate({ to: '/vms' as string })}
                        />
                    }
                >
                    <Form className="dv-form" onSubmit={event => event.preventDefault()}>
                        <SourceStep draft={complete} change={change} />
                    </Form>
                </WizardStep>
                <WizardStep
                    name={n.size}
                    id="size"
                    footer={
                        <Footer
                            stop={missing(complete, 2) !== ''}
                            cancel={() => void navigate({ to: '/vms' as string })}
                        />
                    }
                >
                    <Form className="dv-form" onSubmit={event => event.preventDefault()}>
                        <SizeStep draft={complete} change={change} networks={networks} />
                    </Form>
                </WizardStep>
                <WizardStep
                    name={n.review}
                    id="review"
                    footer={
                        <Footer
                            last={() => void make()}
                            busy={busy}
                            cancel={() => void navigate({ to: '/vms' as string })}
                        />
                    }
                >
                    <Review draft={complete} failure={failure} />
                </WizardStep>
            </Wizard>
        </div>
    )
}

/** PatternFly calls the toggle of a narrow screen 'Wizard toggle': no word of any catalogue, and not what it shows. */
const namedByItsWords = (place: HTMLDivElement | null): void =>
    place?.querySelector('.pf-v6-c-wizard__toggle')?.removeAttribute('aria-label')

/** Next or create, back, cancel. */
function Footer(props: { stop?: boolean; last?: () => void; busy?: boolean; cancel: () => void }) {
    const wizard = useWizardContext()
    const first = wizard.activeStep.index === 1
    return (
        <WizardFooterWrapper>
            <Button
                variant="primary"
                data-action={props.last ? 'create' : 'next'}
                isDisabled={props.stop || props.busy}
                isLoading={props.busy}
                onClick={() => (props.last ? props.last() : void wizard.goToNextStep())}
            >
                {props.last ? n.make : n.next}
            </Button>
            {!first && (
                <Button variant="secondary" isDisabled={props.busy} onClick={() => void wizard.goToPrevStep()}>
                    {n.back}
                </Button>
            )}
            <Button variant="link" onClick={props.cancel}>
                {common.cancel}
            </Button>
        </WizardFooterWrapper>
    )
}

function Review(props: { draft: Draft; failure?: Trouble }) {
    const { draft } = props
    const asked = useRef(Math.random())
    const plan = useQuery({
        queryKey: ['create-plan', asked.current, draft],
        queryFn: async ({ signal }) =>
            clientOf(VmService).create({ ...requestOf(draft, await hashed(draft.password)), dryRun: true }, { signal }),
        retry: false,
        gcTime: 0,
    })
    return (
        <div className="dv-form">
            {props.failure && <TroubleNote trouble={props.failure} />}
            <Section title={common.whatHappens}>
                {plan.isError ? (
                    <TroubleNote trouble={troubleOf(plan.error)} retry={() => void plan.refetch()} />
                ) : plan.data ? (
                    <PlanView answer={plan.data} />
                ) : (
                    <Loading />
                )}
            </Section>
            <Section title={n.same}>
                <SameBlocks call={callOfDraft(draft)} />
            </Section>
            <span className="dv-hidden">{fill(n.ready, { name: draft.name })}</span>
        </div>
    )
}
