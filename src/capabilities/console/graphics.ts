// Where the display of a domain listens, out of its XML.
import { DOMParser } from '@xmldom/xmldom'
import { Fault } from '../../base/fault.ts'
import type { VncAddress } from '../../drivers/vnc/socket.ts'

/**
 * The VNC server of a running domain: its socket, or its TCP port on this machine.
 * @throws Fault `precondition` when it has none, or only one that cannot be reached from here
 */
export function vncAddress(activeXml: string, name: string): VncAddress {
    const graphics = [
        ...new DOMParser().parseFromString(activeXml, 'text/xml').getElementsByTagName('graphics'),
    ].filter(g => g.getAttribute('type') === 'vnc')
    for (const g of graphics) {
        const listens = [...g.getElementsByTagName('listen')]
        const path =
            g.getAttribute('socket') || listens.find(l => l.getAttribute('type') === 'socket')?.getAttribute('socket')
        if (path) return { path }
        const port = Number(g.getAttribute('port'))
        const host =
            listens.find(l => l.getAttribute('address'))?.getAttribute('address') ??
            g.getAttribute('listen') ??
            '127.0.0.1'
        if (port > 0) return { host: host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host, port }
    }
    throw new Fault('precondition', {
        summary: 'The VM has no VNC display',
        detail: name,
        fix: 'Open its serial console, or add a VNC display to its definition.',
    })
}
