// Uploading by drag or choice: the drop zone, the question where to, and the list with progress.
import { Button, Progress } from '@patternfly/react-core'
import { type DragEvent, type ReactNode, useId, useRef, useState } from 'react'
import { ChoiceField, TextField } from '../fields.panel.tsx'
import { bytes, duration, rate } from '../format.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { Section, TroubleNote } from '../parts.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { choices } from './dialogs.panel.tsx'
import { useReplace } from './replace.panel.tsx'
import { drop, isOpen, pause, resume, type Upload, upload, useUploads } from './uploads.panel.tsx'
import { words } from './words.panel.tsx'

/** The whole page takes files. */
export function DropZone(props: { enabled: boolean; onFiles: (files: File[]) => void; children: ReactNode }) {
    const [over, setOver] = useState(false)
    const depth = useRef(0)
    if (!props.enabled) return props.children
    const has = (event: DragEvent): boolean => event.dataTransfer.types.includes('Files')
    return (
        // biome-ignore lint/a11y/noStaticElementInteractions: dropping is an extra; the Upload button does the same by keyboard
        <div
            className="dv-drop"
            data-drop
            onDragEnter={event => {
                if (!has(event)) return
                depth.current++
                setOver(true)
            }}
            onDragOver={event => has(event) && event.preventDefault()}
            onDragLeave={() => {
                depth.current = Math.max(0, depth.current - 1)
                if (depth.current === 0) setOver(false)
            }}
            onDrop={event => {
                event.preventDefault()
                depth.current = 0
                setOver(false)
                const files = [...event.dataTransfer.files]
                if (files.length > 0) props.onFiles(files)
            }}
        >
            {props.children}
            {over && <div className="dv-drop-veil">{words.dropNow}</div>}
        </div>
    )
}

const NAME_MAX = 128

/** File names may hold what volume names may not, and be longer; the ending stays, since it tells the format. */
export function volumeName(name: string): string {
    const whole = name.replace(/[^A-Za-z0-9._+-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '')
    const ending = /\.[A-Za-z0-9]{1,8}$/.exec(whole)?.[0] ?? ''
    return whole.slice(0, whole.length - ending.length).slice(0, NAME_MAX - ending.length) + ending
}

export function UploadDialog(props: { files: File[]; pools: string[]; pool: string; close: () => void }) {
    const [files, setFiles] = useState(props.files)
    const [pool, setPool] = useState(props.pool || props.pools[0] || '')
    const [own, setOwn] = useState<string>()
    const [checksum, setChecksum] = useState('')
    const input = useId()
    const single = files.length === 1 ? files[0] : undefined
    const nameOf = (file: File): string => (file === single ? (own ?? volumeName(file.name)) : volumeName(file.name))
    const replace = useReplace(pool, files.map(nameOf))
    return (
        <FormDialog
            title={words.upload}
            submit={words.upload}
            close={props.close}
            disabled={files.length === 0 || files.some(file => nameOf(file) === '') || !replace.agreed}
            run={async () => {
                for (const file of files) {
                    await upload({
                        file,
                        pool,
                        name: nameOf(file),
                        overwrite: replace.overwrite,
                        checksum: single ? checksum.trim() : '',
                    })
                    // What has begun is not begun again when the next one is refused.
                    setFiles(rest => rest.filter(one => one !== file))
                }
            }}
        >
            <div className="dv-pick">
                <label htmlFor={input} className="pf-v6-c-button pf-m-secondary">
                    <span className="pf-v6-c-button__text">{words.choose}</span>
                </label>
                <input
                    id={input}
                    className="dv-file"
                    type="file"
                    multiple
                    accept=".qcow2,.img,.raw,.iso,.vmdk,.vdi,.vhdx"
                    onChange={event => {
                        setFiles([...(event.target.files ?? [])])
                        setOwn(undefined)
                    }}
                />
                {files.map(file => (
                    <div key={file.name} className="dv-anywhere">
                        {file.name} <span className="dv-quiet">{bytes(file.size)}</span>
                    </div>
                ))}
            </div>
            {single && <TextField name="name" label={words.name} value={nameOf(single)} change={setOwn} required />}
            <ChoiceField
                name="pool"
                label={words.toPool}
                value={pool}
                change={setPool}
                choices={choices(props.pools)}
            />
            {single && (
                <TextField
                    name="checksum"
                    label={`${words.checksum} (${common.optional})`}
                    help={words.checksumHelp}
                    value={checksum}
                    change={setChecksum}
                />
            )}
            {replace.field}
        </FormDialog>
    )
}

export function UploadList() {
    const uploads = useUploads()
    if (uploads.length === 0) return null
    return (
        <Section title={words.uploads}>
            {uploads.map(u => (
                <UploadRow key={u.id} upload={u} />
            ))}
        </Section>
    )
}

function UploadRow({ upload: u }: { upload: Upload }) {
    const left = u.bytesPerSecond > 0 ? duration(((u.sizeBytes - u.sentBytes) / u.bytesPerSecond) * 1000) : ''
    const moving = u.state === 'sending' && left !== ''
    const stateWords = {
        sending: moving ? fill(words.rateLeft, { rate: rate(u.bytesPerSecond), left }) : words.uploading,
        paused: words.paused,
        checking: words.checkingFile,
        done: words.uploaded,
        failed: words.uploadFailed,
    }
    return (
        <div className="dv-upload" data-upload={u.name} data-upload-state={u.state}>
            <Progress
                title={u.name}
                value={u.sizeBytes > 0 ? (u.sentBytes / u.sizeBytes) * 100 : 100}
                label={fill(words.progress, { done: bytes(u.sentBytes), total: bytes(u.sizeBytes) })}
                valueText={fill(words.progress, { done: bytes(u.sentBytes), total: bytes(u.sizeBytes) })}
                variant={u.state === 'failed' ? 'danger' : u.state === 'done' ? 'success' : undefined}
                size="sm"
            />
            <div className="dv-inline">
                <span className="dv-quiet">{stateWords[u.state]}</span>
                {u.state === 'sending' && (
                    <Button variant="link" isInline onClick={() => pause(u.id)}>
                        {words.pause}
                    </Button>
                )}
                {u.state === 'failed' && isOpen(u) && (
                    <Button variant="link" isInline onClick={() => resume(u.id)}>
                        {common.retry}
                    </Button>
                )}
                {u.state === 'paused' && (
                    <Button variant="link" isInline onClick={() => resume(u.id)}>
                        {words.resume}
                    </Button>
                )}
                <Button variant="link" isInline onClick={() => drop(u.id)}>
                    {isOpen(u) ? common.cancel : words.hide}
                </Button>
            </div>
            {u.problem && <TroubleNote trouble={u.problem} />}
        </div>
    )
}
