// The serial port and the display of a definition, by which a person reaches its guest.
import { attribute, type Element, find, findAll, remove } from './document.ts'
import { addDevice } from './edit.ts'

/** True where a serial port or console can be talked to. */
export const hasSerial = (domain: Element): boolean =>
    [...findAll(domain, 'devices/serial'), ...findAll(domain, 'devices/console')].some(isPty)

const isPty = (device: Element): boolean => attribute(device, 'type') === 'pty'

/** A serial port that DebVisor's console can open, or none of that kind; ports to files and sockets stay. */
export function setSerial(domain: Element, wanted: boolean): void {
    if (wanted === hasSerial(domain)) return
    if (!wanted) {
        for (const name of ['serial', 'console'])
            for (const device of findAll(domain, `devices/${name}`)) if (isPty(device)) remove(device)
        return
    }
    // The console is libvirt's name for the first serial port, so it comes only where that is the one that is added.
    const first = find(domain, 'devices/serial') === undefined && find(domain, 'devices/console') === undefined
    addDevice(domain, { name: 'serial', attributes: { type: 'pty' } })
    if (first)
        addDevice(domain, {
            name: 'console',
            attributes: { type: 'pty' },
            children: [{ name: 'target', attributes: { type: 'serial', port: 0 } }],
        })
}

const displays = (domain: Element): Element[] =>
    findAll(domain, 'devices/graphics').filter(graphics => attribute(graphics, 'type') === 'vnc')

/** True where the display can be seen by VNC. */
export const hasVnc = (domain: Element): boolean => displays(domain).length > 0

/** A display by VNC on this socket, with a card to show something on; or none by VNC. */
export function setVnc(domain: Element, wanted: boolean, socket: string): void {
    const there = displays(domain)
    if (!wanted) for (const graphics of there) remove(graphics)
    if (!wanted || there.length > 0) return
    addDevice(domain, {
        name: 'graphics',
        attributes: { type: 'vnc' },
        children: [{ name: 'listen', attributes: { type: 'socket', socket } }],
    })
    const cards = findAll(domain, 'devices/video')
    // libvirt writes a card of the kind `none` where there was no display.
    const none = cards.find(card => attribute(find(card, 'model'), 'type') === 'none')
    if (none) remove(none)
    if (none || cards.length === 0)
        addDevice(domain, {
            name: 'video',
            children: [{ name: 'model', attributes: { type: 'vga', vram: 16384, heads: 1, primary: 'yes' } }],
        })
}
