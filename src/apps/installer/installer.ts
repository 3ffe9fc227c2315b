// The installer from its first question to the restart: asks, shows the plan, installs, and says what to do when it fails.
import { asFault, type Fault } from '../../base/fault.ts'
import type { Choices, Found } from '../../capabilities/install/choices.ts'
import type { Phase } from '../../capabilities/install/install.ts'
import type { Words } from '../../capabilities/install/words.ts'
import type { ApplyEvent } from '../../engine/apply.ts'
import { ask, askAdvanced, askAll, PAGES, sure } from './ask.ts'
import type { Item, View } from './form.ts'
import { draw } from './layout.ts'
import { drawProgress, heard, noProgress, type Progress } from './progress.ts'
import type { Terminal } from './terminal.ts'

/** What the screens need of the machine. */
export interface Machine<Job> {
    found(): Promise<Found>
    /** Settles what was chosen; touches nothing. */
    prepare(choices: Choices, found: Found): Promise<{ job: Job; words: Words }>
    install(
        job: Job,
        telling: { signal: AbortSignal; onPhase(phase: Phase): void; onEvent(event: ApplyEvent): void },
    ): Promise<void>
    /** A shell at the terminal, until it is left. */
    shell(): Promise<void>
    /** Writes the log to a stick; answers where. @throws Fault where there is none */
    saveLog(text: string): Promise<string>
    restart(): Promise<void>
    now(): number
}

type End = 'restart' | 'left'

const text = (words: string, style?: 'dim' | 'strong' | 'danger' | 'good'): Item => ({
    ...{ is: 'text', text: words },
    ...(style ? { style } : {}),
})

/** Until the machine restarts, or the person leaves. */
export async function runInstaller<Job>(terminal: Terminal, machine: Machine<Job>): Promise<End> {
    let choices: Choices | undefined
    for (;;) {
        const found = await waiting(terminal, 'Looking at this machine ...', () => machine.found())
        choices = await askAll(terminal, found, choices)
        if (!choices) return 'left'
        const planned = await planPage(terminal, machine, choices, found)
        choices = planned.choices
        if (!('job' in planned)) continue
        const end = await installing(terminal, machine, planned)
        if (end === 'anew') continue
        return end
    }
}

/** What takes a moment, with words for it. */
async function waiting<T>(terminal: Terminal, words: string, work: () => Promise<T>): Promise<T> {
    const view: View = { title: 'Installation', place: '', items: [text(words)], buttons: [], keys: ' ' }
    terminal.show(draw(view, { focus: 0, cursor: 0, scroll: 0 }, terminal.size()).canvas)
    return work()
}

async function planPage<Job>(terminal: Terminal, machine: Machine<Job>, before: Choices, found: Found) {
    let choices = before
    for (;;) {
        const planned = await waiting(terminal, 'Planning ...', () => machine.prepare(choices, found)).catch(asFault)
        const view = 'job' in planned ? wordsView(planned.words) : troubleView(planned)
        const pressed = await ask(terminal, () => view, { leave: 'The installer is left. Nothing has been written.' })
        if (pressed === 'install' && 'job' in planned) return { choices, ...planned }
        if (pressed === 'advanced') choices = await askAdvanced(terminal, choices, found)
        else return { choices }
    }
}

const PLAN_KEYS = 'Up, Down: read   Tab, arrows: move   Enter: choose   F2: advanced'

/** Every disk that dies stands first, and Install is never what Enter alone means. */
function wordsView({ destroys, now, firstBoot, warnings }: Words): View {
    const lines = (title: string, list: readonly string[]): Item[] =>
        list.length > 0 ? [text(title, 'strong'), ...list.map(line => text(`- ${shortly(line)}`)), text('')] : []
    const dead = destroys.map(({ id, words, when }) => text(shortly(`- ${id} (${words}), ${when}`), 'danger'))
    return {
        ...{ title: 'The plan', place: `${PAGES} of ${PAGES}`, keys: PLAN_KEYS, first: 'back' },
        items: [
            ...(dead.length > 0 ? [text('All data will be lost on:', 'danger'), ...dead, text('')] : []),
            ...(dead.length === 0 ? [text('No data will be lost: the disks are blank.', 'good'), text('')] : []),
            ...warnings.flatMap(line => [text(`Note: ${line}`, 'strong'), text('')]),
            ...lines('Now:', now),
            ...lines('At the first boot:', firstBoot),
        ],
        buttons: [
            { id: 'back', label: 'Back' },
            { id: 'advanced', label: 'Advanced' },
            { id: 'install', label: 'Install' },
        ],
    }
}

/** On a small screen a disk is its name alone. */
const shortly = (line: string) => line.replaceAll('/dev/disk/by-id/', '')

const faultItems = ({ summary, detail, fix }: Fault): Item[] => [
    text(summary, 'danger'),
    ...(detail ? [text(detail)] : []),
    ...(fix ? [text(''), text(fix)] : []),
]

const troubleView = (fault: Fault): View => ({
    ...{ title: 'This cannot be installed', place: `${PAGES} of ${PAGES}`, keys: PLAN_KEYS },
    items: faultItems(fault),
    buttons: [
        { id: 'advanced', label: 'Advanced' },
        { id: 'back', label: 'Back' },
    ],
})

async function installing<Job>(
    terminal: Terminal,
    machine: Machine<Job>,
    { job, words }: { job: Job; words: Words },
): Promise<End | 'anew'> {
    for (;;) {
        const { progress, fault } = await install(terminal, machine, job)
        if (!fault) return done(terminal, machine, { progress, words })
        const next = await failed(terminal, machine, { fault, progress })
        if (next !== 'retry') return next
    }
}

async function install<Job>(terminal: Terminal, machine: Machine<Job>, job: Job) {
    let progress = noProgress(machine.now())
    const abort = new AbortController()
    let over = false
    const hear = (event: Parameters<typeof heard>[1]) => {
        progress = heard(progress, event, machine.now())
    }
    const work = machine
        .install(job, { signal: abort.signal, onPhase: phase => hear({ kind: 'phase', phase }), onEvent: hear })
        .then(() => undefined, asFault)
        .finally(() => {
            over = true
        })
    const as = { log: false, up: 0 }
    while (!over) {
        terminal.show(drawProgress(progress, machine.now(), terminal.size(), as))
        // The clock goes on, and what was told meanwhile is shown.
        const key = await terminal.next(250)
        if (key.kind === 'text' && /[lL]/.test(key.text)) Object.assign(as, { log: !as.log, up: 0 })
        else if (key.kind === 'up' || key.kind === 'pageUp') as.up += key.kind === 'up' ? 1 : 10
        else if (key.kind === 'down' || key.kind === 'pageDown')
            as.up = Math.max(0, as.up - (key.kind === 'down' ? 1 : 10))
        else if (key.kind === 'redraw') terminal.forget()
        else if (key.kind === 'interrupt' && (await sure(terminal, STOP))) abort.abort()
    }
    return { progress, fault: await work }
}

const STOP =
    'The installation stops behind the step that runs now. What was on the disks of the system is lost already. ' +
    'It can be begun again.'

async function done<Job>(
    terminal: Terminal,
    machine: Machine<Job>,
    { progress, words }: { progress: Progress; words: Words },
): Promise<End> {
    const minutes = Math.max(1, Math.round((machine.now() - progress.beganMs) / 60_000))
    const view: View = {
        ...{ title: 'Installed', place: '', keys: 'Enter: choose' },
        items: [
            text(`DebVisor was installed in ${minutes} ${minutes === 1 ? 'minute' : 'minutes'}.`, 'good'),
            text(''),
            text(
                'Take the medium out, then restart. The first boot sets up storage, containers and VMs, and tells on ' +
                    'this screen how it goes.',
            ),
            ...words.restart.flatMap(line => [text(''), text(line, 'strong')]),
        ],
        buttons: [
            { id: 'log', label: 'Log' },
            { id: 'restart', label: 'Restart' },
        ],
    }
    while ((await ask(terminal, () => view)) === 'log') await showLog(terminal, progress)
    await machine.restart()
    return 'restart'
}

async function failed<Job>(terminal: Terminal, machine: Machine<Job>, what: { fault: Fault; progress: Progress }) {
    const { fault, progress } = what
    let saved: Item[] = []
    for (;;) {
        const view: View = {
            ...{
                title: 'The installation failed',
                place: '',
                keys: 'Tab, arrows: move   Enter: choose',
                first: 'retry',
            },
            items: [...faultItems(fault), text(''), text('Nothing of it will boot as it is.'), ...saved],
            buttons: [
                { id: 'retry', label: 'Try again' },
                { id: 'anew', label: 'Change answers' },
                { id: 'log', label: 'Log' },
                { id: 'save', label: 'Save log' },
                { id: 'shell', label: 'Shell' },
                { id: 'leave', label: 'Leave' },
            ],
        }
        const pressed = await ask(terminal, () => view)
        if (pressed === 'retry' || pressed === 'anew') return pressed
        if (pressed === 'leave' && (await sure(terminal, 'The installer is left. The node is not installed.')))
            return 'left'
        if (pressed === 'log') await showLog(terminal, progress)
        if (pressed === 'shell') await terminal.lend(() => machine.shell())
        if (pressed === 'save') saved = await saveLog(machine, progress)
    }
}

const logText = ({ log }: Progress) => `${log.join('\n')}\n`

async function saveLog<Job>(machine: Machine<Job>, progress: Progress): Promise<Item[]> {
    try {
        return [text(''), text(`The log is at ${await machine.saveLog(logText(progress))}.`, 'good')]
    } catch (thrown) {
        return [text(''), ...faultItems(asFault(thrown))]
    }
}

async function showLog(terminal: Terminal, progress: Progress): Promise<void> {
    const view: View = {
        ...{ title: 'Log', place: '', keys: 'Up, Down, PageUp, PageDown: read   Enter: back' },
        items: progress.log.map(line => text(line)),
        buttons: [{ id: 'back', label: 'Back' }],
    }
    await ask(terminal, () => view)
}
