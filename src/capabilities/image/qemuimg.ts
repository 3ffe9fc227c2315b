// qemu-img, and nothing else that knows it: builds its argv, reads what it says, and classifies its complaints.
import { Fault } from '../../base/fault.ts'

export interface ImageInfo {
    format: string
    virtualSizeBytes: number
    /** Space it takes on disk. */
    actualSizeBytes: number
    /** Files that it refers to; empty for one that stands alone. */
    refersTo: string[]
}

/** The format is always said, and never found out from the content. */
export const infoArgv = (file: string, format: string): [string, ...string[]] => [
    'qemu-img',
    'info',
    '--output=json',
    '-f',
    format,
    local(file),
]

export const checkArgv = (file: string, format: string): [string, ...string[]] => [
    'qemu-img',
    'check',
    '--output=json',
    '-f',
    format,
    local(file),
]

/** How much room its data would take as qcow2; raw files take as much, being sparse. */
export const measureArgv = (file: string, format: string): [string, ...string[]] => [
    'qemu-img',
    'measure',
    '--output=json',
    '-O',
    'qcow2',
    '-f',
    format,
    local(file),
]

/** Bytes that `measure --output=json` says are required. */
export const parseMeasure = (stdout: string): number => {
    const requiredBytes = Number(parsed(stdout).required)
    if (Number.isFinite(requiredBytes)) return requiredBytes
    throw new Fault('internal', {
        summary: 'qemu-img said something that could not be read',
        detail: stdout.slice(0, 100),
    })
}

/** qemu-img check knows these only. */
export const isCheckable = (format: string): boolean => ['qcow2', 'vmdk', 'vdi', 'vhdx'].includes(format)

export function convertArgv(
    from: { file: string; format: string },
    to: { file: string; format: string },
): [string, ...string[]] {
    // Without compat libvirt's own default, version 2, would be made by older tools.
    const options = to.format === 'qcow2' ? ['-o', 'compat=1.1'] : []
    return [
        'qemu-img',
        'convert',
        '-p',
        '-f',
        from.format,
        '-O',
        to.format,
        ...options,
        local(from.file),
        local(to.file),
    ]
}

/** 'nbd:…', 'json:…' and the like would be read as protocols: what begins with ./ is a file. */
const local = (file: string): string => (file.startsWith('/') ? file : `./${file}`)

/** What `info --output=json` says. @throws Fault `internal` when it is not that */
export function parseInfo(stdout: string): ImageInfo {
    const said = parsed(stdout)
    const specific = (said['format-specific'] as { data?: Record<string, unknown> } | undefined)?.data ?? {}
    const extents = Array.isArray(specific.extents) ? (specific.extents as { filename?: unknown }[]) : []
    const refersTo = [said['backing-filename'], specific['data-file'], ...extents.map(e => e.filename)].filter(
        (name): name is string => typeof name === 'string' && name !== '' && name !== said.filename,
    )
    return {
        format: String(said.format),
        virtualSizeBytes: Number(said['virtual-size']),
        actualSizeBytes: Number(said['actual-size'] ?? 0),
        refersTo,
    }
}

export interface CheckResult {
    corruptions: number
    checkErrors: number
    /** Where the image's last used byte is; undefined where not said. */
    endBytes?: number
}

/** What `check --output=json` says; leaks are no corruption. */
export function parseCheck(stdout: string): CheckResult {
    const said = parsed(stdout)
    const endBytes = Number(said['image-end-offset'] ?? Number.NaN)
    return {
        corruptions: Number(said.corruptions ?? 0),
        checkErrors: Number(said['check-errors'] ?? 0),
        ...(Number.isFinite(endBytes) ? { endBytes } : {}),
    }
}

function parsed(stdout: string): Record<string, unknown> {
    try {
        const said = JSON.parse(stdout)
        if (said !== null && typeof said === 'object' && !Array.isArray(said)) return said
    } catch {
        // Said below.
    }
    throw new Fault('internal', {
        summary: 'qemu-img said something that could not be read',
        detail: stdout.slice(0, 100),
    })
}

/** The last fraction (0 to 1) in what `-p` writes, such as `    (40.00/100%)\r`. */
export function parseProgress(chunk: string): number | undefined {
    const last = [...chunk.matchAll(/\((\d+(?:\.\d+)?)\/100%\)/g)].at(-1)
    return last ? Number(last[1]) / 100 : undefined
}

/** What qemu-img complained of, as a Fault whose words are ours. Its own stay in the cause, for the log. */
export function classify(run: { exitCode: number; stderr: string }, what: string): Fault {
    const { exitCode, stderr } = run
    const cause = new Error(stderr.trim().slice(0, 2000) || `exit ${exitCode}`)
    const fault = (code: ConstructorParameters<typeof Fault>[0], summary: string, fix: string) =>
        new Fault(code, { summary, detail: what, fix, at: 'source', cause })
    if (/No space left on device|File too large/.test(stderr) || exitCode === 128 + 25) {
        return fault('exhausted', 'There is no room for the converted image', 'Make room, or choose another pool.')
    }
    if (
        exitCode === 128 + 24 ||
        exitCode === 128 + 9 ||
        /cannot allocate memory|out of memory|Resource temporarily unavailable/i.test(stderr)
    ) {
        return fault(
            'denied',
            'The image asks for more time or memory than an image may',
            'Convert it where it was made, then try again.',
        )
    }
    if (
        /is not in .* format|invalid (VMDK|VPC) image|Invalid (footer|header)|image not in|not a valid|bad signature|wrong magic/i.test(
            stderr,
        )
    ) {
        return fault('invalid', 'The image is not of the format that was declared', 'Declare the format that it has.')
    }
    if (/Image is too big|max supported is|too large/i.test(stderr)) {
        return fault(
            'invalid',
            'The image claims a size that no disk has',
            'Look at where it comes from; it is damaged or meant ill.',
        )
    }
    if (/unsupported|not supported|Unsupported|unknown compression/i.test(stderr)) {
        return fault(
            'unsupported',
            'The image uses a feature that qemu-img of this node does not know',
            'Convert it where it was made.',
        )
    }
    return fault(
        'invalid',
        'The image cannot be read',
        'Transfer it again with its checksum; if it stays so, it is damaged.',
    )
}
