// A plan in words: what dies and what is interrupted first, then a sentence a step, files as unified diffs.
import { createTwoFilesPatch } from 'diff'
import type { Finding } from '../base/finding.ts'
import { isEmpty, type Plan, withheldBy } from './plan.ts'
import { destroyedBy, flatten, type Step } from './step.ts'

const DIFF_LINES = 60

export interface RenderOptions {
    /** Also the tools with their arguments, and whole diffs. */
    verbose?: boolean
    /** What the headings of groups are called; a resource's capability unless told. */
    titles?: Readonly<Record<string, string>>
}

/** Plain text, one trailing newline; the same for the same plan. */
export function renderPlan(plan: Plan, options: RenderOptions = {}): string {
    const lines: string[] = []
    const steps = plan.groups.flatMap(group => group.steps)
    const destroys = destroyedBy(steps)
    const disrupts = [...new Set(flatten(steps).flatMap(step => step.disrupts ?? []))]
    const withheld = withheldBy(plan)
    if (destroys.length > 0) {
        lines.push(
            'DATA WILL BE DESTROYED on:',
            ...destroys.map(target => `  ${target}${withheld.includes(target) ? '   (not agreed to yet)' : ''}`),
            '',
        )
    }
    if (disrupts.length > 0) lines.push('Will be interrupted:', ...disrupts.map(words => `  ${words}`), '')
    const findings = [...plan.errors, ...plan.findings]
    for (const finding of findings) lines.push(...findingLines(finding))
    if (findings.length > 0) lines.push('')
    if (isEmpty(plan)) lines.push('Nothing to do: the node is what the document says.')
    let title = ''
    for (const group of plan.groups) {
        const heading = titleOf(group.resource, options)
        if (heading !== title) lines.push(...(title ? [''] : []), `${heading}:`)
        title = heading
        for (const step of group.steps) lines.push(...stepLines(step, '  ', options))
        if (group.withheld.length > 0)
            lines.push(`  (waits for a yes: --destroy ${group.withheld.join(' --destroy ')})`)
        else if (group.errors.length > 0) lines.push('  (cannot be done as things are: see above)')
        else if (group.waitsFor) lines.push(`  (waits for ${group.waitsFor})`)
        for (const { reason } of group.deferred) lines.push(`  … later: ${reason}`)
    }
    if (!isEmpty(plan)) lines.push('', summaryOf(plan))
    return `${lines.join('\n')}\n`
}

/** What differs from the document, a line a step. */
export const driftLines = ({ groups }: Plan): string[] =>
    groups.flatMap(group => group.steps.map(step => `${group.resource}: ${step.say}`))

/** What a group of that resource stands under. */
export const titleOf = (resource: string, { titles }: RenderOptions) => {
    const capability = resource
        .split('.')
        .slice(0, resource.startsWith('storage.') ? 2 : 1)
        .join('.')
    return titles?.[capability] ?? capability
}

export function summaryOf(plan: Plan): string {
    const count = plan.groups.reduce((sum, group) => sum + group.steps.length, 0)
    const later = plan.groups.reduce((sum, group) => sum + group.deferred.length, 0)
    const words = [`${count} ${count === 1 ? 'step' : 'steps'}`]
    if (later > 0) words.push(`${later} more to be planned on the way`)
    const destroys = destroyedBy(plan.groups.flatMap(group => group.steps)).length
    if (destroys > 0) words.push(`destroys the data of ${destroys}`)
    return `${words.join(', ')}.`
}

export function findingLines({ severity, at, summary, detail, fix }: Finding): string[] {
    const head = `${severity}: ${at ? `${at}: ` : ''}${summary}${detail ? `: ${detail}` : ''}`
    return fix ? [head, `  ${fix}`] : [head]
}

function stepLines(step: Step, indent: string, options: RenderOptions): string[] {
    const marks = [step.destroys?.length ? 'DESTROYS DATA' : '', step.disrupts ? 'interrupts' : ''].filter(Boolean)
    const lines = [`${indent}${markOf(step)} ${step.say}${marks.length > 0 ? ` [${marks.join(', ')}]` : ''}`]
    if (options.verbose && step.do === 'run') lines.push(`${indent}    ${[step.tool, ...step.args].join(' ')}`)
    if (step.do === 'write') lines.push(...diffLines(step, `${indent}    `, options))
    if (step.do === 'guard') lines.push(...step.steps.flatMap(inner => stepLines(inner, `${indent}    `, options)))
    return lines
}

const markOf = (step: Step) => {
    if (step.destroys?.length) return '!'
    if (step.do === 'remove') return '-'
    if (step.do === 'write') return step.was === undefined && !step.secret ? '+' : '~'
    return step.do === 'install' || step.do === 'folder' || step.do === 'link' ? '+' : '>'
}

/** The lines of a unified diff without its head; undefined for what may not be shown. */
export function patchOf(step: Step & { do: 'write' }): string[] | undefined {
    if (step.secret || typeof step.content !== 'string') return undefined
    return createTwoFilesPatch('', '', step.was ?? '', step.content, '', '', { context: 2 })
        .split('\n')
        .slice(4)
        .filter(line => line !== '' && !line.startsWith('\\'))
}

function diffLines(step: Step & { do: 'write' }, indent: string, { verbose }: RenderOptions): string[] {
    const lines = patchOf(step)
    if (!lines) return [`${indent}(its contents are secret and are not shown)`]
    // Of a long one, what comes says more than what goes.
    const added = lines.length > DIFF_LINES ? lines.filter(line => line.startsWith('+')) : lines
    const shown = verbose ? lines : added.slice(0, DIFF_LINES)
    const more = lines.length - shown.length
    return [
        ...shown.map(line => `${indent}${line}`),
        ...(more > 0 ? [`${indent}… ${more} more lines (--verbose)`] : []),
    ]
}
