// A disk that loses in a power cut what nobody had it flush: QEMU logs each write, and the log is played back up to there.
import { type FileHandle, open } from 'node:fs/promises'
import { tool } from '../real/world-cache.ts'

// The format of dm-log-writes, which QEMU's blklogwrites writes. (Linux Documentation/admin-guide/device-mapper/log-writes.rst)
const MAGIC = 0x6a736677736872n
const SECTOR = 512
const FLUSH = 1n
const FUA = 2n
const DISCARD = 4n
/** As many as the log may hold; a file with holes. */
const LOG_BYTES = 64 * 2 ** 30

export interface LossyDisk {
    /** Arguments of QEMU; `node` is the drive for a device. */
    argv(node: string): string[]
    /** Before each start: what is on the disk now is what a loss goes back to. */
    begin(): Promise<void>
    /** After the power went. Answers how many writes were lost. `survives` decides on each write that was not flushed. */
    lose(survives: () => boolean): Promise<{ kept: number; lost: number }>
}

/** `path` is a raw image. */
export function lossyDisk(path: string): LossyDisk {
    const before = `${path}.before`
    const log = `${path}.log`
    return {
        argv: node => [
            ...['-blockdev', `driver=raw,node-name=${node}-image,file.driver=file,file.filename=${path}`],
            '-blockdev',
            `driver=blklogwrites,node-name=${node},file=${node}-image,log.driver=file,log.filename=${log},log-sector-size=${SECTOR}`,
        ],
        async begin() {
            await tool(['cp', '--sparse=always', path, before], { deadlineMs: 300_000 })
            await tool(['rm', '-f', log])
            await tool(['truncate', '--size', String(LOG_BYTES), log])
        },
        async lose(survives) {
            await tool(['cp', '--sparse=always', before, path], { deadlineMs: 300_000 })
            const [from, to] = [await open(log, 'r'), await open(path, 'r+')]
            try {
                const writes = await entriesOf(from)
                const flushed = writes.findLastIndex(({ flags }) => (flags & FLUSH) !== 0n)
                let lost = 0
                for (const [at, write] of writes.entries()) {
                    if (at > flushed && write.bytes > 0 && !(write.flags & FUA) && !survives()) lost++
                    else await replay(write, from, to)
                }
                return { kept: writes.length - lost, lost }
            } finally {
                await Promise.all([from.close(), to.close()])
            }
        },
    }
}

interface Write {
    flags: bigint
    /** On the disk. */
    offset: number
    bytes: number
    /** Of the data in the log. */
    at: number
}

async function entriesOf(log: FileHandle): Promise<Write[]> {
    const block = Buffer.alloc(SECTOR)
    await log.read(block, 0, SECTOR, 0)
    if (block.readBigUInt64LE(0) !== MAGIC) throw new Error('QEMU has not begun the log of the disk')
    const count = Number(block.readBigUInt64LE(16))
    const entries: Write[] = []
    let at = SECTOR
    // What came after the last flush may not be counted yet: it ends where there is nothing any more.
    for (;;) {
        await log.read(block, 0, SECTOR, at)
        const [sector, sectors, flags] = [0, 8, 16].map(offset => block.readBigUInt64LE(offset)) as [
            bigint,
            bigint,
            bigint,
        ]
        if (entries.length >= count && sectors === 0n && flags === 0n) return entries
        const bytes = Number(sectors) * SECTOR
        const held = flags & DISCARD ? 0 : bytes
        entries.push({ flags, offset: Number(sector) * SECTOR, bytes, at: at + SECTOR })
        at += SECTOR + held
    }
}

async function replay({ flags, offset, bytes, at }: Write, log: FileHandle, disk: FileHandle): Promise<void> {
    // A discard promises nothing of what is read afterwards.
    if (bytes === 0 || flags & DISCARD) return
    const data = Buffer.alloc(bytes)
    await log.read(data, 0, bytes, at)
    await disk.write(data, 0, bytes, offset)
}
