// The folded part of a machine's settings: what it may grow to while it runs, its CPU, firmware, boot order and ports.
import { CheckField, ChoiceField, NumberField, SizeField, TextField } from '../fields.panel.tsx'
import { common } from '../words.panel.tsx'
import type { SizeKey, Values } from './settings.panel.tsx'
import { words } from './words.panel.tsx'

const s = words.set

interface AdvancedProps {
    values: Values
    set: <K extends keyof Values>(key: K) => (value: Values[K]) => void
    /** The size that could not be read when it was to be saved. */
    refused?: SizeKey
}

export function Advanced({ values, set, refused }: AdvancedProps) {
    const errorAt = (key: SizeKey) => (refused === key ? common.sizeHelp : undefined)
    const setCpu = (part: Partial<Values['cpu']>) => set('cpu')({ ...values.cpu, ...part })
    return (
        <div className="dv-form-groups">
            <NumberField
                name="maxVcpus"
                label={`${s.vcpus}: ${s.maxVcpus}`}
                value={values.maxVcpus}
                change={set('maxVcpus')}
                min={1}
            />
            <SizeField
                name="maxMemory"
                label={`${s.memory}: ${s.maxMemory}`}
                value={values.maxMemory}
                change={set('maxMemory')}
                error={errorAt('maxMemory')}
            />
            <SizeField
                name="hotplugMemory"
                label={s.hotplugMemory}
                help={s.hotplugMemoryHelp}
                value={values.hotplugMemory}
                change={set('hotplugMemory')}
                error={errorAt('hotplugMemory')}
            />
            <TextField
                name="cpuModel"
                label={s.cpuModel}
                value={values.cpu.model}
                change={model => setCpu({ model })}
            />
            <div className="dv-row">
                <NumberField
                    name="sockets"
                    label={s.sockets}
                    help={s.topologyHelp}
                    value={values.cpu.sockets}
                    change={sockets => setCpu({ sockets })}
                />
                <NumberField
                    name="cores"
                    label={s.cores}
                    value={values.cpu.cores}
                    change={cores => setCpu({ cores })}
                />
                <NumberField
                    name="threads"
                    label={s.threads}
                    value={values.cpu.threads}
                    change={threads => setCpu({ threads })}
                />
            </div>
            <TextField name="machine" label={s.machine} value={values.machine} change={set('machine')} />
            <ChoiceField
                name="firmware"
                label={s.firmware}
                value={values.firmware}
                change={set('firmware')}
                choices={[
                    { value: 'bios', label: s.bios },
                    { value: 'uefi', label: s.uefi },
                ]}
            />
            {values.firmware === 'uefi' && (
                <CheckField
                    name="secureBoot"
                    label={s.secureBoot}
                    value={values.secureBoot}
                    change={set('secureBoot')}
                />
            )}
            <TextField
                name="bootOrder"
                label={s.bootOrder}
                help={s.bootOrderHelp}
                value={values.bootOrder}
                change={set('bootOrder')}
            />
            <CheckField name="tpm" label={s.tpm} value={values.tpm} change={set('tpm')} />
            <CheckField name="agent" label={s.agent} value={values.agent} change={set('agent')} />
            <CheckField name="serial" label={s.serial} value={values.serial} change={set('serial')} />
            <CheckField name="vnc" label={s.vnc} value={values.vnc} change={set('vnc')} />
        </div>
    )
}
