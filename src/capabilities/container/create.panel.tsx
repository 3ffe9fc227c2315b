// Creating a container: the few things that most need, checked by the server as a whole.
import { useState } from 'react'
import { ContainerService } from '../../gen/proto/capabilities/container/container_pb.js'
import { callOf, commandOf, quoted } from '../call.panel.tsx'
import { CheckField, ChoiceField, TextField } from '../fields.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { coresOf, memoryOf, policyChoices } from './actions.panel.tsx'
import { mountOf, pairOf, publishOf } from './cli-words.ts'
import { words } from './words.panel.tsx'

const f = words.form

const linesOf = (text: string): string[] =>
    text
        .split('\n')
        .map(line => line.trim())
        .filter(line => line !== '')

export function CreateDialog(props: { close: () => void }) {
    const [name, setName] = useState('')
    const [image, setImage] = useState('')
    const [command, setCommand] = useState('')
    const [ports, setPorts] = useState('')
    const [mounts, setMounts] = useState('')
    const [environment, setEnvironment] = useState('')
    const [tags, setTags] = useState('')
    const [cpus, setCpus] = useState('')
    const [memory, setMemory] = useState('')
    const [restart, setRestart] = useState('unless-stopped')
    const [start, setStart] = useState(true)
    const call = () => {
        const labels = tags.split(/[\s,]+/).filter(tag => tag !== '')
        const request = {
            ...{ name, image, start, restart },
            command: linesOf(command),
            ports: linesOf(ports).map(publishOf),
            mounts: linesOf(mounts).map(mountOf),
            environment: linesOf(environment).map(line => {
                const [variable, value] = pairOf(line, f.environment)
                return { name: variable, value }
            }),
            tags: labels,
            ...{ cpuLimit: coresOf(cpus), memoryLimitBytes: memoryOf(memory) },
        }
        // What is in the environment may be a secret: a file has it, and no process list.
        const line = commandOf('container create', [name, image], {
            publish: linesOf(ports),
            mount: linesOf(mounts),
            'env-file': environment.trim() === '' ? '' : 'environment',
            ...{ restart, cpus, memory, tag: labels, start },
        })
        const words = linesOf(command).map(quoted)
        return callOf(
            ContainerService.method.create,
            request,
            words.length === 0 ? line : `${line} -- ${words.join(' ')}`,
        )
    }
    return (
        <FormDialog
            title={words.create}
            submit={words.create}
            close={props.close}
            disabled={name === '' || image === ''}
            wide
            call={call}
        >
            <TextField name="name" label={f.name} value={name} change={setName} focus required />
            <TextField name="image" label={f.image} help={f.imageHelp} value={image} change={setImage} required />
            <TextField name="ports" label={f.ports} help={f.portsHelp} long rows={2} value={ports} change={setPorts} />
            <TextField
                name="mounts"
                label={f.mounts}
                help={f.mountsHelp}
                long
                rows={2}
                value={mounts}
                change={setMounts}
            />
            <TextField
                name="environment"
                label={f.environment}
                help={f.environmentHelp}
                long
                rows={2}
                value={environment}
                change={setEnvironment}
            />
            <TextField
                name="command"
                label={f.command}
                help={f.commandHelp}
                long
                rows={2}
                value={command}
                change={setCommand}
            />
            <ChoiceField name="restart" label={f.restart} value={restart} change={setRestart} choices={policyChoices} />
            <TextField name="cpus" label={f.cpus} help={f.limitHelp} value={cpus} change={setCpus} />
            <TextField name="memory" label={f.memory} help={f.limitHelp} value={memory} change={setMemory} />
            <TextField name="tags" label={f.tags} help={f.tagsHelp} value={tags} change={setTags} />
            <CheckField name="start" label={f.start} value={start} change={setStart} />
        </FormDialog>
    )
}
