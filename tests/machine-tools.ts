// Tools of a simulated machine that only answer by what they are handed: libvirt's pools, and what stands on disks.
import type { FakeTool } from '../src/ports/fake.ts'
import type { ToolRun } from '../src/ports/ports.ts'

const MIB = 1024 ** 2

export interface VirtualPool {
    path: string
    active: boolean
    autostart: boolean
}

/** virsh, as far as storage pools go. `textOf` reads a file. */
export function virshOf(virtual: Map<string, VirtualPool>, textOf: (path: string) => string): FakeTool['answer'] {
    return ({ argv }: ToolRun) => {
        const [verb = '', ...words] = argv.slice(argv.indexOf('--quiet') + 1)
        const name = words.at(-1)!
        const pool = virtual.get(name)
        if (verb === 'pool-list') return { stdout: [...virtual.keys()].map(one => `${one}\n`).join('') }
        if (verb === 'pool-define') {
            const xml = textOf(name)
            const path = /<path>(.*)<\/path>/.exec(xml)![1]!
            virtual.set(/<name>(.*)<\/name>/.exec(xml)![1]!, { path, active: false, autostart: false })
            return {}
        }
        if (!pool) return { exitCode: 1 }
        if (verb === 'pool-info')
            return {
                stdout: `State: ${pool.active ? 'running' : 'inactive'}\nAutostart: ${pool.autostart ? 'yes' : 'no'}\n`,
            }
        if (verb === 'pool-dumpxml') return { stdout: `<pool type='dir'>\n<path>${pool.path}</path>\n</pool>\n` }
        if (verb === 'pool-undefine') virtual.delete(name)
        if (verb === 'pool-start') pool.active = true
        if (verb === 'pool-destroy') pool.active = false
        if (verb === 'pool-autostart') pool.autostart = true
        return {}
    }
}

/** lsblk and wipefs: `held` says what is on each disk by its id, `pathOf` where it is now. */
export function diskTools(held: ReadonlyMap<string, string>, pathOf: (id: string) => string): FakeTool[] {
    const lsblk = () => {
        const drive = (kname: string, more: object) => ({
            ...{
                kname,
                path: `/dev/${kname}`,
                type: 'disk',
                size: 12 * 1024 * MIB,
                ro: false,
                rm: false,
                rota: false,
                ...more,
            },
        })
        const all = [...held].map(([id]) => drive(pathOf(id).slice(5), { serial: id.slice(16) }))
        return { stdout: JSON.stringify({ blockdevices: [drive('vda', { mountpoints: ['/'] }), ...all] }) }
    }
    const wipefs = ({ argv }: ToolRun) => {
        const id = [...held.keys()].find(one => pathOf(one) === argv.at(-1))
        const holds = id === undefined ? 'ext4' : held.get(id)!
        return { stdout: holds === 'blank' ? '' : JSON.stringify({ signatures: [{ type: holds, uuid: '1' }] }) }
    }
    return [
        { argv: argv => argv[0] === 'lsblk', answer: lsblk },
        { argv: argv => argv[0] === 'wipefs', answer: wipefs },
    ]
}
