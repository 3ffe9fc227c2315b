// What the first page says of virtual machines: how many are in which state, which are busiest, and which have crashed.
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { useMemo } from 'react'
import { State } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { useSampled } from '../all-live.panel.tsx'
import { bytes, count, percent } from '../format.panel.tsx'
import { useMay } from '../me.panel.tsx'
import type { Warning } from '../pages.panel.tsx'
import { Anchor, address, Freshness, Quiet } from '../parts.panel.tsx'
import { common, fill, plural } from '../words.panel.tsx'
import { power } from './actions.panel.tsx'
import { isOn, StateLabel, stateKey, vms } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const o = words.over
const states = [State.RUNNING, State.PAUSED, State.SHUTTING_DOWN, State.SLEEPING, State.STOPPED, State.CRASHED]
const always = new Set<State>([State.RUNNING, State.STOPPED])
const BUSIEST = 5
const NAMED = 3

export function StatesCard() {
    const snapshot = useSampled(vms)
    const counts = useMemo(() => {
        const map = new Map<State, number>()
        for (const vm of snapshot.list) map.set(vm.state, (map.get(vm.state) ?? 0) + 1)
        return map
    }, [snapshot])
    const given = useMemo(
        () => snapshot.list.reduce((sum, vm) => sum + (isOn(vm.state) ? vm.memoryBytes : 0n), 0n),
        [snapshot],
    )
    if (snapshot.state === 'connecting') return <Quiet>{snapshot.trouble?.summary ?? common.loading}</Quiet>
    return (
        <>
            <Freshness of={snapshot} />
            <ul className="dv-counts">
                {states
                    .filter(state => always.has(state) || counts.has(state))
                    .map(state => (
                        <li key={state}>
                            <Anchor
                                href={address('/vms', { state: stateKey(state) })}
                                className="dv-count"
                                data-count-of={State[state]}
                            >
                                <b>{count(counts.get(state) ?? 0)}</b>
                                <StateLabel state={state} />
                            </Anchor>
                        </li>
                    ))}
            </ul>
            <Quiet>{fill(o.memory, { used: bytes(given) })}</Quiet>
        </>
    )
}

export function BusiestCard() {
    const snapshot = useSampled(vms, 2_000)
    const rows = useMemo(
        () =>
            snapshot.list
                .filter(vm => isOn(vm.state))
                .sort((a, b) => b.cpu * b.vcpus - a.cpu * a.vcpus)
                .slice(0, BUSIEST),
        [snapshot],
    )
    if (rows.length === 0)
        return (
            <Quiet>
                {snapshot.state === 'connecting' ? (snapshot.trouble?.summary ?? common.loading) : o.noneRuns}
            </Quiet>
        )
    return (
        <Table aria-label={o.busiest} variant="compact" borders={false} gridBreakPoint="">
            <Thead>
                <Tr>
                    <Th>{common.name}</Th>
                    <Th modifier="nowrap">{words.cpu}</Th>
                    <Th modifier="nowrap">{words.memory}</Th>
                </Tr>
            </Thead>
            <Tbody>
                {rows.map(vm => (
                    <Tr key={vm.uuid}>
                        <Td className="dv-anywhere">
                            <Anchor href={`/vms/${vm.uuid}`}>{vm.name}</Anchor>
                        </Td>
                        <Td modifier="nowrap">{fill(words.busy, { share: percent(vm.cpu), cpus: vm.vcpus })}</Td>
                        <Td modifier="nowrap">{bytes(vm.memoryBytes)}</Td>
                    </Tr>
                ))}
            </Tbody>
        </Table>
    )
}

export function useVmWarnings(): Warning[] {
    const snapshot = useSampled(vms)
    const may = useMay()
    return useMemo(() => {
        const crashed = snapshot.list.filter(vm => vm.state === State.CRASHED)
        const warnings: Warning[] = crashed.slice(0, NAMED).map(vm => ({
            key: `crashed ${vm.uuid}`,
            severity: 'danger',
            title: fill(o.crashed, { name: vm.name }),
            fix: o.crashedFix,
            to: `/vms/${vm.uuid}`,
            act: may('vm.power', vm) ? { label: words.start, run: () => void power('start', vm) } : undefined,
        }))
        const more = crashed.length - warnings.length
        if (more > 0)
            warnings.push({
                key: 'crashed more',
                severity: 'danger',
                title: plural(o.more, more),
                fix: o.crashedFix,
                to: address('/vms', { state: stateKey(State.CRASHED) }),
            })
        return warnings
    }, [snapshot, may])
}
