// The questions about images, volumes and networks of containers, and about cleaning up.
import { FormGroup } from '@patternfly/react-core'
import { useState } from 'react'
import { ContainerService } from '../../gen/proto/capabilities/container/container_pb.js'
import {
    ContainerImageService,
    ContainerNetworkService,
    ContainerRegistryService,
    ContainerVolumeService,
} from '../../gen/proto/capabilities/container/stores_pb.js'
import { notify } from '../act.panel.tsx'
import { clientOf, type Trouble } from '../client.panel.tsx'
import { CheckField, refuse, TextField } from '../fields.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { words } from './words.panel.tsx'

interface Props {
    close: () => void
}

export function PullDialog({ close }: Props) {
    const [reference, setReference] = useState('')
    return (
        <FormDialog
            title={words.pull}
            submit={words.pull}
            close={close}
            disabled={reference.trim() === ''}
            run={() => clientOf(ContainerImageService).pull({ reference: reference.trim() })}
        >
            <TextField
                name="reference"
                label={words.pullName}
                help={words.pullHelp}
                value={reference}
                change={setReference}
                focus
                required
            />
        </FormDialog>
    )
}

/** The file goes straight to Docker; the answer comes when the image is there. */
export function ImportDialog({ close }: Props) {
    const [reference, setReference] = useState('')
    const [file, setFile] = useState<File>()
    return (
        <FormDialog
            title={words.import}
            submit={words.import}
            close={close}
            disabled={!file}
            run={async () => {
                const asked = { reference: reference.trim(), sizeBytes: BigInt(file!.size) }
                const { path } = await clientOf(ContainerImageService).beginImport(asked)
                const answer = await fetch(path, { method: 'PUT', body: file })
                if (answer.ok) return notify('success', words.imported, { detail: file!.name })
                const problem = (await answer.json().catch(() => ({}))) as Partial<Trouble>
                refuse(problem.summary ?? words.importFailed, problem.detail, problem.fix)
            }}
        >
            <FormGroup label={words.importFile} fieldId="image-file" isRequired>
                <input type="file" id="image-file" onChange={event => setFile(event.target.files?.[0])} />
            </FormGroup>
            <TextField
                name="reference"
                label={`${words.importName} (${common.optional})`}
                help={words.importHelp}
                value={reference}
                change={setReference}
            />
        </FormDialog>
    )
}

export function RegistryDialog({ close }: Props) {
    const [server, setServer] = useState('')
    const [user, setUser] = useState('')
    const [passwordFile, setFile] = useState('/etc/debvisor/secrets/')
    const askAgain = useAskAgain()
    return (
        <FormDialog
            title={words.setRegistry}
            submit={common.save}
            close={close}
            disabled={server === '' || user === ''}
            run={async () => {
                await clientOf(ContainerRegistryService).set({ registry: { server, user, passwordFile } })
                askAgain(['container-registries'])
                notify('success', words.registrySet, { detail: server })
            }}
        >
            <TextField
                name="server"
                label={words.registry}
                help={words.registryHelp}
                value={server}
                change={setServer}
                focus
                required
            />
            <TextField name="user" label={words.registryUser} value={user} change={setUser} required />
            <TextField
                name="password_file"
                label={words.registryFile}
                help={words.registryFileHelp}
                value={passwordFile}
                change={setFile}
                required
            />
        </FormDialog>
    )
}

export function TagDialog({ close, reference }: Props & { reference: string }) {
    const [name, setName] = useState('')
    return (
        <FormDialog
            title={fill(words.tagTitle, { name: reference })}
            submit={common.save}
            close={close}
            disabled={name.trim() === ''}
            run={() => clientOf(ContainerImageService).tag({ reference, newReference: name.trim() })}
        >
            <TextField
                name="new_reference"
                label={words.newName}
                help={words.pullHelp}
                value={name}
                change={setName}
                focus
            />
        </FormDialog>
    )
}

export function VolumeDialog({ close }: Props) {
    const [name, setName] = useState('')
    return (
        <FormDialog
            title={words.createVolume}
            submit={common.create}
            close={close}
            disabled={name === ''}
            run={() => clientOf(ContainerVolumeService).create({ name })}
        >
            <TextField name="name" label={common.name} value={name} change={setName} focus required />
        </FormDialog>
    )
}

export function NetworkDialog({ close }: Props) {
    const [name, setName] = useState('')
    const [subnet, setSubnet] = useState('')
    const [internal, setInternal] = useState(false)
    return (
        <FormDialog
            title={words.createNetwork}
            submit={common.create}
            close={close}
            disabled={name === ''}
            run={() => clientOf(ContainerNetworkService).create({ name, subnet, internal })}
        >
            <TextField name="name" label={common.name} value={name} change={setName} focus required />
            <TextField name="subnet" label={words.subnet} help={words.subnetHelp} value={subnet} change={setSubnet} />
            <CheckField name="internal" label={words.internal} value={internal} change={setInternal} />
        </FormDialog>
    )
}

export function PruneDialog({ close }: Props) {
    const [containers, setContainers] = useState(true)
    const [images, setImages] = useState(true)
    const [namedImages, setNamed] = useState(false)
    const [volumes, setVolumes] = useState(false)
    const [networks, setNetworks] = useState(true)
    const asked = { containers, images, namedImages, volumes, networks }
    return (
        <PlanDialog
            title={words.pruneTitle}
            submit={words.prune}
            close={close}
            typed={words.pruneWord}
            basis={JSON.stringify(asked)}
            ask={dryRun => clientOf(ContainerService).prune({ ...asked, dryRun })}
        >
            <CheckField name="containers" label={words.pruneContainers} value={containers} change={setContainers} />
            <CheckField name="images" label={words.pruneImages} value={images} change={setImages} />
            <CheckField name="named_images" label={words.pruneNamed} value={namedImages} change={setNamed} />
            <CheckField name="volumes" label={words.pruneVolumes} value={volumes} change={setVolumes} />
            <CheckField name="networks" label={words.pruneNetworks} value={networks} change={setNetworks} />
        </PlanDialog>
    )
}
