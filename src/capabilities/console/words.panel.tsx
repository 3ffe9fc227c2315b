// The words of the console.
import { catalogue } from '../words.panel.tsx'

export const words = catalogue('console', {
    console: 'Console',
    display: 'Display',
    serial: 'Serial port',
    off: 'It does not run',
    offHelp: 'Start the machine to see its console.',
    connecting: 'Connecting …',
    connected: 'Connected',
    ended: 'The connection ended',
    reconnect: 'Connect again',
    fullscreen: 'Full screen',
    cad: 'Send Ctrl-Alt-Del',
    paste: 'Paste',
    pasteTitle: 'Paste into {name}',
    pasteLabel: 'Text',
    pasteHelp: 'It is typed into the guest as if by keyboard.',
    scale: 'Fit to the window',
    take: 'Take it over',
    takeHelp: 'Someone else has this port open.',
    screen: 'Display of {name}',
    terminal: 'Serial port of {name}',
})
