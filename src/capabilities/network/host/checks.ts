// What must hold before a changed network is kept: what answered before answers again; carrier and addresses where it ran before. Pure.
import type { Finding } from '../../../base/finding.ts'
import type { Condition } from '../../../engine/step.ts'
import { type HostSeen, pingArgs } from './observe.ts'
import type { Answers } from './plan.ts'
import type { Profile } from './profiles.ts'

type ToolCondition = Extract<Condition, { is: 'tool' }>

const isSix = (address: string) => address.includes(':')

export function checksOf(
    profiles: readonly Profile[],
    seen: HostSeen,
    answers: Answers,
): { check: Condition[]; findings: Finding[] } {
    const { asked = [], answered = [] } = answers ?? {}
    const routers = new Set(seen.routes.flatMap(({ gateway }) => gateway ?? []))
    const wanted = profiles.flatMap(({ gateways }) => gateways)
    const reach = new Set<string>()
    for (const address of answered) {
        const others = wanted.filter(one => isSix(one) === isSix(address))
        // Where the document names another router, that one must answer instead.
        if (routers.has(address) && others.length > 0) for (const other of others) reach.add(other)
        else reach.add(address)
    }
    const silent = asked.filter(address => !answered.includes(address))
    const findings: Finding[] = []
    if (answers && reach.size === 0)
        findings.push({
            ...{ severity: 'warning', code: 'nobody-answers', at: 'network.check' },
            summary: 'Nothing that could be asked answers now: after the change only cable and addresses are looked at',
            detail: silent.length > 0 ? silent.join(', ') : 'there is no gateway',
            fix: 'Name an address that answers in network.check.',
        })
    else if (silent.length > 0)
        findings.push({
            ...{ severity: 'info', code: 'silent', at: 'network.check', detail: silent.join(', ') },
            summary: 'Some addresses do not answer now, and are not asked after the change',
        })
    const check = [...profiles.flatMap(one => linkChecks(one, profiles, seen)), ...[...reach].map(pingCheck)]
    return { check, findings }
}

const ip = (args: readonly string[], says: string): ToolCondition => ({ is: 'tool', tool: 'ip', args, says })
const pingCheck = (address: string): ToolCondition => ({ is: 'tool', tool: 'ping', args: pingArgs(address) })

/** A port is looked at through its bridge; nothing is asked of what had no cable before. */
function linkChecks(one: Profile, profiles: readonly Profile[], seen: HostSeen): Condition[] {
    if (one.controller) return []
    const cards = cardsBelow(one, profiles)
    const linkOf = (name: string) => seen.links.find(link => link.name === name)
    if (cards.length > 0 && !cards.some(name => linkOf(name)?.carrier)) return []
    const checks: Condition[] = []
    if (cards.length > 0) checks.push(ip(['-o', 'link', 'show', 'dev', one.name], 'LOWER_UP'))
    for (const address of one.addresses) checks.push(ip(['-o', 'addr', 'show', 'dev', one.name], ` ${address} `))
    // Where an address was before, one must be again; elsewhere DHCP may never have answered.
    const had = [one.name, ...cards].some(name => linkOf(name)?.global.some(({ address }) => !isSix(address)))
    if (one.dhcp && had) checks.push(ip(['-o', '-4', 'addr', 'show', 'dev', one.name, 'scope', 'global'], ' inet '))
    return checks
}

function cardsBelow(one: Profile, profiles: readonly Profile[]): string[] {
    return one.below.flatMap(name => {
        const below = profiles.find(other => other.name === name)
        return below && below.below.length > 0 ? cardsBelow(below, profiles) : [name]
    })
}

/** `10.0.0.1 answers`, for a sentence. */
export function keptWords(check: readonly Condition[]): string {
    const asked = check.flatMap(one => (one.is === 'tool' && one.tool === 'ping' ? one.args.at(-1)! : []))
    if (asked.length === 0) return 'cable and addresses are there'
    return `${asked.join(' and ')} ${asked.length === 1 ? 'answers' : 'answer'}`
}
