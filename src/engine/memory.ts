// The fake machine with a disk that can be full and can lose power, for tests of what has to survive both.
import { Fault } from '../base/fault.ts'
import { fakeSystem } from '../ports/fake.ts'
import type { System } from '../ports/ports.ts'

export interface MemoryDisk {
    system: System
    /** The text of a file, '' where there is none. */
    text(path: string): string
    put(path: string, text: string): void
    /** While set, every write fails with it; `after` lets that many characters of an append through (a torn line). */
    trouble?: { fault: Fault; after?: number }
    /** Durable writes so far: appends (one fsync each) and whole files. */
    appends: number
    writes: number
    /** Another disk with what this one holds now: what is there after a power cut. */
    cut(): MemoryDisk
}

export const diskFull = () => new Fault('exhausted', { summary: 'The disk is full' })

/** An empty disk, or one that holds `files`; everything below /state can be written. */
export function memoryDisk(files: Record<string, string | Uint8Array> = {}): MemoryDisk {
    const fake = fakeSystem({ files, writable: ['/state'] })
    const check = () => {
        if (disk.trouble) throw disk.trouble.fault
    }
    const system: System = {
        ...fake,
        writeFile: async (...args) => {
            check()
            disk.writes++
            await fake.writeFile(...args)
        },
        rename: async (from, to) => {
            check()
            await fake.rename(from, to)
        },
        openLines: async (path, mode) => {
            const file = await fake.openLines(path, mode)
            return {
                close: file.close,
                append: async line => {
                    await null
                    const { trouble } = disk
                    if (trouble?.after) disk.put(path, disk.text(path) + line.slice(0, trouble.after))
                    check()
                    disk.appends++
                    await file.append(line)
                },
            }
        },
        readStream: async function* (path, offset = 0, length) {
            // Small pieces, so that readers meet lines that go over their edges.
            for await (const all of fake.readStream(path, offset, length)) {
                for (let at = 0; at < all.length; at += 1000) yield all.subarray(at, at + 1000)
            }
        },
    }
    const disk: MemoryDisk = {
        system,
        ...{ appends: 0, writes: 0 },
        text: path => Buffer.from(fake.files.get(path) ?? '').toString('utf8'),
        put: (path, text) => void fake.files.set(path, Buffer.from(text)),
        cut: () => memoryDisk(Object.fromEntries([...fake.files].filter(([, data]) => data !== null)) as typeof files),
    }
    return disk
}
