// The network of the host for the engine: what NetworkManager leaves alone, names of cards, and the profiles.
import { createHash } from 'node:crypto'
import type { Tool } from '../../../engine/kit.ts'
import { type Resource, resource } from '../../../engine/resource.ts'
import { planNames } from './names.ts'
import { nmcliTool } from './nmcli.ts'
import { type HostSeen, PING, seeAnswers, seeCards, seeHost, seeOperators } from './observe.ts'
import { type Answers, changesNetwork, type HostWant, planHost } from './plan.ts'
import { type Profile, profilesOf } from './profiles.ts'
import { cardsOf, primaryOf, troubles } from './resolve.ts'
import type { NetworkSpec } from './spec.ts'
import { UNMANAGED_FILE, unmanagedText } from './unmanaged.ts'

export const hostNetworkTools: Tool[] = [
    nmcliTool,
    { name: 'ip', program: '/usr/sbin/ip', half: 'machine', looks: true },
    { name: 'ip-join', program: '/usr/sbin/ip', half: 'machine' },
    { name: 'ping', program: PING, half: 'machine', looks: true },
]

type Doc = { network?: NetworkSpec }

const sha = (text: string) => createHash('sha256').update(text).digest('hex')

/** Always the same one for the same interface (RFC 9562, version 8: by a rule of our own). */
function uuidOf(name: string): string {
    const hex = sha(`debvisor network ${name}`)
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

function wantOf(spec: NetworkSpec, seen: HostSeen): HostWant & { profiles: Profile[]; primary?: string } {
    const primary = primaryOf(spec, seen)
    const macOf = (name: string) => seen.links.find(link => link.name === name)?.cardMac || undefined
    const profiles = profilesOf(spec, { primary, macOf, uuidOf, hashOf: sha })
    return { profiles, primary, troubles: troubles(spec, primary, seen, profiles) }
}

/** The best way out of each family; an address of a link alone says nothing behind another interface. */
const routersOf = ({ routes }: HostSeen): string[] =>
    [false, true]
        .flatMap(six => routes.find(({ gateway }) => gateway && gateway.includes(':') === six)?.gateway ?? [])
        .filter(one => !one.startsWith('fe80:'))

/** Bridges of the host by the document; without a section, the name that such a bridge has by custom. */
export const hostBridges = ({ network }: Doc): string[] => network?.bridges.map(({ name }) => name) ?? ['br0']

/** Networks that the document gives this machine addresses in. */
export const hostSubnets = ({ network }: Doc): string[] =>
    network
        ? [network.bridges, network.bonds, network.vlans, network.nics]
              .flat()
              .flatMap(({ ipv4 }) => (typeof ipv4 === 'object' ? ipv4.addresses : []))
        : []

export const hostNetworkResources = [
    resource<Doc, { ours: boolean }, undefined>({
        ...{ name: 'network.manager', phases: ['image', 'boot'] },
        want: ({ network }) => ({ ours: network !== undefined }),
        basics: ({ ours }) => ({
            packages: ours ? ['network-manager'] : [],
            files: [{ path: UNMANAGED_FILE, content: unmanagedText, for: 'what NetworkManager leaves alone' }],
            units: [
                {
                    ...{ unit: 'NetworkManager.service', reads: [UNMANAGED_FILE], reloads: true },
                    // Elsewhere it is left to whoever looks after the network.
                    ...(ours ? { enabled: true, active: true } : {}),
                },
            ],
        }),
    }),
    resource<Doc, NetworkSpec, HostSeen>({
        ...{ name: 'network.names', phases: ['image', 'boot'] },
        want: ({ network }) => network,
        observe: seeCards,
        plan: (spec, seen) =>
            planNames(
                spec,
                cardsOf(spec, primaryOf(spec, seen)).map(({ name }) => name),
                seen,
            ),
    }),
    resource<Doc, NetworkSpec, HostSeen & { answers: Answers }>({
        ...{
            name: 'network.host',
            phases: ['image', 'boot'],
            needs: ['network.manager', 'network.names'],
            provides: ['network'],
        },
        want: ({ network }) => network,
        observe: async (look, spec) => {
            const seen = await seeHost(look)
            if (seen.offline || !changesNetwork(wantOf(spec, seen), seen)) return { ...seen, answers: undefined }
            const asked = [...new Set([...routersOf(seen), ...spec.check])]
            const operators = (await seeOperators(look.machine)).filter(one => !asked.includes(one))
            const answered = await seeAnswers(look.machine, [...asked, ...operators])
            // Who does not answer, as most workstations, is not worth a word.
            return {
                ...seen,
                answers: { asked: [...asked, ...operators.filter(one => answered.includes(one))], answered },
            }
        },
        plan: (spec, { answers, ...seen }) => planHost(wantOf(spec, seen), seen, answers),
    }),
] as readonly unknown[] as Resource<Doc>[]
