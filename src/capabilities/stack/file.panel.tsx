// The file of a stack and its variables: changed, its plan read, and kept as a new version.
import { Button } from '@patternfly/react-core'
import { useEffect, useState } from 'react'
import { StackService } from '../../gen/proto/capabilities/stack/stack_pb.js'
import { act, openDialog } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { TextField } from '../fields.panel.tsx'
import { Quiet, Section } from '../parts.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { fill } from '../words.panel.tsx'
import { EditYaml } from '../yaml-edit.panel.tsx'
import type { TabProps } from './detail.panel.tsx'
import { type Edited, EditVariables, editedVariables, sentVariables } from './variables.panel.tsx'
import { words } from './words.panel.tsx'

const w = words.file
const api = clientOf(StackService)

/** The editor with what the node finds wrong. */
export const EditFile = (props: { stack: string; text: string; change: (text: string) => void }) => (
    <EditYaml
        label={w.label}
        text={props.text}
        change={props.change}
        check={async (composeFile, signal) =>
            (await api.check({ stack: props.stack, composeFile }, { signal })).findings
        }
        schemaKey="stack"
        schema={async signal => (await api.getSchema({}, { signal })).json}
    />
)

export default function File({ stack, detail }: TabProps) {
    const [base, setBase] = useState({ version: stack.version, file: detail.composeFile, of: detail.environment })
    const [text, setText] = useState(base.file)
    const [variables, setVariables] = useState<readonly Edited[]>(() => editedVariables(base.of))
    const [note, setNote] = useState('')
    const sent = sentVariables(variables)
    const changed =
        text !== base.file || JSON.stringify(sent) !== JSON.stringify(sentVariables(editedVariables(base.of)))
    const start = (): void => {
        setBase({ version: detail.stack?.version ?? stack.version, file: detail.composeFile, of: detail.environment })
        setText(detail.composeFile)
        setVariables(editedVariables(detail.environment))
        setNote('')
    }
    // A version that came meanwhile is shown, unless something is being written here: then its change is refused, in words.
    const newest = detail.stack?.version
    // biome-ignore lint/correctness/useExhaustiveDependencies: another version is the event
    useEffect(() => {
        if (!changed && newest !== base.version) start()
    }, [newest])
    const ask = (up: boolean) => (dryRun: boolean) =>
        api.update({
            ...{ stack: stack.name, base: base.version, composeFile: text, environment: sent },
            ...{ note, up, dryRun },
        })
    const saved = (): void => setBase({ version: base.version + 1, file: text, of: sent as never })
    return (
        <>
            <Section
                title={w.title}
                actions={
                    <>
                        <span className="dv-quiet" data-changed={changed}>
                            {changed ? w.changed : w.unchanged}
                        </span>
                        {changed && (
                            <>
                                <Button variant="link" data-action="discard" onClick={start}>
                                    {w.discard}
                                </Button>
                                <Button
                                    variant="secondary"
                                    data-action="keep"
                                    onClick={() => void act(() => ask(false)(false), w.kept).then(ok => ok && saved())}
                                >
                                    {w.save}
                                </Button>
                            </>
                        )}
                        <Button
                            data-action="show-plan"
                            isDisabled={!changed}
                            onClick={() =>
                                openDialog(close => (
                                    <PlanDialog
                                        title={fill(w.planTitle, { name: stack.name })}
                                        submit={w.apply}
                                        ask={ask(true)}
                                        close={close}
                                        done={saved}
                                        calm
                                    />
                                ))
                            }
                        >
                            {w.plan}
                        </Button>
                    </>
                }
            >
                <EditFile stack={stack.name} text={text} change={setText} />
                {changed && <TextField name="note" label={w.note} value={note} change={setNote} />}
            </Section>
            <Section title={words.variables.title}>
                <Quiet>{words.variables.help}</Quiet>
                <EditVariables of={variables} change={setVariables} />
            </Section>
        </>
    )
}
