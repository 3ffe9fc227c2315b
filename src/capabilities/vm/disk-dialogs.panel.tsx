// The questions about a disk: add, enlarge, limit, move, remove, change the ISO.
import { useState } from 'react'
import { type Disk, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { callOf, commandOf, pairsOf } from '../call.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { CheckField, ChoiceField, NumberField, needSize, SizeField } from '../fields.panel.tsx'
import { bytes } from '../format.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import type { Shared } from './device.panel.tsx'
import { isoChoices, usePoolChoices, useVolumes, volumeId } from './sources.panel.tsx'
import { words } from './words.panel.tsx'

const h = words.hw
const api = clientOf(VmService)

interface OfDisk extends Shared {
    disk: Disk
    close: () => void
}

const of = ({ vm, revision }: Shared) => ({ vm: vm.uuid, revision })

export const busChoices = ['virtio', 'scsi', 'sata'].map(bus => ({ value: bus, label: bus }))

export function AddDisk(props: Shared & { close: () => void }) {
    const [kind, setKind] = useState<'new' | 'copy' | 'existing'>('new')
    const [size, setSize] = useState('20G')
    const [volume, setVolume] = useState('')
    const [pool, setPool] = useState('')
    const [bus, setBus] = useState('virtio')
    const pools = usePoolChoices(words.new.defaultPool)
    const { images, disks } = useVolumes()
    const free = disks.filter(v => v.usedBy.length === 0)
    const choices = (kind === 'copy' ? images : free).map(v => ({ value: volumeId(v), label: volumeId(v) }))
    const chosen = volume || choices[0]?.value || ''
    return (
        <FormDialog
            title={h.addDisk}
            submit={common.add}
            close={props.close}
            disabled={kind !== 'new' && chosen === ''}
            call={() => {
                const from = kind === 'copy' ? chosen : ''
                const existing = kind === 'existing' ? chosen : ''
                const sizeBytes = kind === 'new' ? needSize(size) : 0n
                const where = { bus, pool: kind === 'existing' ? '' : pool, from, existing }
                return callOf(
                    VmService.method.attachDisk,
                    { ...of(props), device: 'disk', disk: { ...where, sizeBytes } },
                    commandOf('vm add-disk', [
                        props.vm.name,
                        pairsOf({ size: kind === 'new' ? size.trim() : '', ...where }),
                    ]),
                )
            }}
            done={props.done}
        >
            <ChoiceField
                name="kind"
                label={h.kind}
                value={kind}
                change={value => {
                    setKind(value as typeof kind)
                    setVolume('')
                }}
                choices={[
                    { value: 'new', label: h.newDisk },
                    { value: 'copy', label: h.copyDisk },
                    { value: 'existing', label: h.existingDisk },
                ]}
            />
            {kind === 'new' && <SizeField name="size" label={h.size} value={size} change={setSize} required />}
            {kind !== 'new' && (
                <ChoiceField
                    name="volume"
                    label={h.source}
                    value={chosen}
                    change={setVolume}
                    choices={choices.length > 0 ? choices : [{ value: '', label: common.none }]}
                />
            )}
            {kind !== 'existing' && (
                <ChoiceField name="pool" label={words.pool} value={pool} change={setPool} choices={pools} />
            )}
            <ChoiceField name="bus" label={h.bus} value={bus} change={setBus} choices={busChoices} />
        </FormDialog>
    )
}

export function ResizeDisk(props: OfDisk) {
    const [size, setSize] = useState(bytes(props.disk.capacityBytes))
    return (
        <FormDialog
            title={fill(h.resizeTitle, { name: props.disk.target })}
            submit={h.resize}
            close={props.close}
            call={() =>
                callOf(
                    VmService.method.resizeDisk,
                    { vm: props.vm.uuid, target: props.disk.target, sizeBytes: needSize(size) },
                    commandOf('vm resize-disk', [props.vm.name, props.disk.target, size.trim()]),
                )
            }
            done={props.done}
        >
            <SizeField name="size" label={h.newSize} help={h.resizeHelp} value={size} change={setSize} required />
        </FormDialog>
    )
}

const caches = ['', 'none', 'writeback', 'writethrough', 'directsync', 'unsafe']

export function TuneDisk(props: OfDisk) {
    const { disk } = props
    const limits = disk.limits
    const [cache, setCache] = useState(disk.cache)
    const [discard, setDiscard] = useState(disk.discard)
    const [readIops, setReadIops] = useState(Number(limits?.readIops ?? 0n))
    const [writeIops, setWriteIops] = useState(Number(limits?.writeIops ?? 0n))
    const [readRate, setReadRate] = useState(limits?.readBytesPerSecond ? bytes(limits.readBytesPerSecond) : '0')
    const [writeRate, setWriteRate] = useState(limits?.writeBytesPerSecond ? bytes(limits.writeBytesPerSecond) : '0')
    const rateOf = (text: string): bigint => (text.trim() === '' || text.trim() === '0' ? 0n : needSize(text))
    return (
        <FormDialog
            title={`${h.limits}: ${disk.target}`}
            submit={common.save}
            close={props.close}
            run={async () => {
                const answer = await api.updateDisk({
                    vm: props.vm.uuid,
                    revision: props.revision,
                    target: disk.target,
                    cache,
                    discard,
                    limits: {
                        readIops: BigInt(readIops),
                        writeIops: BigInt(writeIops),
                        readBytesPerSecond: rateOf(readRate),
                        writeBytesPerSecond: rateOf(writeRate),
                    },
                })
                props.done()
                return answer
            }}
        >
            <ChoiceField
                name="cache"
                label={h.cache}
                value={cache}
                change={setCache}
                choices={caches.map(c => ({ value: c, label: c || h.cacheDefault }))}
            />
            <CheckField name="discard" label={h.discard} value={discard} change={setDiscard} />
            <NumberField name="readIops" label={h.readIops} value={readIops} change={setReadIops} help={h.limitsHelp} />
            <NumberField name="writeIops" label={h.writeIops} value={writeIops} change={setWriteIops} />
            <SizeField name="readRate" label={h.readRate} value={readRate} change={setReadRate} help={h.limitsHelp} />
            <SizeField
                name="writeRate"
                label={h.writeRate}
                value={writeRate}
                change={setWriteRate}
                help={h.limitsHelp}
            />
        </FormDialog>
    )
}

export function MoveDisk(props: OfDisk) {
    const pools = usePoolChoices('').filter(p => p.value !== '' && p.value !== props.disk.pool)
    const [pool, setPool] = useState('')
    const [keep, setKeep] = useState(false)
    const to = pool || pools[0]?.value || ''
    return (
        <FormDialog
            title={fill(h.moveTitle, { name: props.disk.target })}
            submit={h.move}
            close={props.close}
            disabled={to === ''}
            call={() =>
                callOf(
                    VmService.method.moveDisk,
                    { vm: props.vm.uuid, target: props.disk.target, pool: to, keep },
                    commandOf('vm move-disk', [props.vm.name, props.disk.target, to], { keep }),
                )
            }
            done={props.done}
        >
            <ChoiceField
                name="pool"
                label={words.pool}
                value={to}
                change={setPool}
                choices={pools.length > 0 ? pools : [{ value: '', label: common.none }]}
            />
            <CheckField name="keep" label={h.keep} value={keep} change={setKeep} />
        </FormDialog>
    )
}

export function DetachDisk(props: OfDisk) {
    const { disk } = props
    const [remove, setRemove] = useState(false)
    const cd = disk.device === 'cdrom'
    return (
        <PlanDialog
            title={fill(h.detachTitle, { name: disk.target })}
            submit={h.detach}
            close={props.close}
            typed={disk.volume || undefined}
            basis={String(remove)}
            ask={dryRun =>
                api.detachDisk({
                    vm: props.vm.uuid,
                    revision: props.revision,
                    target: disk.target,
                    delete: remove,
                    dryRun,
                })
            }
            done={props.done}
        >
            {!cd && disk.volume && (
                <CheckField name="delete" label={h.deleteVolume} value={remove} change={setRemove} />
            )}
        </PlanDialog>
    )
}

export function InsertIso(props: OfDisk) {
    const { isos } = useVolumes()
    const { disk } = props
    const [iso, setIso] = useState(disk.volume ? `${disk.pool}/${disk.volume}` : '')
    return (
        <FormDialog
            title={fill(h.insertTitle, { name: disk.target })}
            submit={common.save}
            close={props.close}
            call={() =>
                callOf(
                    VmService.method.changeMedia,
                    { vm: props.vm.uuid, target: disk.target, iso },
                    iso === ''
                        ? commandOf('vm eject', [props.vm.name, disk.target])
                        : commandOf('vm insert', [props.vm.name, disk.target, iso]),
                )
            }
            done={props.done}
        >
            <ChoiceField name="iso" label={h.iso} value={iso} change={setIso} choices={isoChoices(isos)} />
        </FormDialog>
    )
}
