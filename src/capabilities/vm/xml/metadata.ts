// What DebVisor keeps in a domain's <metadata>, which libvirt carries without knowing it: reading and writing.
import {
    attribute,
    children,
    type Element,
    find,
    type NewElement,
    renderXml,
    textAt,
    VM_NAMESPACE,
} from './document.ts'

export interface VmMetadata {
    owner: string
    tags: string[]
    notes: string
    template: boolean
    /** 0: no order. */
    startOrder: number
    startDelaySeconds: number
    /** DebVisor starts it, in its order, when the node starts; libvirt's own autostart is off then. */
    ordered: boolean
    /** linux, windows, other; empty where nobody said. */
    os: string
    /** `pool/volume` of the cloud-init seed; empty where there is none. */
    seed: string
}

export const noMetadata = (): VmMetadata => ({
    owner: '',
    tags: [],
    notes: '',
    template: false,
    startOrder: 0,
    startDelaySeconds: 0,
    ordered: false,
    os: '',
    seed: '',
})

/** The prefix that our element has, and the key that `domainSetMetadata` wants. */
export const METADATA_KEY = 'debvisor'

/** From a `<domain>`; what is not there has its empty value. */
export function readMetadata(domain: Element): VmMetadata {
    const holder = find(domain, 'metadata')
    const ours = holder && children(holder).find(e => e.namespaceURI === VM_NAMESPACE && e.localName === 'vm')
    if (!ours) return noMetadata()
    const start = find(ours, 'start')
    const whole = (text: string) => (/^\d{1,9}$/.test(text) ? Number(text) : 0)
    return {
        owner: textAt(ours, 'owner'),
        tags: (find(ours, 'tags') ? children(find(ours, 'tags')!, 'tag') : [])
            .map(tag => (tag.textContent ?? '').trim())
            .filter(tag => tag !== ''),
        notes: textAt(ours, 'notes'),
        template: find(ours, 'template') !== undefined,
        startOrder: whole(attribute(start, 'order')),
        startDelaySeconds: whole(attribute(start, 'delay')),
        ordered: attribute(start, 'auto') === 'yes',
        os: textAt(ours, 'os'),
        seed: textAt(ours, 'seed'),
    }
}

/** Our element for a new domain: a child of `<metadata>`. */
export function metadataElement(metadata: VmMetadata, prefix = `${METADATA_KEY}:`): NewElement {
    const text = (name: string, value: string): NewElement | undefined =>
        value === '' ? undefined : { name: `${prefix}${name}`, text: value }
    const { startOrder, startDelaySeconds, ordered } = metadata
    const starts = startOrder > 0 || startDelaySeconds > 0 || ordered
    return {
        name: `${prefix}vm`,
        attributes: prefix === '' ? {} : { [`xmlns:${METADATA_KEY}`]: VM_NAMESPACE },
        children: [
            text('owner', metadata.owner),
            text('os', metadata.os),
            text('notes', metadata.notes),
            text('seed', metadata.seed),
            metadata.template ? { name: `${prefix}template` } : undefined,
            starts
                ? {
                      name: `${prefix}start`,
                      attributes: {
                          order: startOrder || undefined,
                          delay: startDelaySeconds || undefined,
                          auto: ordered ? 'yes' : undefined,
                      },
                  }
                : undefined,
            metadata.tags.length > 0
                ? { name: `${prefix}tags`, children: metadata.tags.map(tag => ({ name: `${prefix}tag`, text: tag })) }
                : undefined,
        ],
    }
}

/** The text that `domainSetMetadata` takes: libvirt gives it the namespace by itself. */
export const metadataText = (metadata: VmMetadata): string => renderXml(metadataElement(metadata, ''))
