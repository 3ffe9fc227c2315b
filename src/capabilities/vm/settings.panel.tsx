// A machine's settings: description, CPU and memory, start with the node; what cannot change now says so.
import { Alert, Button, ExpandableSection, Form, FormSection } from '@patternfly/react-core'
import { useState } from 'react'
import { VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { begun, notify } from '../act.panel.tsx'
import { clientOf, type Trouble } from '../client.panel.tsx'
import { CheckField, NumberField, needSize, SizeField, sizeOf, TextField, troubleIn } from '../fields.panel.tsx'
import { bytes } from '../format.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { TroubleNote } from '../parts.panel.tsx'
import { common } from '../words.panel.tsx'
import type { VmTabProps } from './detail.panel.tsx'
import { Advanced } from './settings-advanced.panel.tsx'
import { words } from './words.panel.tsx'

const s = words.set

/** What the form holds; numbers of bytes as people write them. */
function valuesOf({ vm, detail }: VmTabProps) {
    return {
        description: vm.description,
        notes: detail.notes,
        tags: vm.tags.join(', '),
        vcpus: vm.vcpus,
        maxVcpus: vm.maxVcpus || vm.vcpus,
        memory: bytes(vm.memoryBytes),
        maxMemory: bytes(vm.maxMemoryBytes || vm.memoryBytes),
        hotplugMemory: detail.hotplugMemoryBytes === 0n ? '' : bytes(detail.hotplugMemoryBytes),
        cpu: {
            model: detail.cpu?.model ?? '',
            sockets: detail.cpu?.sockets ?? 0,
            cores: detail.cpu?.cores ?? 0,
            threads: detail.cpu?.threads ?? 0,
        },
        bootOrder: detail.bootOrder.join(', '),
        serial: detail.serial,
        vnc: detail.vnc,
        autostart: vm.autostart,
        startOrder: detail.startOrder,
        startDelay: detail.startDelaySeconds,
        machine: detail.machine,
        firmware: vm.firmware || 'bios',
        secureBoot: detail.secureBoot,
        tpm: detail.tpm,
        agent: detail.guestAgent,
    }
}
export type Values = ReturnType<typeof valuesOf>

const sizeKeys = ['memory', 'maxMemory', 'hotplugMemory'] as const
export type SizeKey = (typeof sizeKeys)[number]

const listOf = (text: string): string[] => [...new Set(text.split(/[,\s]+/).filter(Boolean))]

export default function Settings(props: VmTabProps) {
    const { vm, detail } = props
    const may = useMay()
    const askAgain = useAskAgain()
    const [base, setBase] = useState(() => ({ values: valuesOf(props), revision: detail.revision }))
    const [values, setValues] = useState(base.values)
    const [busy, setBusy] = useState(false)
    const [failure, setFailure] = useState<Trouble>()
    const [unfolded, setUnfolded] = useState(false)
    const [refused, setRefused] = useState<SizeKey>()
    const dirty = JSON.stringify(values) !== JSON.stringify(base.values)
    const moved = detail.revision !== base.revision
    const set =
        <K extends keyof Values>(key: K) =>
        (value: Values[K]) =>
            setValues(v => ({ ...v, [key]: value }))
    const reload = (): void => {
        const fresh = valuesOf(props)
        setBase({ values: fresh, revision: detail.revision })
        setValues(fresh)
        setFailure(undefined)
    }
    // Nothing typed yet: the form simply shows what is. Input is never thrown away.
    if (moved && !dirty && !busy) reload()

    const changed = <K extends keyof Values>(key: K): Values[K] | undefined =>
        JSON.stringify(values[key]) === JSON.stringify(base.values[key]) ? undefined : values[key]
    // Only the room for more memory may be none.
    const none = (key: SizeKey): boolean => key === 'hotplugMemory' && values[key].trim() === ''
    const size = (key: SizeKey): bigint | undefined => {
        const text = changed(key)
        if (text === undefined) return undefined
        return none(key) ? 0n : needSize(text)
    }
    const noSize = (key: SizeKey): boolean =>
        changed(key) !== undefined && !none(key) && sizeOf(values[key]) === undefined
    const save = async (): Promise<void> => {
        const bad = sizeKeys.find(noSize)
        setRefused(bad)
        if (bad) return document.querySelector<HTMLElement>(`[data-field=${bad}]`)?.focus()
        setBusy(true)
        setFailure(undefined)
        try {
            const answer = await clientOf(VmService).update({
                vm: vm.uuid,
                revision: base.revision,
                description: changed('description'),
                notes: changed('notes'),
                tags: changed('tags') === undefined ? undefined : { tags: listOf(values.tags) },
                vcpus: changed('vcpus'),
                maxVcpus: changed('maxVcpus'),
                memoryBytes: size('memory'),
                maxMemoryBytes: size('maxMemory'),
                hotplugMemoryBytes: size('hotplugMemory'),
                cpu: changed('cpu'),
                bootOrder: changed('bootOrder') === undefined ? undefined : { order: listOf(values.bootOrder) },
                serial: changed('serial'),
                vnc: changed('vnc'),
                autostart: changed('autostart'),
                startOrder: changed('startOrder'),
                startDelaySeconds: changed('startDelay'),
                machine: changed('machine'),
                firmware: changed('firmware'),
                secureBoot: changed('secureBoot'),
                tpm: changed('tpm'),
                guestAgent: changed('agent'),
            })
            begun(answer)
            const fresh = await clientOf(VmService).get({ vm: vm.uuid })
            setBase({ values, revision: fresh.detail?.revision ?? detail.revision })
            askAgain(['vm', vm.uuid])
            notify('success', s.saved)
        } catch (thrown) {
            setFailure(troubleIn(thrown))
        }
        setBusy(false)
    }
    const allowed = may('vm.update', vm)
    return (
        <Form
            className="dv-form"
            onSubmit={event => {
                event.preventDefault()
                void save()
            }}
        >
            {failure && <TroubleNote trouble={failure} />}
            {moved && dirty && !busy && (
                <Alert
                    isInline
                    variant="warning"
                    title={s.conflict}
                    actionLinks={
                        <Button variant="link" isInline onClick={reload}>
                            {s.reload}
                        </Button>
                    }
                />
            )}
            <fieldset disabled={!allowed} className="dv-form-groups">
                <Group title={s.general}>
                    <TextField
                        name="description"
                        label={s.description}
                        value={values.description}
                        change={set('description')}
                    />
                    <TextField name="tags" label={s.tags} help={s.tagsHelp} value={values.tags} change={set('tags')} />
                    <TextField name="notes" label={s.notes} long value={values.notes} change={set('notes')} />
                </Group>
                <Group title={s.compute}>
                    <NumberField name="vcpus" label={s.vcpus} value={values.vcpus} change={set('vcpus')} min={1} />
                    <SizeField
                        name="memory"
                        label={s.memory}
                        value={values.memory}
                        change={set('memory')}
                        error={refused === 'memory' ? common.sizeHelp : undefined}
                    />
                </Group>
                <Group title={s.start}>
                    <CheckField
                        name="autostart"
                        label={s.autostart}
                        value={values.autostart}
                        change={set('autostart')}
                    />
                    {values.autostart && (
                        <>
                            <NumberField
                                name="startOrder"
                                label={s.startOrder}
                                value={values.startOrder}
                                change={set('startOrder')}
                            />
                            <NumberField
                                name="startDelay"
                                label={s.startDelay}
                                value={values.startDelay}
                                change={set('startDelay')}
                            />
                        </>
                    )}
                </Group>
                <ExpandableSection
                    toggleText={common.advanced}
                    isExpanded={unfolded || (refused !== undefined && refused !== 'memory')}
                    onToggle={(_e, yes) => setUnfolded(yes)}
                >
                    <Advanced values={values} set={set} refused={refused} />
                </ExpandableSection>
            </fieldset>
            {allowed && (
                <div className="dv-inline">
                    <Button type="submit" isDisabled={!dirty || busy} isLoading={busy} data-action="save">
                        {common.save}
                    </Button>
                    {dirty && (
                        <Button variant="link" onClick={reload}>
                            {common.cancel}
                        </Button>
                    )}
                </div>
            )}
        </Form>
    )
}

const Group = (props: { title: string; children: React.ReactNode }) => (
    <FormSection title={props.title} titleElement="h2">
        {props.children}
    </FormSection>
)
