// Which authority the certificate is of by ACME, and when a new one is due; kept in one file, changed only when it worked.
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { asFault, type Problem, problemOf } from '../../base/fault.ts'
import type { Clock, Log, System } from '../../ports/ports.ts'
import type { AcmeWant } from './acme-spec.ts'
import { caFileIn, keepDnsKey, obtain } from './certbot.ts'
import { facts, fits, type Pair } from './pair.ts'

const FILE = 'acme.json'
const FOLDER = /^acme-[0-9a-f]{12}$/
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const LEAST_MS = 10 * 60_000

const settings = z.looseObject({
    /** Name of certbot's folder beside the file. */
    folder: z.string().regex(FOLDER),
    directory: z.string(),
    email: z.string(),
    names: z.array(z.string()).min(1),
    /** Fingerprints of the last ones that it gave: while one of these is shown, it is this that renews it. */
    issued: z.array(z.string()),
    /** dns-01; the key is in certbot's folder. */
    dns: z.looseObject({ server: z.string(), keyName: z.string(), waitSeconds: z.number() }).optional(),
    failures: z.number(),
    lastTryMs: z.number(),
    problem: z
        .looseObject({ code: z.string(), summary: z.string(), detail: z.string(), fix: z.string(), at: z.string() })
        .optional(),
})

export type AcmeSettings = z.infer<typeof settings>

export interface Acme {
    /** What is set up; undefined while another certificate is shown than one of it. */
    get(shown: { fingerprint: string }): Promise<AcmeSettings | undefined>
    /** A pair by a new setting; the setting stands once `use` has put the pair in its place. */
    first(want: AcmeWant, use: (pair: Pair) => Promise<void>, signal: AbortSignal): Promise<void>
    /** A pair by the setting that stands; a failure is noted in it. */
    again(now: AcmeSettings, use: (pair: Pair) => Promise<void>, signal?: AbortSignal): Promise<void>
    /** The setting is no more, nor is what certbot kept of it. */
    forget(): Promise<void>
    /** Folders of certbot that no setting names: a power cut left them. */
    sweep(): Promise<void>
}

/**
 * When the next try is due: when a third of its life is left, and after failures ever later, but ever sooner the less
 * time there is.
 */
export function nextTryMs(
    life: { notBeforeMs: number; notAfterMs: number },
    tries: { failures: number; lastTryMs: number },
): number {
    const due = life.notAfterMs - (life.notAfterMs - life.notBeforeMs) / 3
    if (tries.failures === 0) return Math.round(due)
    const left = Math.max(0, life.notAfterMs - tries.lastTryMs)
    const wait = Math.min(DAY_MS, HOUR_MS * 2 ** (tries.failures - 1), Math.max(LEAST_MS, left / 8))
    return Math.round(Math.max(due, tries.lastTryMs + wait))
}

export function createAcme(deps: { folder: string; port: number; system: System; clock: Clock; log: Log }): Acme {
    const { folder, port, system, clock } = deps
    const file = `${folder}/${FILE}`
    const at = (name: string) => `${folder}/${name}`

    async function read(): Promise<AcmeSettings | undefined> {
        const text = await system.readText(file)
        if (text === undefined) return undefined
        try {
            return settings.parse(JSON.parse(text))
        } catch {
            deps.log.error('the settings of ACME cannot be read', { file })
            return undefined
        }
    }
    const write = (next: AcmeSettings) => system.writeFile(file, `${JSON.stringify(next, null, 4)}\n`, 0o600)

    /** The setting knows the new one before it is shown: cut off between, the old one is still one of it. */
    async function take(next: AcmeSettings, pair: Pair, use: (pair: Pair) => Promise<void>): Promise<void> {
        const fingerprint = facts(pair.certPem)?.fingerprint
        if (!fingerprint || !fits(pair)) throw new Error('certbot gave a key that does not fit its certificate')
        const { problem: _, ...rest } = next
        await write({
            ...(rest as AcmeSettings),
            ...{ issued: [fingerprint, ...next.issued].slice(0, 2), failures: 0, lastTryMs: clock.now() },
        })
        await use(pair)
    }

    return {
        async get({ fingerprint }) {
            const found = await read()
            return found?.issued.includes(fingerprint) ? found : undefined
        },
        async first(want, use, signal) {
            const name = `acme-${randomBytes(6).toString('hex')}`
            const { directory, email, names, dns } = want
            try {
                await system.makeDirectory(at(name), 0o700)
                if (want.caBundle !== '') await system.writeFile(caFileIn(at(name)), want.caBundle, 0o644)
                if (dns) await keepDnsKey(at(name), dns, system)
                const eab = want.eabKeyId === '' ? {} : { eab: { keyId: want.eabKeyId, secret: want.eabSecret } }
                const pair = await obtain(
                    { folder: at(name), directory, email, names, port, dns, ...eab },
                    deps,
                    signal,
                )
                const next = {
                    folder: name,
                    directory,
                    email,
                    names: [...names],
                    issued: [],
                    ...(dns ? { dns: { server: dns.server, keyName: dns.keyName, waitSeconds: dns.waitSeconds } } : {}),
                    failures: 0,
                    lastTryMs: 0,
                }
                await take(next, pair, use)
            } catch (thrown) {
                if ((await read())?.folder !== name) await system.remove(at(name))
                throw thrown
            }
            await this.sweep()
        },
        async again(now, use, signal) {
            const { directory, email, names, dns } = now
            let pair: Pair
            try {
                pair = await obtain({ folder: at(now.folder), directory, email, names, port, dns }, deps, signal)
            } catch (thrown) {
                const problem: Problem = problemOf(asFault(thrown))
                await write({ ...now, failures: now.failures + 1, lastTryMs: clock.now(), problem })
                throw thrown
            }
            await take(now, pair, use)
        },
        async forget() {
            await system.remove(file)
            await this.sweep()
        },
        async sweep() {
            const kept = (await read())?.folder
            for (const name of await system.list(folder))
                if (FOLDER.test(name) && name !== kept) await system.remove(at(name))
        },
    }
}
