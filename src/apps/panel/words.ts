// The words of the frame around the pages.
import { catalogue } from '../../capabilities/words.panel.tsx'

export const words = catalogue('frame', {
    navigation: 'Main',
    openNavigation: 'Navigation',
    account: 'Your account',
    theme: 'Theme',
    system: 'As the system',
    light: 'Light',
    dark: 'Dark',
    logout: 'Log out',
    skip: 'Skip to the page',
    content: 'Page',
    user: 'Account of {name}',
    notices: 'Notices',
    dismiss: 'Dismiss {title}',
    away: 'The server did not answer',
    awayText: 'This page tries again by itself.',
})
