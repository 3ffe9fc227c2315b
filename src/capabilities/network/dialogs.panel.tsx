// The questions about a network: create, stop.
import { useState } from 'react'
import { type Network, NetworkService } from '../../gen/proto/capabilities/network/network_pb.js'
import { callOf, commandOf } from '../call.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { CheckField, ChoiceField, TextField } from '../fields.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { words } from './words.panel.tsx'

const api = clientOf(NetworkService)

export function StopDialog(props: { network: Network; close: () => void }) {
    const [force, setForce] = useState(false)
    return (
        <PlanDialog
            title={fill(words.stopTitle, { name: props.network.name })}
            submit={words.stop}
            close={props.close}
            basis={String(force)}
            ask={dryRun => api.stop({ network: props.network.uuid, force, dryRun })}
        >
            <CheckField name="force" label={words.force} value={force} change={setForce} />
        </PlanDialog>
    )
}

export function CreateDialog(props: { bridges: string[]; close: () => void }) {
    const [name, setName] = useState('')
    const [mode, setMode] = useState<'nat' | 'route' | 'isolated' | 'bridge'>('nat')
    const [address, setAddress] = useState('10.20.0.1/24')
    const [dhcp, setDhcp] = useState(true)
    const [bridge, setBridge] = useState(props.bridges[0] ?? '')
    const [domain, setDomain] = useState('')
    const [autostart, setAutostart] = useState(true)
    const bridged = mode === 'bridge'
    return (
        <FormDialog
            title={words.create}
            submit={common.create}
            close={props.close}
            disabled={name === ''}
            call={() => {
                const how = bridged ? { bridge } : { address, dhcp, domain }
                return callOf(
                    NetworkService.method.create,
                    { name, mode, ...how, noAutostart: !autostart },
                    commandOf('network create', [name], { mode, ...how, 'no-autostart': !autostart }),
                )
            }}
        >
            <TextField name="name" label={common.name} value={name} change={setName} required focus />
            <ChoiceField
                name="mode"
                label={words.mode}
                help={words.modeHelp[mode]}
                value={mode}
                change={value => setMode(value as typeof mode)}
                choices={(['nat', 'route', 'isolated', 'bridge'] as const).map(m => ({
                    value: m,
                    label: words.modes[m],
                }))}
            />
            {bridged ? (
                <ChoiceField
                    name="bridge"
                    label={words.bridge}
                    value={bridge}
                    change={setBridge}
                    choices={
                        props.bridges.length > 0
                            ? props.bridges.map(b => ({ value: b, label: b }))
                            : [{ value: '', label: common.none }]
                    }
                />
            ) : (
                <>
                    <TextField
                        name="address"
                        label={words.address}
                        help={words.addressHelp}
                        value={address}
                        change={setAddress}
                        required
                    />
                    <CheckField name="dhcp" label={words.dhcp} value={dhcp} change={setDhcp} />
                    <TextField
                        name="domain"
                        label={`${words.domain} (${common.optional})`}
                        value={domain}
                        change={setDomain}
                    />
                </>
            )}
            <CheckField name="autostart" label={words.autostart} value={autostart} change={setAutostart} />
        </FormDialog>
    )
}
