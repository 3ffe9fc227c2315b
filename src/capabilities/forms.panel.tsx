// A form in a dialog, which stays open with the server's words when that refuses.
import { Button, Form, Modal, ModalBody, ModalFooter, ModalHeader } from '@patternfly/react-core'
import { lazy, type ReactNode, Suspense, useId, useState } from 'react'
import type { Begun } from '../gen/proto/capabilities/debvisor_pb.js'
import { begun } from './act.panel.tsx'
import type { Call } from './call.panel.tsx'
import type { Trouble } from './client.panel.tsx'
import { troubleIn } from './fields.panel.tsx'
import { TroubleNote } from './parts.panel.tsx'
import { common } from './words.panel.tsx'

const Same = lazy(() => import('./same.panel.tsx'))

/** A form in a dialog. It stays open with the server's words when that refuses. */
export function FormDialog(props: {
    title: string
    submit: string
    close: () => void
    /** What it does: work of its own, or one call, which is then shown to be copied, too. */
    run?: () => Promise<unknown>
    call?: () => Call
    /** Told when the call went well, with its answer. */
    done?: (answer: unknown) => void
    children: ReactNode
    description?: ReactNode
    danger?: boolean
    disabled?: boolean
    wide?: boolean
    /** It does not close when it went well: there is a next step in it. */
    stays?: boolean
}) {
    const [busy, setBusy] = useState(false)
    const [failure, setFailure] = useState<Trouble>()
    const formId = useId()
    const submit = async (): Promise<void> => {
        setBusy(true)
        setFailure(undefined)
        try {
            const answer = await (props.call ? props.call().send() : props.run?.())
            props.done?.(answer)
            if (answer && typeof answer === 'object' && 'task' in answer) begun(answer as Begun)
            if (props.stays) setBusy(false)
            else props.close()
        } catch (thrown) {
            setFailure(troubleIn(thrown))
            setBusy(false)
        }
    }
    return (
        <Modal
            isOpen
            variant={props.wide ? 'medium' : 'small'}
            onClose={props.close}
            aria-labelledby={`${formId}-title`}
        >
            <ModalHeader title={props.title} labelId={`${formId}-title`} description={props.description} />
            <ModalBody>
                <Form
                    id={formId}
                    onSubmit={event => {
                        event.preventDefault()
                        if (!busy && !props.disabled) void submit()
                    }}
                >
                    {failure && <TroubleNote trouble={failure} />}
                    {props.children}
                    {props.call && (
                        <Suspense>
                            <Same call={props.call} />
                        </Suspense>
                    )}
                </Form>
            </ModalBody>
            <ModalFooter>
                <Button
                    type="submit"
                    form={formId}
                    variant={props.danger ? 'danger' : 'primary'}
                    isLoading={busy}
                    isDisabled={busy || props.disabled}
                    data-action="submit"
                >
                    {props.submit}
                </Button>
                <Button variant="link" onClick={props.close}>
                    {common.cancel}
                </Button>
            </ModalFooter>
        </Modal>
    )
}
