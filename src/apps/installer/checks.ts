// What is wrong with an answer, in a sentence; undefined where nothing is.

import { asFault } from '../../base/fault.ts'
import { checkPassword } from '../../capabilities/identity/password.ts'
import { checkUserName } from '../../capabilities/identity/user-name.ts'
import type { Choices, Password } from '../../capabilities/install/choices.ts'
import { rootFileSystem } from '../../capabilities/install/spec-answers.ts'
import { contains, parseAddress, parseCidr } from '../../capabilities/network/cidr.ts'
import { nodeSpec } from '../../capabilities/node/spec.ts'
import { checkUsers, usersSpec } from '../../capabilities/users/spec.ts'

/** `whose` is told where there are several; the rules are those of the panel. */
export function wrongPassword(whose: string, { first, second }: Password, user: string): string | undefined {
    const of = whose ? ` of ${whose}` : ''
    if (!first) return `Type a password${of}.`
    try {
        checkPassword(first, user)
    } catch (thrown) {
        const { detail } = asFault(thrown)
        return whose ? `The password${of} cannot be used: ${detail}.` : `${detail[0]!.toUpperCase()}${detail.slice(1)}.`
    }
    return first === second ? undefined : `The two passwords${of} are not the same.`
}

/** It has to do for the system and for the panel. */
export function wrongUser(name: string): string | undefined {
    const users = usersSpec.safeParse({ administrators: [{ name }] })
    if (!users.success) return 'A name has small letters, digits, dashes and underscores, a letter first.'
    const [finding] = checkUsers({ users: users.data })
    if (finding) return `The name of the administrator cannot be ${name}: it belongs to an account of the system.`
    try {
        checkUserName(name)
        return undefined
    } catch {
        return `The name of the administrator cannot be ${name}.`
    }
}

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

export function wrongName(name: string): string | undefined {
    const labels = name.split('.')
    if (labels.every(label => LABEL.test(label)) && name !== 'localhost' && name.length <= 253) return undefined
    return 'The name of the node has small letters, digits and dashes, with dots before its domain.'
}

export function wrongAddress({ address, gateway, dns }: Choices['network']): string | undefined {
    const network = parseCidr(address.trim())
    if (!network || !address.includes('/') || network.version !== 4)
        return 'Write the address with its length, such as 192.0.2.10/24.'
    if (gateway.trim()) {
        const router = parseAddress(gateway.trim())
        if (router?.version !== 4) return 'The gateway is an address such as 192.0.2.1.'
        if (!contains(network, router)) return 'The gateway is not in the network of the address.'
    }
    const wrong = dns.split(/[\s,]+/).find(one => one && !parseAddress(one))
    return wrong ? `A name server is an address, and ${wrong} is none.` : undefined
}

/** By the words of the document itself. */
export function wrongSettings({ locale, keyboard, timezone, rootFs, key }: Choices): string | undefined {
    const node = nodeSpec.safeParse({ locale, keyboard, timezone })
    if (!node.success) {
        const [issue] = node.error.issues
        const called = { locale: 'language', keyboard: 'keyboard', timezone: 'time zone' }[String(issue?.path[0])]
        return `The ${called} cannot be used. ${issue?.message}.`
    }
    if (!rootFileSystem.safeParse(rootFs).success) return 'The file system of the system is ext4 or xfs.'
    if (!key.trim()) return undefined
    const users = usersSpec.safeParse({ administrators: [{ name: 'ann', keys: [key.trim()] }] })
    return users.success ? undefined : 'That is no public SSH key. Paste the line of a file such as id_ed25519.pub.'
}
