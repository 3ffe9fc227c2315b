// Files out of a container and into it, by the paths that the server gives for a minute.
import { Button, FormGroup } from '@patternfly/react-core'
import { useRef, useState } from 'react'
import { ContainerService } from '../../gen/proto/capabilities/container/container_pb.js'
import { notify, notifyTrouble } from '../act.panel.tsx'
import { clientOf, type Trouble, troubleOf } from '../client.panel.tsx'
import { TextField } from '../fields.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { EmptyHint, Section } from '../parts.panel.tsx'
import type { TabProps } from './detail.panel.tsx'
import { covered } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const w = words.file
const api = clientOf(ContainerService)

export default function Files({ container: one }: TabProps) {
    const may = useMay()
    const [path, setPath] = useState('')
    const [folder, setFolder] = useState('/tmp')
    const [busy, setBusy] = useState(false)
    const chosen = useRef<HTMLInputElement>(null)
    if (one.marks.length > 0 && !may('container.host', covered(one)))
        return <EmptyHint title={words.hostOnly} body={words.hostOnlyHelp} />

    const doing = async (work: () => Promise<void>): Promise<void> => {
        setBusy(true)
        try {
            await work()
        } catch (thrown) {
            notifyTrouble(troubleOf(thrown))
        }
        setBusy(false)
    }
    const fetchIt = () =>
        doing(async () => {
            const begun = await api.beginDownload({ container: one.id, path })
            const link = document.createElement('a')
            link.href = begun.path
            link.download = begun.name
            link.click()
        })
    const send = () =>
        doing(async () => {
            const file = chosen.current?.files?.[0]
            if (!file) return
            const asked = { container: one.id, folder, name: file.name, sizeBytes: BigInt(file.size) }
            const { path: to } = await api.beginUpload(asked)
            const answer = await fetch(to, { method: 'PUT', body: file })
            if (answer.ok) return notify('success', w.sent, { detail: `${folder.replace(/\/$/, '')}/${file.name}` })
            const problem = (await answer.json().catch(() => ({}))) as Partial<Trouble>
            notify('danger', problem.summary ?? w.failed, { detail: problem.detail, fix: problem.fix })
        })
    return (
        <div className="dv-two">
            <Section title={w.download}>
                <TextField name="path" label={w.path} help={w.pathHelp} value={path} change={setPath} />
                <Button
                    variant="primary"
                    isDisabled={busy || path === ''}
                    data-action="fetch"
                    onClick={() => void fetchIt()}
                >
                    {w.fetch}
                </Button>
            </Section>
            <Section title={w.upload}>
                <FormGroup label={w.choose} fieldId="container-file">
                    <input type="file" id="container-file" ref={chosen} />
                </FormGroup>
                <TextField name="folder" label={w.folder} help={w.folderHelp} value={folder} change={setFolder} />
                <Button
                    variant="primary"
                    isDisabled={busy || folder === ''}
                    data-action="send"
                    onClick={() => void send()}
                >
                    {w.send}
                </Button>
            </Section>
        </div>
    )
}
