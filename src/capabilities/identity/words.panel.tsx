// The words of login, users, tokens and sessions.
import { catalogue, fill } from '../words.panel.tsx'

export const words = catalogue('identity', {
    login: 'Log in',
    loginTitle: 'Log in to DebVisor',
    loginText: 'Virtual machines on this node',
    again: 'Log in again',
    againText: 'Your session has ended. Log in to go on where you were.',
    user: 'Name',
    password: 'Password',
    firstTitle: 'Welcome to DebVisor',
    firstText: 'Make the first administrator.',
    passwordHelp: 'At least 12 characters.',
    repeat: 'Password again',
    different: 'The two passwords are not the same.',
    begin: 'Begin',
    logout: 'Log out',
    account: 'Your account',
    users: 'Users',
    usersTokens: 'Users and access',
    role: 'Role',
    roles: {
        admin: 'Administrator',
        operator: 'Operator',
        viewer: 'Viewer',
        auditor: 'Auditor',
        '': 'Only what is granted',
    },
    fullName: 'Full name',
    lastLogin: 'Last login',
    never: 'Never',
    locked: 'Locked',
    activeUser: 'Active',
    addUser: 'Add user',
    editUser: 'Change {name}',
    lock: 'Lock',
    unlock: 'Unlock',
    newPassword: 'New password',
    newPasswordHelp: 'Empty: it stays as it is.',
    deleteUser: 'Delete',
    deleteTitle: 'Delete user {name}?',
    deleteText: 'Their sessions and tokens end. Their machines stay.',
    sessions: 'Sessions',
    session: 'Session',
    from: 'From',
    agent: 'Browser or program',
    agentOn: '{browser} on {system}',
    lastUsed: 'Last used',
    expires: 'Ends',
    thisOne: 'This one',
    revoke: 'End',
    revokeAll: 'Log out everywhere else',
    tokens: 'Tokens for programs',
    newToken: 'New token',
    tokenName: 'What it is for',
    tokenScope: 'Limit to',
    tokenScopeHelp: 'Permissions such as vm.view or vm.*, separated by spaces. Empty: all of yours.',
    tokenDays: 'Days until it ends',
    tokenReady: 'Copy the token now',
    tokenReadyText: 'It is shown only this once.',
    noTokens: 'No token yet.',
    allRights: 'All of yours',
    changePassword: 'Change password',
    oldPassword: 'Password now',
    changed: 'Password changed',
    grants: 'Rights on single machines',
    addGrant: 'Give rights',
    grantOn: 'On',
    grantVm: 'One virtual machine',
    grantTag: 'Every machine with the tag',
    noGrants: 'None: everyone has the rights of their role.',
    tagged: 'Tag {tag}',
    take: 'Take away',
    none: 'None',
})

export const roleWord = (role: string): string => (words.roles as Record<string, string>)[role] ?? role

export const roleChoices = ['admin', 'operator', 'viewer', 'auditor', ''].map(role => ({
    value: role,
    label: roleWord(role),
}))

// Each browser names those before it as well, and Android names Linux.
const browsers = [
    ['Firefox', /Firefox\//],
    ['Edge', /Edg\//],
    ['Chrome', /Chrome\//],
    ['Safari', /Safari\//],
] as const
const systems = [
    ['Android', /Android/],
    ['iOS', /iPhone|iPad/],
    ['Windows', /Windows/],
    ['macOS', /Mac OS X/],
    ['Linux', /Linux/],
] as const

/** 'Chrome on Linux' from what a browser calls itself; anything else is shown as it is. */
export function agentWord(agent: string): string {
    const browser = browsers.find(([, sign]) => sign.test(agent))?.[0]
    const system = systems.find(([, sign]) => sign.test(agent))?.[0]
    return browser && system ? fill(words.agentOn, { browser, system }) : agent
}
