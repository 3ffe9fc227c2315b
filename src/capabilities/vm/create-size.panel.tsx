// The second screen of create: how big, on which network, who may log in; the rest is folded.
import { ExpandableSection, FormGroup, FormSection, ToggleGroup, ToggleGroupItem } from '@patternfly/react-core'
import { CheckField, type Choice, ChoiceField, NumberField, SizeField, TextField } from '../fields.panel.tsx'
import { bytes } from '../format.panel.tsx'
import { Quiet } from '../parts.panel.tsx'
import { common, fill, plural } from '../words.panel.tsx'
import { busChoices } from './disk-dialogs.panel.tsx'
import { type Draft, presets } from './draft.panel.tsx'
import { LoginFields, NoLogin } from './login-fields.panel.tsx'
import { isoChoices, usePoolChoices, useVolumes, volumeId } from './sources.panel.tsx'
import { words } from './words.panel.tsx'

const n = words.new

export function SizeStep(props: { draft: Draft; change: (part: Partial<Draft>) => void; networks: Choice[] }) {
    const { draft, change } = props
    const { images } = useVolumes()
    const image = draft.kind === 'image' ? images.find(v => volumeId(v) === draft.source) : undefined
    const preset = presets.find(p => p.vcpus === draft.vcpus && p.memory === draft.memory)?.key
    return (
        <>
            <FormGroup label={n.preset} role="group">
                <ToggleGroup aria-label={n.preset}>
                    {presets.map(p => (
                        <ToggleGroupItem
                            key={p.key}
                            buttonId={`preset-${p.key}`}
                            text={`${n[p.key]} (${fill(n.presetText, { cpus: plural(words.facts.vcpus, p.vcpus), memory: p.memory })})`}
                            isSelected={preset === p.key}
                            onChange={() => change({ vcpus: p.vcpus, memory: p.memory })}
                        />
                    ))}
                </ToggleGroup>
            </FormGroup>
            <div className="dv-row">
                <NumberField
                    name="vcpus"
                    label={n.vcpus}
                    value={draft.vcpus}
                    change={vcpus => change({ vcpus })}
                    min={1}
                />
                <SizeField
                    name="memory"
                    label={n.memory}
                    value={draft.memory}
                    change={memory => change({ memory })}
                    required
                />
                <SizeField
                    name="disk"
                    label={n.disk}
                    value={draft.disk}
                    change={disk => change({ disk })}
                    help={image ? fill(n.diskHelp, { size: bytes(image.capacityBytes) }) : undefined}
                    required={image === undefined}
                />
            </div>
            <ChoiceField
                name="network"
                label={n.network}
                value={draft.network}
                change={network => change({ network })}
                choices={props.networks.length > 0 ? props.networks : [{ value: '', label: 'default' }]}
            />
            {draft.kind === 'image' && <Login draft={draft} change={change} />}
            <Advanced draft={draft} change={change} />
            <CheckField name="start" label={n.start} value={draft.start} change={start => change({ start })} />
        </>
    )
}

interface Part {
    draft: Draft
    change: (part: Partial<Draft>) => void
}

function Login({ draft, change }: Part) {
    return (
        <FormSection title={n.login} titleElement="h2">
            <Quiet>{n.loginHelp}</Quiet>
            <LoginFields draft={draft} change={change} />
            {draft.sshKeys === '' && draft.password === '' && <NoLogin />}
        </FormSection>
    )
}

function Advanced({ draft, change }: Part) {
    const pools = usePoolChoices(n.defaultPool)
    const { isos } = useVolumes()
    const flag = (name: 'linked' | 'secureBoot' | 'tpm' | 'autostart', label: string, help?: string) => (
        <CheckField
            name={name}
            label={label}
            help={help}
            value={draft[name]}
            change={value => change({ [name]: value })}
        />
    )
    return (
        <ExpandableSection toggleText={common.advanced}>
            <div className="dv-form-groups">
                <TextField
                    name="description"
                    label={n.description}
                    value={draft.description}
                    change={description => change({ description })}
                />
                <div className="dv-row">
                    <ChoiceField
                        name="os"
                        label={n.os}
                        value={draft.os}
                        change={os => change({ os })}
                        choices={[
                            { value: 'linux', label: n.linux },
                            { value: 'windows', label: n.windows },
                            { value: 'other', label: n.other },
                        ]}
                    />
                    <ChoiceField
                        name="firmware"
                        label={words.set.firmware}
                        value={draft.firmware}
                        change={firmware => change({ firmware })}
                        choices={[
                            { value: '', label: words.set.cpuDefault },
                            { value: 'bios', label: words.set.bios },
                            { value: 'uefi', label: words.set.uefi },
                        ]}
                    />
                    <ChoiceField
                        name="pool"
                        label={n.pool}
                        value={draft.pool}
                        change={pool => change({ pool })}
                        choices={pools}
                    />
                </div>
                <div className="dv-row">
                    <ChoiceField
                        name="bus"
                        label={n.bus}
                        value={draft.bus}
                        change={bus => change({ bus })}
                        choices={busChoices}
                    />
                    <ChoiceField
                        name="nic"
                        label={n.nic}
                        value={draft.nic}
                        change={nic => change({ nic })}
                        choices={['virtio', 'e1000e', 'rtl8139'].map(m => ({ value: m, label: m }))}
                    />
                    <ChoiceField
                        name="drivers"
                        label={n.drivers}
                        value={draft.drivers}
                        change={drivers => change({ drivers })}
                        choices={isoChoices(isos)}
                    />
                </div>
                {draft.kind === 'image' && (
                    <TextField
                        name="packages"
                        label={n.packages}
                        help={n.packagesHelp}
                        value={draft.packages}
                        change={packages => change({ packages })}
                    />
                )}
                {draft.kind === 'image' && flag('linked', n.linked, n.linkedHelp)}
                {flag('secureBoot', words.set.secureBoot)}
                {flag('tpm', words.set.tpm)}
                {flag('autostart', words.set.autostart)}
            </div>
        </ExpandableSection>
    )
}
