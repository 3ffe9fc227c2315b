// Taking in a stack that Compose runs already: its file is given, and checked against what runs.
import { useState } from 'react'
import { type Stack, StackService } from '../../gen/proto/capabilities/stack/stack_pb.js'
import { clientOf } from '../client.panel.tsx'
import { TextField } from '../fields.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { fill } from '../words.panel.tsx'
import { type Edited, EditVariables, sentVariables } from './variables.panel.tsx'
import { words } from './words.panel.tsx'

export function TakeInDialog(props: { stack: Stack; close: () => void }) {
    const { name, files } = props.stack
    const [file, setFile] = useState('')
    const [variables, setVariables] = useState<readonly Edited[]>([])
    return (
        <FormDialog
            title={fill(words.takeInTitle, { name })}
            description={[words.foreignHelp, files.length > 0 && fill(words.foreignFiles, { files: files.join(', ') })]
                .filter(Boolean)
                .join(' ')}
            submit={words.takeIn}
            close={props.close}
            disabled={file.trim() === ''}
            wide
            run={() =>
                clientOf(StackService).import({ name, composeFile: file, environment: sentVariables(variables) })
            }
        >
            <TextField
                name="file"
                label={words.file.title}
                long
                rows={12}
                value={file}
                change={setFile}
                required
                focus
            />
            <EditVariables of={variables} change={setVariables} />
        </FormDialog>
    )
}
