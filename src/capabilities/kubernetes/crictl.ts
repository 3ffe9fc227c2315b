// crictl: which images the node's container runtime has, and fetching those that it has not. (cri-tools)
import type { Tool } from '../../engine/kit.ts'
import { CONTAINERD_SOCKET } from './versions.ts'

export const crictlTool: Tool = { name: 'crictl', program: '/usr/bin/crictl', half: 'machine' }

const ENDPOINT = ['--runtime-endpoint', CONTAINERD_SOCKET, '--image-endpoint', CONTAINERD_SOCKET]

export const askImages: [string, ...string[]] = [
    ...([crictlTool.program, ...ENDPOINT, '--timeout', '20s', 'images', '--output', 'json'] as [string, ...string[]]),
]

export const pullArgs = (image: string): string[] => [...ENDPOINT, 'pull', image]

/** Every tag of every image; empty where the answer is none. */
export function parseImages(stdout: string): string[] {
    try {
        const { images = [] } = JSON.parse(stdout) as { images?: { repoTags?: string[] }[] }
        return images.flatMap(({ repoTags }) => repoTags ?? [])
    } catch {
        return []
    }
}
