// Names of cards that stay: a .link file of systemd a card, so that another card in the machine renames nothing. Pure.
import type { Step } from '../../../engine/step.ts'
import type { HostSeen } from './observe.ts'
import type { NetworkSpec } from './spec.ts'

export const LINK_FOLDER = '/etc/systemd/network'
// Before 99-default.link, and before those by which Debian names cards on USB.
const fileOf = (name: string) => `10-debvisor-${name}.link`

/** The card that one of our files is about; undefined for files of others. */
export const nameOfLink = (file: string): string | undefined => /^10-debvisor-(.+)\.link$/.exec(file)?.[1]

const textOf = (name: string, match: string) =>
    '# Written by DebVisor from /etc/debvisor/node.yaml: a change made here is overwritten.\n' +
    // Bridges, bonds and VLANs have the addresses of their cards, but none of their own.
    `[Match]\nType=ether\n${match}\n\n[Link]\nName=${name}\n`

const matchOf = (text: string) => /^(?:PermanentMACAddress|Path)=.*$/m.exec(text)?.[0]

/** What is told of the names of those cards, which the document uses. */
export function planNames(spec: NetworkSpec, used: readonly string[], seen: HostSeen): { steps: Step[] } {
    const wanted = new Map<string, string>()
    for (const { name, mac, path } of spec.nics)
        if (mac || path) wanted.set(name, mac ? `PermanentMACAddress=${mac.toLowerCase()}` : `Path=${path}`)
    const claimed = new Set(wanted.values())
    for (const name of used) {
        if (wanted.has(name)) continue
        const link = seen.links.find(one => one.name === name)
        // A pin that is there stays: a card that was exchanged is the document's to name.
        const kept = matchOf(seen.pins[name] ?? '')
        const match = kept ?? (link?.cardMac ? `PermanentMACAddress=${link.cardMac}` : undefined)
        if (match && seen.cards.includes(name) && !claimed.has(match)) wanted.set(name, match)
    }
    const steps: Step[] = []
    for (const [name, was] of Object.entries(seen.pins)) {
        const match = matchOf(was)
        const other = [...wanted].find(([to, told]) => told === match && to !== name)
        if (other && !wanted.has(name)) {
            const path = `${LINK_FOLDER}/${fileOf(name)}`
            steps.push({ do: 'remove', say: `Remove ${path} (the card is ${other[0]} from now on)`, path })
        }
    }
    for (const [name, match] of wanted) {
        const content = textOf(name, match)
        const was = seen.pins[name]
        if (was === content) continue
        const path = `${LINK_FOLDER}/${fileOf(name)}`
        const say = `${was === undefined ? 'Write' : 'Change'} ${path} (${name} keeps its name)`
        steps.push({ do: 'write', say, path, content, mode: 0o644, ...(was === undefined ? {} : { was }) })
    }
    return { steps }
}

/** The name that a pinned card has now, where it is another one. */
export function nowCalled(spec: NetworkSpec, name: string, seen: HostSeen): string | undefined {
    const pin = spec.nics.find(one => one.name === name)
    if (!pin?.mac && !pin?.path) return undefined
    const now = seen.cards.find(card => {
        const link = seen.links.find(one => one.name === card)
        return pin.mac ? link?.cardMac === pin.mac.toLowerCase() : seen.paths[card] === pin.path
    })
    return now === name ? undefined : now
}
