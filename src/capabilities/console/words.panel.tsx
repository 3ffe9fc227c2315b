// The words of the console.
import { catalogue } from '../words.panel.tsx'

export const words = catalogue('console', {
    console: 'Console',
    display: 'Display',
    serial: 'Serial port',
    off: 'It does not run',
    offHelp: 'Start the machine to see its console.',
    links: {
        connecting: 'Connecting …',
        connected: 'Connected',
        ended: 'The connection ended',
        closed: 'Not connected',
    },
    reconnect: 'Connect again',
    fullscreen: 'Full screen',
    cad: 'Send Ctrl-Alt-Del',
    keys: 'Send other keys',
    fit: 'Fit into the window',
    popOut: 'In a window of its own',
    gone: 'There is no such virtual machine',
    goneHelp: 'It was deleted, or you may not see it.',
    paste: 'Paste',
    pasteTitle: 'Paste into {name}',
    pasteLabel: 'Text',
    pasteHelp: 'It is typed into the guest as if by keyboard.',
    take: 'Take it over',
    takeHelp: 'Wait until it is free, or take it over: the other connection ends.',
    screen: 'Display of {name}',
    terminal: 'Serial port of {name}',
})
