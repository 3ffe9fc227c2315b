// A seed as people may see it: what it does, with every value hidden that is not known to be harmless.
import { parseDocument, stringify } from 'yaml'
import { mappingOf } from './spec-seed.ts'

export interface SeedText {
    name: string
    text: string
    /** Something of it is not shown. */
    hidden: boolean
}

const HIDDEN = '[hidden]'
/** Keys of cloud-config whose values tell nothing that opens a door (its reference, 'Module reference'). */
const HARMLESS = new Set(
    (
        'hostname fqdn manage_etc_hosts prefer_fqdn_over_hostname preserve_hostname user users name gecos groups ' +
        'primary_group shell sudo lock_passwd system no_create_home homedir ssh_authorized_keys ssh_import_id ssh_pwauth ' +
        'disable_root packages package_update package_upgrade package_reboot_if_required timezone locale keyboard layout ' +
        'model variant options growpart mode devices ignore_growroot_disabled resize_rootfs ntp enabled servers pools ' +
        'write_files path owner permissions encoding append defer swap filename size maxsize power_state delay timeout ' +
        'condition ssh_deletekeys ssh_genkeytypes expire inactive instance-id local-hostname dsmode'
    ).split(' '),
)
/** Of no value themselves, but what is below them is looked at one by one. */
const FOLDERS = new Set(['chpasswd'])
/** In a network configuration it is the other way round: addresses are what one wants to see. */
const SECRET = /pass|secret|psk|key|token|auth|identity|cert|wpa/i

/** The files of a seed, the one that people look for first. */
export function shownSeed(files: Readonly<Record<string, string>>): SeedText[] {
    const order = ['user-data', 'network-config', 'meta-data']
    const place = (name: string) => (order.indexOf(name) + order.length + 1) % (order.length + 1)
    return Object.keys(files)
        .sort((a, b) => place(a) - place(b) || a.localeCompare(b))
        .map(name => ({ name, ...shown(name, files[name] ?? '') }))
}

function shown(name: string, text: string): Omit<SeedText, 'name'> {
    const isYaml = name === 'meta-data' || name === 'network-config' || /^#cloud-config\s*?(\n|$)/.test(text)
    const mapping = isYaml ? mappingOf(text) : undefined
    if (mapping === undefined) return firstLine(text)
    let hidden = false
    const isHidden = name === 'network-config' ? (key: string) => SECRET.test(key) : (key: string) => !HARMLESS.has(key)
    const walk = (value: unknown, hide: boolean): unknown => {
        if (Array.isArray(value)) return value.map(one => walk(one, hide))
        if (value !== null && typeof value === 'object')
            return Object.fromEntries(
                // What is below something unknown is unknown, too.
                Object.entries(value).map(([key, inner]) => [key, walk(inner, hide || hides(key, inner))]),
            )
        if (value === null || typeof value === 'boolean' || !hide) return value
        hidden = true
        return HIDDEN
    }
    const hides = (key: string, inner: unknown) => isHidden(key) && !(FOLDERS.has(key) && typeof inner === 'object')
    const body = stringify(walk(mapping, false), { lineWidth: 0 })
    // Comments are words of somebody, and may say anything: they are left out.
    hidden ||= parseDocument(text).comment !== null && parseDocument(text).comment !== undefined
    return { text: name === 'user-data' ? `#cloud-config\n${body}` : body, hidden }
}

/** Of scripts and parts of all kinds nobody knows what is in them. */
function firstLine(text: string): Omit<SeedText, 'name'> {
    const [first = '', ...rest] = text.split('\n')
    const known =
        /^(#!|#cloud-boothook|#include|#part-handler|## template: jinja|Content-Type: multipart|MIME-Version:)/
    const head = known.exec(first)?.[0] ?? ''
    return {
        text: `${head === '#!' ? first.split(' ')[0] : head}\n[${rest.length} lines hidden]\n`.trimStart(),
        hidden: true,
    }
}
