// The verbs of the command line, gathered from the capabilities.
import { auditVerbs } from './audit/cli.ts'
import { certificateVerbs } from './certificate/cli.ts'
import { containerVerbs } from './container/cli.ts'
import { identityVerbs } from './identity/cli.ts'
import { imageVerbs } from './image/cli.ts'
import { poolVerbs } from './image/cli-pools.ts'
import { networkVerbs } from './network/cli.ts'
import { nodeVerbs } from './node/cli.ts'
import { inspectVerbs } from './node/cli-inspect.ts'
import { stackVerbs } from './stack/cli.ts'
import { taskVerbs } from './task/cli.ts'
import type { Verb } from './verb.ts'
import { vmVerbs } from './vm/cli.ts'

export const topics = [
    { name: 'vm', summary: 'virtual machines' },
    { name: 'container', summary: 'containers, their images, volumes and networks' },
    { name: 'stack', summary: 'several containers that one Compose file describes' },
    { name: 'image', summary: 'disk images, ISO files and disks of VMs' },
    { name: 'pool', summary: 'storage pools' },
    { name: 'network', summary: 'networks that VMs join' },
    { name: 'node', summary: 'this machine' },
    { name: 'iso', summary: 'media to install nodes from, and the answers of an installation' },
    { name: 'certificate', summary: 'the certificate of the panel and API' },
    { name: 'storage', summary: 'disks of the pools of this machine' },
    { name: 'notify', summary: 'who is told when something is wrong' },
    { name: 'task', summary: 'long operations' },
    { name: 'audit', summary: 'who changed what' },
    { name: 'user', summary: 'people and their roles' },
    { name: 'token', summary: 'API tokens for programs' },
    { name: 'grant', summary: 'rights on single VMs' },
    { name: 'session', summary: 'where people are logged in' },
    { name: 'factor', summary: 'the second factor of a login' },
]

export const verbs: readonly Verb[] = [
    ...vmVerbs,
    ...containerVerbs,
    ...stackVerbs,
    ...imageVerbs,
    ...poolVerbs,
    ...networkVerbs,
    ...nodeVerbs,
    ...inspectVerbs,
    ...certificateVerbs,
    ...taskVerbs,
    ...auditVerbs,
    ...identityVerbs,
]
