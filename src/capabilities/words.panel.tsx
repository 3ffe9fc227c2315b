// The catalogue of every word that the panel shows: English here, other languages as JSON that replaces it by key.

export interface Plural {
    one: string
    other: string
}

type Words = { [key: string]: string | Plural | Words }

let translation: Words = {}
let language = 'en'

/** To be called before any page is loaded: words that replace the English ones, by catalogue and key. */
export function translate(tag: string, words: Words): void {
    language = tag
    translation = words
}

/** The language of dates, numbers and plurals. */
export const locale = (): string => (language === 'en' ? navigator.language : language)

/** A capability's words: English, each replaced by its translation where there is one. */
export function catalogue<W extends Words>(name: string, english: W): W {
    return merge(english, translation[name]) as W
}

function merge(english: Words, other: unknown): Words {
    if (typeof other !== 'object' || other === null) return english
    const out: Words = {}
    for (const [key, value] of Object.entries(english)) {
        const own = (other as Words)[key]
        if (typeof value === 'object') out[key] = merge(value as Words, own)
        else out[key] = typeof own === 'string' ? own : value
    }
    return out
}

/** `{name}` in the text replaced by the value of that name. */
export function fill(text: string, values: Record<string, string | number>): string {
    return text.replace(/\{(\w+)\}/g, (whole, key: string) => String(values[key] ?? whole))
}

/** The form for `count`, with `{count}` and other values filled in. */
export function plural(words: Plural, count: number, values: Record<string, string | number> = {}): string {
    const form = new Intl.PluralRules(locale()).select(count) === 'one' ? words.one : words.other
    return fill(form, { ...values, count: new Intl.NumberFormat(locale()).format(count) })
}

/** Words of the frame and of the parts that every page uses. */
export const common = catalogue('common', {
    product: 'DebVisor',
    cancel: 'Cancel',
    close: 'Close',
    save: 'Save',
    next: 'Next',
    create: 'Create',
    add: 'Add',
    remove: 'Remove',
    delete: 'Delete',
    edit: 'Change',
    copy: 'Copy',
    copied: 'Copied',
    retry: 'Try again',
    loading: 'Loading',
    none: 'None',
    yes: 'Yes',
    no: 'No',
    on: 'On',
    off: 'Off',
    name: 'Name',
    state: 'State',
    actions: 'Actions',
    actionsOf: 'Actions for {name}',
    clearFilters: 'Clear filters',
    nothingMatches: 'Nothing matches the filter',
    optional: 'optional',
    advanced: 'Advanced',
    whatHappens: 'What will happen',
    destroys: 'Lost for good: {what}',
    lost: {
        vm: 'the virtual machine {name}',
        volume: 'the volume {name}',
        snapshot: 'the snapshot {name}',
        changes: 'what {name} has written since',
        network: 'the network {name}',
        container: 'the container {name}',
        'container-image': 'the image {name}',
        stack: 'the history of the stack {name}',
        'container-volume': 'the volume {name} with all that is in it',
    },
    typeName: 'Type {name} to confirm',
    checking: 'Checking what will happen …',
    nothingToDo: 'Nothing: it is so already.',
    otherPlan: 'Something changed meanwhile',
    otherPlanFix: 'Nothing was done. Read what would happen now, then decide again.',
    sizeHelp: 'A number and a unit, such as 20G or 512M.',
    unknown: 'Unknown',
    forbidden: 'You may not see this',
    forbiddenFix: 'Ask an administrator for the rights.',
    code: 'Code',
    running: 'running',
    tryingAgain: 'Trying again …',
    refusedMeanwhile: '{why}. What you see may be old; trying again …',
    lostServer: 'Lost the connection to the server. What you see may be old; trying again …',
    lostFigures: 'The figures have stopped coming. The charts may be old; trying again …',
    stale: 'The server cannot reach its virtual machines right now. What you see may be old.',
    pageFailed: 'This page failed',
    pageFailedFix: 'Go back or load the page again. If it happens again, report it.',
    notFound: 'There is no such page',
    home: 'Go to the overview',
    whereYouAre: 'Where you are',
    more: 'Show more',
    filter: 'Filter',
})
