// What a machine boots over the network: the files of an ISO, and a script for iPXE that names each with its checksum.
import type { System } from '../../ports/ports.ts'
import { ANSWERS_NAME } from './find-answers.ts'
import { extractFromIso, liveFiles } from './xorriso.ts'

const HASH_MS = 600_000

export interface Netboot {
    iso: string
    /** Is there, and empty. */
    folder: string
    /** Of the folder, as the machines reach it; without a slash at its end. */
    url: string
    /** The text of answers, for an installation that asks nothing. */
    answers?: string
}

/** Answers the names of the files. @throws Fault when the ISO is none of DebVisor's, or there is no room */
export async function makeNetboot(system: System, { iso, folder, url, answers }: Netboot): Promise<string[]> {
    const { kernel, initrd } = await liveFiles(system, iso)
    const at = (name: string) => `${folder}/${name}`
    await extractFromIso(system, iso, {
        [kernel]: at('vmlinuz'),
        [initrd]: at('initrd.img'),
        '/live/filesystem.squashfs': at('live.squashfs'),
        '/node/node.squashfs': at('node.squashfs'),
    })
    if (answers !== undefined) await system.writeFile(at(ANSWERS_NAME), answers, 0o644)
    const names = ['live.squashfs', 'node.squashfs', ...(answers === undefined ? [] : [ANSWERS_NAME])]
    const { stdout } = await system.run({ argv: ['sha256sum', '--', ...names.map(at)], deadlineMs: HASH_MS })
    const hashes = stdout.split('\n').map(line => line.slice(0, 64))
    const hashOf = (name: string) => hashes[names.indexOf(name)]!
    await system.writeFile(at('boot.ipxe'), ipxeScript(url, hashOf, answers !== undefined), 0o644)
    return ['boot.ipxe', 'vmlinuz', 'initrd.img', ...names]
}

interface Entry {
    name: string
    title: string
    words: string
}

/** `hashOf` gives the SHA-256 of a file by its name. (https://ipxe.org/scripting) */
export function ipxeScript(url: string, hashOf: (name: string) => string, hasAnswers: boolean): string {
    const live = [
        `initrd=initrd.img boot=live fetch=${url}/live.squashfs debvisor.live.sha256=${hashOf('live.squashfs')}`,
        `debvisor.image=${url}/node.squashfs debvisor.image.sha256=${hashOf('node.squashfs')}`,
    ].join(' ')
    const serial = 'console=tty0 console=ttyS0,115200n8'
    const entries: Entry[] = [
        { name: 'install', title: 'Install DebVisor', words: 'quiet debvisor.install=screen' },
        {
            name: 'serial',
            title: 'Install DebVisor on the serial console',
            words: `${serial} quiet debvisor.install=serial`,
        },
        { name: 'live', title: 'Live system, for a look and for rescue', words: 'quiet' },
    ]
    if (hasAnswers) {
        const answers = `debvisor.answers=${url}/${ANSWERS_NAME} debvisor.sha256=${hashOf(ANSWERS_NAME)}`
        entries.push({
            name: 'automatic',
            title: 'Automatic install: by a file of answers, without a question',
            words: `console=ttyS0,115200n8 console=tty0 quiet debvisor.install=automatic ${answers}`,
        })
    }
    return [
        '#!ipxe',
        '# Boots DebVisor. What the kernel fetches is checked by the checksums below; that this script, the kernel and the',
        '# initial file system are the right ones is for the network to see to (https, or imgverify of iPXE).',
        'menu DebVisor',
        ...entries.map(({ name, title }) => `item ${name} ${title}`),
        // biome-ignore lint/suspicious/noTemplateCurlyInString: iPXE's
        'choose --timeout 30000 --default install entry && goto ${entry} || shell',
        ...entries.flatMap(({ name, words }) => ['', `:${name}`, `set words ${words}`, 'goto boot']),
        '',
        ':boot',
        `kernel ${url}/vmlinuz ${live} \${words}`,
        `initrd --name initrd.img ${url}/initrd.img`,
        'boot',
        '',
    ].join('\n')
}
