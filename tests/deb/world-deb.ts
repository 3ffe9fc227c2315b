// The package as it was built, and a Debian 13 without anything of ours, to install it into by apt and to judge it by lintian.
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { buildDeb } from '../../scripts/deb.ts'
import { debianMirror } from '../../scripts/mirror.ts'
import { cached, tool } from '../real/world-cache.ts'

// A kept tree must not name the mirror that it was made from.
const hooks = ['rm -f "$1/etc/apt/sources.list" "$1"/etc/apt/sources.list.d/*', ': >"$1/etc/machine-id"']
const settings = ['--aptopt=APT::Install-Recommends "false"', '--dpkgopt=force-unsafe-io']

/** Why the package cannot be tried on this machine; empty when it can. */
export const whyNoRoot = (): string => (process.getuid?.() === 0 ? '' : 'a Debian of its own needs root')

export interface Root {
    /** Runs a line of its shell as root. Rejects with what it wrote on standard error when it fails. */
    sh(line: string, deadlineMs?: number): Promise<string>
    /** Where the package lies in it, and outside. */
    deb: string
    built: string
    remove(): Promise<void>
}

function mirror(): string {
    const found = debianMirror()
    if (!found) throw new Error('no Debian mirror stands in /etc/apt: add the sources and run again')
    return found
}

/** A fresh one, with lintian in it and the package beside it. Nothing starts in it: there is no systemd that runs. */
export async function freshRoot(): Promise<Root> {
    const base = join(await cached('deb-root', JSON.stringify([settings, hooks]), make), 'root')
    const built = await buildDeb()
    const folder = await mkdtemp(join(tmpdir(), 'dv-deb-'))
    const extra = join(folder, 'extra')
    for (const name of ['extra', 'up', 'work', 'root']) await mkdir(join(folder, name))
    await cp(built, join(extra, basename(built)))
    await writeFile(join(extra, 'sources.list'), `deb ${mirror()} trixie main\n`)
    const words = [
        'unshare',
        '--mount',
        '--pid',
        '--fork',
        '--kill-child',
        '--propagation',
        'private',
        'sh',
        '-eu',
        '-c',
    ]
    return {
        deb: `/mnt/${basename(built)}`,
        built,
        sh: (line, deadlineMs = 120_000) => tool([...words, inside, folder, base, line], { deadlineMs }),
        remove: () => rm(folder, { recursive: true, force: true }),
    }
}

/** The mounts end with the shell; what was written stays in the upper folder for the next line. */
const inside = `
mount -t overlay overlay -o "lowerdir=$1,upperdir=$0/up,workdir=$0/work" "$0/root"
cd "$0/root"
mount -t proc proc proc
mount --rbind /dev dev
mount --bind "$0/extra" mnt
cp mnt/sources.list etc/apt/sources.list
cp /etc/resolv.conf etc/resolv.conf
exec chroot . env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive sh -c "$2"
`

async function make(folder: string): Promise<void> {
    const words = ['mmdebstrap', '--mode=root', '--variant=apt', ...settings, '--include=lintian']
    const asked = hooks.map(hook => `--customize-hook=${hook}`)
    await tool([...words, ...asked, 'trixie', join(folder, 'root'), mirror()], { deadlineMs: 900_000 })
}
