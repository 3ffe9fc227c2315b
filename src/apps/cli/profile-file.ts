// What an installer that knows no node.yaml leaves of its questions: /etc/debvisor-profile, lines of KEY=value as a shell reads them.
import { z } from 'zod'
import { Fault } from '../../base/fault.ts'
import type { Probe } from '../../ports/ports.ts'

export const PROFILE_FILE = '/etc/debvisor-profile'

const diskId = z.string().regex(/^\/dev\/[A-Za-z0-9_:.+@/-]+$/)
const wishSchema = z.object({
    profile: z.enum(['ceph', 'zfs', 'mixed']),
    /** Where it says nothing, every blank disk is taken. */
    zfsDisks: z.array(diskId).optional(),
    cephDisks: z.array(diskId).optional(),
    /** What is on these may be lost. */
    destroy: z.array(diskId),
})
export type Wish = z.infer<typeof wishSchema>

/** Undefined where the file says no profile. @throws Fault `invalid` for a line that means nothing */
export async function readWish(probe: Probe): Promise<Wish | undefined> {
    const text = (await probe.readText(PROFILE_FILE)) ?? ''
    const given = (key: string) => new RegExp(`^\\s*${key}=["']?([^"'\\n]*)["']?\\s*$`, 'm').exec(text)?.[1]?.trim()
    const words = (key: string) => given(key)?.split(/\s+/).filter(Boolean)
    const profile = given('PROFILE')
    if (!profile) return undefined
    const [zfsDisks, cephDisks] = [words('ZFS_DISKS'), words('CEPH_DISKS')]
    const read = wishSchema.safeParse({
        ...{ profile, destroy: words('DESTROY') ?? [] },
        ...(zfsDisks && { zfsDisks }),
        ...(cephDisks && { cephDisks }),
    })
    if (read.success) return read.data
    const [issue] = read.error.issues
    throw new Fault('invalid', {
        summary: `${PROFILE_FILE} cannot be used`,
        detail: `${String(issue?.path[0])}: ${issue?.message}`,
        fix: 'It has PROFILE=ceph, zfs or mixed, and disks by their names in /dev/disk/by-id.',
        at: PROFILE_FILE,
    })
}

/** The same file without the consents: they were for once. */
export const withoutConsents = (text: string): string => text.replace(/^\s*DESTROY=.*\n?/gm, '')
