// The questions about storage: import, new disk, new pool, copy, convert, enlarge.
import { useState } from 'react'
import { ImageService, type Volume } from '../../gen/proto/capabilities/image/image_pb.js'
import { callOf, commandOf } from '../call.panel.tsx'
import { CheckField, ChoiceField, needSize, SizeField, TextField } from '../fields.panel.tsx'
import { bytes } from '../format.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { useReplace } from './replace.panel.tsx'
import { words } from './words.panel.tsx'

const idOf = ({ pool, name }: Volume): string => `${pool}/${name}`
export const choices = (names: readonly string[]) => names.map(name => ({ value: name, label: name }))

interface InPool {
    pools: string[]
    pool: string
    close: () => void
}

export function ImportDialog(props: InPool) {
    const [source, setSource] = useState('')
    const [own, setOwn] = useState<string>()
    const [pool, setPool] = useState(props.pool || props.pools[0] || '')
    const [checksum, setChecksum] = useState('')
    const [format, setFormat] = useState('')
    const guessed =
        source
            .replace(/[?#].*$/, '')
            .split('/')
            .pop() ?? ''
    const name = own ?? guessed
    const replace = useReplace(pool, [name])
    return (
        <FormDialog
            title={words.importTitle}
            submit={words.import}
            close={props.close}
            disabled={source === '' || name === '' || !replace.agreed}
            call={() => {
                const how = { format, checksum: checksum.trim(), overwrite: replace.overwrite }
                return callOf(
                    ImageService.method.import,
                    { source: source.trim(), pool, name, ...how },
                    commandOf('image import', [source.trim(), `${pool}/${name}`], how),
                )
            }}
        >
            <TextField
                name="source"
                label={words.source}
                help={words.sourceHelp}
                value={source}
                change={setSource}
                type="url"
                required
                focus
            />
            <TextField name="name" label={words.name} value={name} change={setOwn} required />
            <ChoiceField
                name="pool"
                label={words.toPool}
                value={pool}
                change={setPool}
                choices={choices(props.pools)}
            />
            <TextField
                name="checksum"
                label={`${words.checksum} (${common.optional})`}
                help={words.checksumHelp}
                value={checksum}
                change={setChecksum}
            />
            <ChoiceField
                name="format"
                label={words.sourceFormat}
                value={format}
                change={setFormat}
                choices={[
                    { value: '', label: words.byName },
                    ...choices(['qcow2', 'raw', 'iso', 'vmdk', 'vdi', 'vhdx']),
                ]}
            />
            {replace.field}
        </FormDialog>
    )
}

export function NewDiskDialog(props: InPool) {
    const [name, setName] = useState('')
    const [pool, setPool] = useState(props.pool || props.pools[0] || '')
    const [size, setSize] = useState('20G')
    const [format, setFormat] = useState('qcow2')
    return (
        <FormDialog
            title={words.newDisk}
            submit={common.create}
            close={props.close}
            disabled={name === ''}
            call={() =>
                callOf(
                    ImageService.method.createVolume,
                    { pool, name, capacityBytes: needSize(size), format },
                    commandOf('image create', [`${pool}/${name}`, size.trim()], { format }),
                )
            }
        >
            <TextField name="name" label={words.name} value={name} change={setName} required focus />
            <SizeField name="size" label={words.size} value={size} change={setSize} required />
            <ChoiceField name="pool" label={words.pool} value={pool} change={setPool} choices={choices(props.pools)} />
            <ChoiceField
                name="format"
                label={words.format}
                value={format}
                change={setFormat}
                choices={choices(['qcow2', 'raw'])}
            />
        </FormDialog>
    )
}

export function NewPoolDialog(props: { close: () => void }) {
    const [name, setName] = useState('')
    const [path, setPath] = useState('')
    return (
        <FormDialog
            title={words.poolTitle}
            submit={common.add}
            close={props.close}
            disabled={name === '' || path === ''}
            call={() => callOf(ImageService.method.createPool, { name, path }, commandOf('pool create', [name, path]))}
        >
            <TextField name="name" label={words.name} value={name} change={setName} required focus />
            <TextField name="path" label={words.path} help={words.pathHelp} value={path} change={setPath} required />
        </FormDialog>
    )
}

interface OfVolume {
    volume: Volume
    close: () => void
}

/** 'a.qcow2' becomes 'a-copy.qcow2', or with another ending. */
const nextName = (name: string, suffix: string, ending?: string): string => {
    const at = name.lastIndexOf('.')
    const stem = at > 0 ? name.slice(0, at) : name
    return `${stem}${suffix}${ending !== undefined ? `.${ending}` : at > 0 ? name.slice(at) : ''}`
}

export function CloneDialog(props: OfVolume & { pools: string[] }) {
    const { volume } = props
    const [name, setName] = useState(nextName(volume.name, '-copy'))
    const [toPool, setPool] = useState(volume.pool)
    const [linked, setLinked] = useState(false)
    return (
        <FormDialog
            title={fill(words.cloneTitle, { name: volume.name })}
            submit={words.clone}
            close={props.close}
            disabled={name === ''}
            call={() =>
                callOf(
                    ImageService.method.cloneVolume,
                    { pool: volume.pool, volume: volume.name, name, toPool, linked },
                    commandOf('image clone', [idOf(volume), `${toPool}/${name}`], { linked }),
                )
            }
        >
            <TextField name="name" label={words.newName} value={name} change={setName} required focus />
            <ChoiceField
                name="toPool"
                label={words.toPool}
                value={toPool}
                change={setPool}
                choices={choices(props.pools)}
            />
            {volume.purpose === 'disk' && (
                <CheckField
                    name="linked"
                    label={fill(words.linked, { name: volume.name })}
                    value={linked}
                    change={setLinked}
                />
            )}
        </FormDialog>
    )
}

export function ConvertDialog(props: OfVolume & { pools: string[] }) {
    const { volume } = props
    const [format, setFormat] = useState(volume.format === 'qcow2' ? 'raw' : 'qcow2')
    const [own, setOwn] = useState<string>()
    const [toPool, setPool] = useState(volume.pool)
    const name = own ?? nextName(volume.name, '', format)
    return (
        <FormDialog
            title={fill(words.convertTitle, { name: volume.name })}
            submit={words.convert}
            close={props.close}
            disabled={name === ''}
            call={() =>
                callOf(
                    ImageService.method.convert,
                    { pool: volume.pool, volume: volume.name, format, name, toPool },
                    commandOf('image convert', [idOf(volume), `${toPool}/${name}`], { format }),
                )
            }
        >
            <ChoiceField
                name="format"
                label={words.target}
                value={format}
                change={setFormat}
                choices={choices(['qcow2', 'raw', 'vmdk', 'vdi', 'vhdx'].filter(f => f !== volume.format))}
            />
            <TextField name="name" label={words.newName} value={name} change={setOwn} required />
            <ChoiceField
                name="toPool"
                label={words.toPool}
                value={toPool}
                change={setPool}
                choices={choices(props.pools)}
            />
        </FormDialog>
    )
}

export function ResizeDialog({ volume, close }: OfVolume) {
    const [size, setSize] = useState(bytes(volume.capacityBytes))
    return (
        <FormDialog
            title={fill(words.resizeTitle, { name: volume.name })}
            submit={words.resize}
            close={close}
            call={() =>
                callOf(
                    ImageService.method.resizeVolume,
                    { pool: volume.pool, volume: volume.name, capacityBytes: needSize(size) },
                    commandOf('image resize', [idOf(volume), size.trim()]),
                )
            }
        >
            <SizeField name="size" label={words.newSize} value={size} change={setSize} required />
        </FormDialog>
    )
}
