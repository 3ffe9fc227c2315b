// What is done to libvirt networks: checked first, then a task whose half-made things are taken back.
import { randomUUID } from 'node:crypto'
import { asFault, Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import { networkRef } from '../../drivers/libvirt/refs.ts'
import type { RunningTask, Tasks } from '../../engine/task.ts'
import type { Probe } from '../../ports/ports.ts'
import { checkNetwork, createSentences, type WantedNetwork } from './check.ts'
import type { NetworkInventory, SeenNetwork } from './inventory.ts'
import { readLinks } from './links.ts'
import { type NewNetwork, writeNetworkXml } from './xml.ts'

/** Which VMs use a network: the interface that the daemon hands over. */
export interface NetworkUsers {
    /** VMs whose definition names the network, or its bridge. From memory: cheap. */
    ofNetwork(name: string, bridge?: string): { name: string; running: boolean }[]
}

export interface OperationDeps {
    libvirt: LibvirtLink
    tasks: Tasks
    probe: Probe
    inventory: NetworkInventory
    users: NetworkUsers
}

/** Who asks, and whether it is only asked what would be done. */
export interface How {
    user: string
    dryRun: boolean
}

export interface Answer {
    task: string
    object: string
    plan: { sentence: string; destroys: string }[]
    findings: Finding[]
}

const REMOVE = 'network.remove'

/** The operations. Each validates, then begins a task and answers it; Faults mean that nothing was changed. */
export function createOperations(deps: OperationDeps) {
    const { libvirt, tasks, probe, inventory, users } = deps
    // Networks that a running task is making: libvirt does not know them yet.
    const coming = new Map<string, NewNetwork>()
    const connection = () => libvirt.connection()

    tasks.onUndo(REMOVE, async step => {
        const uuid = String(step.uuid)
        await takeAway(uuid)
        await inventory.refresh(uuid)
    })

    /** Stops and undefines; gone already is fine. */
    async function takeAway(uuid: string) {
        const net = networkRef({ uuid })
        const unless = (codes: string[]) => (thrown: unknown) => {
            if (!codes.includes(asFault(thrown).code)) throw thrown
        }
        // Not active, or gone: both are what is wanted.
        await connection()
            .call('networkDestroy', { net })
            .catch(unless(['not-found', 'precondition']))
        await connection()
            .call('networkUndefine', { net })
            .catch(unless(['not-found']))
    }

    /** Begins the task for a network that exists, and answers. */
    async function begin(
        {
            how,
            network,
            ...spec
        }: { kind: string; title: string; stops?: boolean; network: { uuid: string; name: string }; how: How },
        plan: { sentences: string[]; destroys?: string; findings?: Finding[] },
        work: (task: RunningTask) => Promise<void>,
    ): Promise<Answer> {
        const steps = plan.sentences.map(sentence => ({ sentence, destroys: '' }))
        if (plan.destroys && steps.length > 0) steps.at(-1)!.destroys = plan.destroys
        const answer = { task: '', object: network.uuid, plan: steps, findings: plan.findings ?? [] }
        if (how.dryRun) return answer
        const on = { kind: 'network', id: network.uuid, name: network.name }
        const { task } = await tasks.begin({ ...spec, owner: how.user, on }, async running => {
            await work(running)
            await inventory.refresh(network.uuid)
        })
        return { ...answer, task: task.id }
    }

    async function create(want: WantedNetwork, how: How): Promise<Answer> {
        const links = await readLinks(probe)
        await inventory.list()
        // Nothing is awaited between this check and the reservation: two requests for one name cannot both pass.
        const making = [...coming.values()].map(n => ({ ...n, subnets: n.subnet ? [n.subnet] : [] }))
        const { network, findings } = checkNetwork(want, { networks: [...inventory.now(), ...making], links })
        connection()
        const made: NewNetwork = { ...network, uuid: randomUUID() }
        const { uuid, name } = made
        if (!how.dryRun) coming.set(uuid, made)
        try {
            const about = { kind: 'network.create', title: `Create network ${name}`, network: made, how }
            const plan = { sentences: createSentences(network, want.autostart), findings }
            const answer = await begin(about, plan, async task => {
                try {
                    await task.undo({ kind: REMOVE, uuid })
                    await connection().call('networkDefineXML', { xml: writeNetworkXml(made) })
                    const net = networkRef(made)
                    if (want.autostart) await connection().call('networkSetAutostart', { net, autostart: 1 })
                    await connection().call('networkCreate', { net })
                    await inventory.refresh(uuid)
                } finally {
                    coming.delete(uuid)
                }
            })
            return how.dryRun ? { ...answer, object: '' } : answer
        } catch (thrown) {
            coming.delete(uuid)
            throw thrown
        }
    }

    async function start(ref: string, how: How): Promise<Answer> {
        const network = await inventory.find(ref)
        connection()
        const about = { kind: 'network.start', title: `Start network ${network.name}`, network, how }
        const sentences = network.active ? [] : [`Start the network ${network.name}.`]
        return begin(about, { sentences, findings: network.active ? [already('runs')] : [] }, async () => {
            // Started by someone else in between is what was wanted.
            await connection()
                .call('networkCreate', { net: networkRef(network) })
                .catch(unlessState(network, true))
        })
    }

    async function stop(ref: string, force: boolean, how: How): Promise<Answer> {
        const network = await inventory.find(ref)
        connection()
        const running = usersOf(network).filter(user => user.running)
        if (running.length > 0 && !force) {
            throw new Fault('precondition', {
                summary: 'Running VMs are on that network',
                detail: nameThem(running),
                fix: 'Shut them down first, or stop the network by force: they run on without it.',
                at: 'network',
            })
        }
        const findings: Finding[] = network.active ? [] : [already('is stopped')]
        if (running.length > 0) {
            const fix =
                'Start the network again, then restart these VMs: their cards are not joined again by themselves.'
            findings.push({
                ...{ severity: 'warning', code: 'in-use', at: 'network', summary: 'Running VMs lose that network' },
                ...{ detail: nameThem(running), fix },
            })
        }
        const gone = network.persistent ? '' : ' It is transient: with that it is gone.'
        const about = { kind: 'network.stop', stops: true, title: `Stop network ${network.name}`, network, how }
        const sentences = network.active ? [`Stop the network ${network.name}.${gone}`] : []
        const destroys = gone && network.active ? `network:${network.name}` : ''
        return begin(about, { sentences, destroys, findings }, async () => {
            await connection()
                .call('networkDestroy', { net: networkRef(network) })
                .catch(unlessState(network, false))
        })
    }

    async function update(ref: string, autostart: boolean | undefined, how: How): Promise<Answer> {
        const network = await inventory.find(ref)
        connection()
        if (autostart !== undefined && !network.persistent) {
            throw new Fault('precondition', {
                summary: 'A transient network cannot start with the host',
                detail: network.name,
                fix: 'Delete it and create it here: then it is kept.',
                at: 'network',
            })
        }
        const changes = autostart !== undefined && autostart !== network.autostart
        const when = autostart ? 'Start' : 'No longer start'
        const about = { kind: 'network.update', title: `Change network ${network.name}`, network, how }
        const sentences = changes ? [`${when} the network ${network.name} with the host.`] : []
        return begin(about, { sentences }, async () => {
            if (autostart === undefined) return
            await connection().call('networkSetAutostart', { net: networkRef(network), autostart: autostart ? 1 : 0 })
        })
    }

    async function remove(ref: string, how: How): Promise<Answer> {
        const network = await inventory.find(ref)
        connection()
        const using = usersOf(network)
        if (using.length > 0) {
            throw new Fault('precondition', {
                summary: 'VMs use that network',
                detail: nameThem(using),
                fix: 'Put their cards on another network, or delete the VMs; then delete the network.',
                at: 'network',
            })
        }
        const sentences = [
            ...(network.active ? [`Stop the network ${network.name}.`] : []),
            `Delete the network ${network.name}; the leases that it gave are forgotten.`,
        ]
        const about = { kind: 'network.delete', title: `Delete network ${network.name}`, network, how }
        return begin(about, { sentences, destroys: `network:${network.name}` }, () => takeAway(network.uuid))
    }

    function usersOf(network: SeenNetwork) {
        // A bridge of the host is used by VMs that have nothing to do with a network that merely names it.
        return users.ofNetwork(network.name, network.mode === 'bridge' ? undefined : network.bridge || undefined)
    }

    /** Swallows the refusal when the network is in the wanted state already. */
    const unlessState = (network: SeenNetwork, active: boolean) => async (thrown: unknown) => {
        const { active: now } = await connection().call('networkIsActive', { net: networkRef(network) })
        if ((now === 1) !== active) throw thrown
    }

    return { create, start, stop, update, remove, usersOf }
}

const nameThem = (users: { name: string }[]) => users.map(user => user.name).join(', ')

const already = (state: string): Finding => ({
    ...{ severity: 'info', code: 'nothing-to-do', at: 'network', summary: 'There is nothing to do' },
    detail: `the network ${state} already`,
})
