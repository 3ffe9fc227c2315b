// A shell of root on the node: first who asks says once more who they are, then the terminal.
import { Button, Form, Title } from '@patternfly/react-core'
import { useState } from 'react'
import { ShellService } from '../../gen/proto/capabilities/shell/shell_pb.js'
import { clientOf, type Trouble } from '../client.panel.tsx'
import { useConfirmation } from '../confirm.panel.tsx'
import { troubleIn } from '../fields.panel.tsx'
import type { ObjectTabProps } from '../pages.panel.tsx'
import { TroubleNote } from '../parts.panel.tsx'
import { Terminal } from '../terminal.panel.tsx'
import { fill } from '../words.panel.tsx'
import { words } from './words.panel.tsx'

type Link = keyof typeof words.links

interface Way {
    url: string
    protocols: string[]
}

export default function ShellTab({ name }: ObjectTabProps) {
    const [way, setWay] = useState<Way>()
    const [link, setLink] = useState<Link>('connecting')
    const isOver = link === 'ended' || link === 'refused'
    if (!way)
        return (
            <Ask
                name={name}
                opened={opened => {
                    setLink('connecting')
                    setWay(opened)
                }}
            />
        )
    return (
        <div className="dv-console" data-console={link}>
            <div className="dv-console-bar">
                <span className="dv-quiet" role="status">
                    {words.links[link]}
                </span>
                <span className="dv-console-buttons">
                    {isOver && (
                        <Button
                            variant="primary"
                            size="sm"
                            data-action="another-shell"
                            onClick={() => setWay(undefined)}
                        >
                            {words.again}
                        </Button>
                    )}
                </span>
            </div>
            <Terminal
                label={fill(words.terminalOf, { name })}
                url={way.url}
                protocols={way.protocols}
                tellsSize
                onOpen={() => setLink('connected')}
                onClose={code => setLink(code === 4000 ? 'refused' : 'ended')}
                onHandle={() => {}}
            />
        </div>
    )
}

/** Nothing is opened by coming to this page: a shell of root begins with a decision. */
function Ask(props: { name: string; opened: (way: Way) => void }) {
    const confirmation = useConfirmation()
    const [busy, setBusy] = useState(false)
    const [failure, setFailure] = useState<Trouble>()
    const open = async (): Promise<void> => {
        setBusy(true)
        setFailure(undefined)
        try {
            const { path, ticket } = await confirmation.with(confirmationToken =>
                clientOf(ShellService).open({ confirmationToken }),
            )
            const scheme = window.location.protocol === 'http:' ? 'ws:' : 'wss:'
            const url = `${scheme}//${window.location.host}${path}`
            props.opened({ url, protocols: ['debvisor.console', `ticket.${ticket}`] })
        } catch (thrown) {
            setFailure(troubleIn(thrown))
            setBusy(false)
        }
    }
    return (
        <Form
            className="dv-ask"
            onSubmit={event => {
                event.preventDefault()
                if (!busy && !confirmation.missing) void open()
            }}
        >
            <Title headingLevel="h2" size="lg">
                {fill(words.openTitle, { name: props.name })}
            </Title>
            <p>{words.openText}</p>
            {failure && <TroubleNote trouble={failure} />}
            {confirmation.field}
            <div>
                <Button
                    type="submit"
                    isLoading={busy}
                    isDisabled={busy || confirmation.missing}
                    data-action="open-shell"
                >
                    {words.open}
                </Button>
            </div>
        </Form>
    )
}
