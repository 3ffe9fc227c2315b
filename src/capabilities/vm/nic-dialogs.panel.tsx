// The questions about a network card: add and change.
import { useState } from 'react'
import { type Nic, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { callOf, commandOf, pairsOf } from '../call.panel.tsx'
import { ChoiceField, NumberField, TextField } from '../fields.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { common } from '../words.panel.tsx'
import type { Shared } from './device.panel.tsx'
import { networkOf, useNetworkChoices } from './sources.panel.tsx'
import { words } from './words.panel.tsx'

const h = words.hw
const models = ['virtio', 'e1000e', 'rtl8139'].map(model => ({ value: model, label: model }))

export function AddNic(props: Shared & { close: () => void }) {
    const networks = useNetworkChoices()
    const [network, setNetwork] = useState('')
    const [model, setModel] = useState('virtio')
    const [mac, setMac] = useState('')
    const [vlan, setVlan] = useState(0)
    const chosen = network || networks[0]?.value || ''
    return (
        <FormDialog
            title={h.addNic}
            submit={common.add}
            close={props.close}
            call={() => {
                const nic = { ...networkOf(chosen), model, mac, vlan }
                return callOf(
                    VmService.method.attachNic,
                    { vm: props.vm.uuid, revision: props.revision, nic },
                    commandOf('vm add-nic', [props.vm.name, pairsOf(nic)]),
                )
            }}
            done={props.done}
        >
            <ChoiceField name="network" label={h.network} value={chosen} change={setNetwork} choices={networks} />
            <ChoiceField name="model" label={h.model} value={model} change={setModel} choices={models} />
            <TextField name="mac" label={h.mac} help={h.macHelp} value={mac} change={setMac} />
            <NumberField name="vlan" label={h.vlan} help={h.vlanHelp} value={vlan} change={setVlan} max={4094} />
        </FormDialog>
    )
}

export function EditNic(props: Shared & { nic: Nic; close: () => void }) {
    const { nic } = props
    const before = nic.network ? `network:${nic.network}` : `bridge:${nic.bridge}`
    const networks = useNetworkChoices()
    const [network, setNetwork] = useState(before)
    const [model, setModel] = useState(nic.model)
    const [vlan, setVlan] = useState(nic.vlan)
    const to = networkOf(network)
    return (
        <FormDialog
            title={h.editNic}
            submit={common.save}
            close={props.close}
            call={() => {
                const changed = {
                    network: network !== before && to.network ? to.network : undefined,
                    bridge: network !== before && to.bridge ? to.bridge : undefined,
                    model: model !== nic.model ? model : undefined,
                    vlan: vlan !== nic.vlan ? vlan : undefined,
                }
                return callOf(
                    VmService.method.updateNic,
                    { vm: props.vm.uuid, revision: props.revision, mac: nic.mac, ...changed },
                    commandOf('vm set-nic', [props.vm.name, nic.mac], changed),
                )
            }}
            done={props.done}
        >
            <ChoiceField name="network" label={h.network} value={network} change={setNetwork} choices={networks} />
            <ChoiceField
                name="model"
                label={h.model}
                value={model}
                change={setModel}
                choices={models.some(m => m.value === model) ? models : [...models, { value: model, label: model }]}
            />
            <NumberField name="vlan" label={h.vlan} help={h.vlanHelp} value={vlan} change={setVlan} max={4094} />
        </FormDialog>
    )
}
