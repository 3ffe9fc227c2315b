// crictl: which images the node's container runtime has. (crictl-images of cri-tools)
import { CONTAINERD_SOCKET } from './versions.ts'

export const CRICTL = '/usr/bin/crictl'

export const listImages: [string, ...string[]] = [
    ...([CRICTL, '--runtime-endpoint', CONTAINERD_SOCKET, '--timeout', '20s', 'images', '--output', 'json'] as const),
]

/** Every tag of every image; empty where the answer is none. */
export function parseImages(stdout: string): string[] {
    try {
        const { images = [] } = JSON.parse(stdout) as { images?: { repoTags?: string[] }[] }
        return images.flatMap(({ repoTags }) => repoTags ?? [])
    } catch {
        return []
    }
}
