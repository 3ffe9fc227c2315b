// virsh for what is set up before the daemon runs: the storage pool. (virsh(1); the daemon itself speaks libvirt's protocol.)
import type { Tool } from '../../engine/kit.ts'

export const virshTool: Tool = { name: 'virsh', program: '/usr/bin/virsh', half: 'machine' }

const ask = (...words: string[]): [string, ...string[]] => [
    '/usr/bin/virsh',
    '--connect',
    'qemu:///system',
    '--quiet',
    ...words,
]
export const virshArgs = (...words: string[]): string[] => ask(...words).slice(1)

export const listPools = ask('pool-list', '--all', '--name')
export const parseNames = (stdout: string): string[] =>
    stdout
        .split('\n')
        .map(line => line.trim())
        .filter(Boolean)

export const poolInfo = (name: string) => ask('pool-info', name)

/** `State: running`, `Autostart: yes`. */
export function parsePoolInfo(stdout: string): { active: boolean; autostart: boolean } {
    const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(stdout)?.[1]
    return { active: field('State') === 'running', autostart: field('Autostart') === 'yes' }
}

export const poolXml = (name: string) => ask('pool-dumpxml', '--inactive', name)

/** The folder of a pool of type dir; undefined for other types. */
export const parsePoolPath = (xml: string): string | undefined =>
    /^<pool type=['"]dir['"]/m.test(xml.trim()) ? /<path>([^<]+)<\/path>/.exec(xml)?.[1] : undefined
