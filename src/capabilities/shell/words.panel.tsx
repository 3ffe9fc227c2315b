// The words of the shell on the node.
import { catalogue } from '../words.panel.tsx'

export const words = catalogue('shell', {
    title: 'Shell',
    openTitle: 'Open a shell of root on {name}',
    openText:
        'It may do everything on this node, without a plan and without a way back. That you opened it, from where and for how long is in the audit log; what you type there is not.',
    open: 'Open the shell',
    again: 'Open another one',
    terminalOf: 'Shell of root on {name}',
    links: {
        connecting: 'Connecting …',
        connected: 'Connected as root',
        ended: 'The shell has ended',
        refused: 'The shell was not opened',
    },
})
