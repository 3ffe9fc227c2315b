// From a text and its variables to what can be brought up: read, handed to Compose, judged, and made ready.
import { Fault } from '../../base/fault.ts'
import { type Finding, hasErrors } from '../../base/finding.ts'
import type { DocumentFinding } from '../../engine/document.ts'
import type { Compose, Project } from './compose.ts'
import { effectiveModel } from './effective.ts'
import { type HostReach, refusedIn, serviceMarks, thingMarks } from './marks.ts'
import { type Model, othersOf, type Told, toldBy } from './model.ts'
import { readFile } from './read.ts'
import { checkValues, type Value } from './values.ts'

export interface Source {
    name: string
    file: string
    values: readonly Value[]
    scale: Readonly<Record<string, number>>
    /** Where relative paths of an imported file begin; empty: it has none. */
    folder: string
    /** Of the stack. */
    key: string
}

export interface Prepared {
    /** What Compose is given to bring up. */
    project: Project
    model: Model
    hashes: Record<string, string>
    /** By service, and of the stack as a whole. */
    marks: Record<string, string[]>
    allMarks: string[]
    exposed: ReadonlySet<string>
    /** It opens published ports to other machines. */
    opens: boolean
    others: { networks: string[]; volumes: string[] }
    tags: string[]
    /** Tags that single services give themselves. */
    ownTags: string[]
    findings: Finding[]
}

export interface PrepareDeps {
    compose: Compose
    marksOf(host: HostReach): string[]
    /** Of volumes that are there: by its options one can be any path of the node. */
    volumeMarks(names: string[]): Promise<string[]>
    /** Where relative paths of a stack would begin. */
    folderOf(name: string): string
}

const LABEL_TAGS = 'debvisor.tags'

/** @throws Fault `invalid` with all that is wrong, each with its line in the detail */
export async function prepare(deps: PrepareDeps, source: Source): Promise<Prepared> {
    checkValues(source.values)
    const { file, findings: wrong, lineOf } = readFile(source.file)
    if (!file) throw fileFault(wrong)
    const folder = source.folder || deps.folderOf(source.name)
    const project: Project = { name: source.name, file, values: source.values, folder }
    const withLines = (findings: Finding[]) => fileFault(findings.map(one => ({ ...one, line: lineOf(one.at) })))
    const { model: said, warnings } = await deps.compose.config(project).catch(thrown => {
        throw thrown instanceof Fault && thrown.findings.length > 0 ? withLines(thrown.findings) : thrown
    })
    const refused = refusedIn(said, source.folder ? undefined : folder)
    if (refused.length > 0) throw withLines(refused)
    const told = toldBy(file)
    const { scale, values, key } = source
    const model = effectiveModel(said, { ...told, scale, contents: { values, key } })
    const ready = { ...project, file: model }
    const hashes = await deps.compose.hashes(ready)
    const marks = Object.fromEntries(
        Object.entries(said.services).map(([name, service]) => [name, serviceMarks(service, deps.marksOf)]),
    )
    const volumes = Object.entries(said.volumes ?? {}).map(([key, volume]) => volume?.name ?? `${said.name}_${key}`)
    const things = [...thingMarks(said), ...(await deps.volumeMarks(volumes))]
    const publishing = Object.keys(said.services).filter(name => (said.services[name]!.ports ?? []).length > 0)
    return {
        ...{ project: ready, model, hashes, marks },
        allMarks: [...new Set([...Object.values(marks).flat(), ...things])].sort(),
        exposed: told.exposed,
        opens: publishing.some(name => told.exposed.has(name)),
        others: othersOf(said),
        tags: [...told.tags],
        ownTags: Object.values(said.services).flatMap(({ labels }) => (labels?.[LABEL_TAGS] ?? '').split(/\s*,\s*/)),
        findings: [...warnings, ...closedPorts(said, told)],
    }
}

/** What is wrong with a text, line by line; for an editor. Never throws for what stands in it. */
export async function findingsOf(deps: PrepareDeps, source: Source): Promise<DocumentFinding[]> {
    try {
        const { findings, allMarks } = await prepare(deps, source)
        const { lineOf } = readFile(source.file)
        const reaching: Finding[] =
            allMarks.length === 0
                ? []
                : [
                      {
                          ...{ severity: 'warning', code: 'reaches-node', at: 'services' },
                          summary: 'This reaches past its containers into the node',
                          ...{ detail: allMarks.join(', '), fix: 'It needs the permission container.host.' },
                      },
                  ]
        return [...reaching, ...findings].map(one => ({ ...one, line: lineOf(one.at) }))
    } catch (thrown) {
        if (thrown instanceof Fault && hasErrors(thrown.findings)) return thrown.findings as DocumentFinding[]
        throw thrown
    }
}

/** Ports that were written as if for everybody, and are this machine's alone. */
function closedPorts(model: Model, { exposed }: Told): Finding[] {
    const closed = Object.entries(model.services).flatMap(([name, service]) =>
        !exposed.has(name) && (service.ports ?? []).length > 0
            ? [`${name}: ${service.ports!.map(({ published, target }) => published || `any for ${target}`).join(', ')}`]
            : [],
    )
    if (closed.length === 0) return []
    return [
        {
            ...{ severity: 'info', code: 'ports-closed', at: 'services' },
            ...{ summary: 'These ports are reached from this node only', detail: closed.join('; ') },
            fix: 'To open them to other machines, write x-debvisor: { expose: lan }.',
        },
    ]
}

export function fileFault(findings: readonly DocumentFinding[]): Fault {
    const first = findings[0]
    const words = findings
        .slice(0, 10)
        .map(
            ({ line, summary, detail }) =>
                `${line > 0 ? `line ${line}: ` : ''}${summary}${detail ? `: ${detail}` : ''}`,
        )
    return new Fault('invalid', {
        summary: 'The file cannot be used like this',
        detail: words.join('; '),
        fix: first?.fix ?? '',
        at: 'compose_file',
        findings: [...findings],
    })
}
