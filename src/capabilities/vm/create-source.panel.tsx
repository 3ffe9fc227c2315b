// The first screen of create: what to start from, and the name.
import { Button, FormGroup, Radio } from '@patternfly/react-core'
import type { Volume } from '../../gen/proto/capabilities/image/image_pb.js'
import { TextField } from '../fields.panel.tsx'
import { bytes } from '../format.panel.tsx'
import { Anchor, Loading, Quiet, TroubleNote } from '../parts.panel.tsx'
import type { Draft } from './draft.panel.tsx'
import { useVolumes, volumeId } from './sources.panel.tsx'
import { words } from './words.panel.tsx'

const n = words.new

interface StepProps {
    draft: Draft
    change: (part: Partial<Draft>) => void
}

const kinds = [
    { kind: 'image', label: n.fromImage, help: n.fromImageHelp },
    { kind: 'iso', label: n.fromIso, help: n.fromIsoHelp },
    { kind: 'empty', label: n.fromEmpty, help: n.fromEmptyHelp },
] as const

/** 'debian-13-genericcloud-amd64.qcow2' begins a machine called 'debian-13'. */
const nameFrom = (volume: Volume): string =>
    volume.name
        .replace(/\.(qcow2|img|raw|iso|vmdk|vdi|vhdx)$/i, '')
        .replace(/[^A-Za-z0-9.-]+/g, '-')
        .replace(/[-.](amd64|x86_64|arm64|genericcloud|generic|cloudimg|server|netinst|latest)/gi, '')
        .slice(0, 40)

export function SourceStep({ draft, change }: StepProps) {
    const { images, isos, loaded, trouble, retry } = useVolumes()
    const volumes = draft.kind === 'image' ? images : isos
    const choose = (volume: Volume): void => {
        const before = [...images, ...isos].map(v => `${nameFrom(v)}-1`)
        const own = draft.name !== '' && !before.includes(draft.name)
        const grows = draft.kind === 'image' && volume.capacityBytes > 20n * 1024n ** 3n
        change({
            source: volumeId(volume),
            name: own ? draft.name : `${nameFrom(volume)}-1`,
            disk: grows ? '' : draft.disk || '20G',
            os: /win/i.test(volume.name) ? 'windows' : draft.os,
        })
    }
    return (
        <>
            <FormGroup role="radiogroup" label={n.from}>
                <div className="dv-row">
                    {kinds.map(k => (
                        <Radio
                            key={k.kind}
                            id={`from-${k.kind}`}
                            name="from"
                            data-from={k.kind}
                            label={k.label}
                            description={k.help}
                            isChecked={draft.kind === k.kind}
                            onChange={() => change({ kind: k.kind, source: '', disk: draft.disk || '20G' })}
                        />
                    ))}
                </div>
            </FormGroup>
            {draft.kind !== 'empty' && (
                <FormGroup role="radiogroup" label={draft.kind === 'image' ? n.fromImage : n.fromIso} isRequired>
                    {!loaded && !trouble && <Loading />}
                    {trouble && <TroubleNote trouble={trouble} retry={retry} />}
                    {loaded && volumes.length === 0 && (
                        <div className="dv-inline">
                            <Quiet>{draft.kind === 'image' ? n.noImages : n.noIsos}</Quiet>
                            <Button variant="link" isInline component={Anchor} href="/images">
                                {n.getOne}
                            </Button>
                        </div>
                    )}
                    <div className={volumes.length > 0 ? 'dv-choices' : undefined}>
                        {volumes.map(volume => (
                            <Radio
                                key={volumeId(volume)}
                                id={`source-${volumeId(volume)}`}
                                name="source"
                                data-source={volumeId(volume)}
                                label={volume.name}
                                description={`${volume.pool} · ${bytes(volume.capacityBytes)}`}
                                isChecked={draft.source === volumeId(volume)}
                                onChange={() => choose(volume)}
                            />
                        ))}
                    </div>
                </FormGroup>
            )}
            <TextField
                name="name"
                label={n.name}
                help={n.nameHelp}
                value={draft.name}
                change={name => change({ name })}
                required
            />
        </>
    )
}
