// Registries that want to know who we are: kept without their passwords, which stand in files of the node.
import { Fault } from '../../base/fault.ts'
import type { System } from '../../ports/ports.ts'
import { referenceOf } from './reference.ts'

export interface RegistryDoc {
    server: string
    user: string
    passwordFile: string
}

export interface Registries {
    list(): Promise<RegistryDoc[]>
    /** @throws Fault `invalid` for what is no registry, or a file that cannot hold a password */
    set(registry: RegistryDoc): Promise<void>
    /** @throws Fault `not-found` */
    remove(server: string): Promise<void>
    /** The header that lets us in at the registry of an image; undefined where none is kept. @throws Fault */
    auth(reference: string): Promise<Record<string, string> | undefined>
}

const PASSWORD_MAX_BYTES = 4096

export function createRegistries(deps: {
    system: Pick<System, 'readText' | 'writeFile' | 'look'>
    /** File of the daemon's own state. */
    path: string
    /** The one folder that passwords are read from. */
    secretsFolder: string
}): Registries {
    const { system, path, secretsFolder } = deps

    async function list(): Promise<RegistryDoc[]> {
        const text = await system.readText(path)
        if (text === undefined) return []
        try {
            return JSON.parse(text) as RegistryDoc[]
        } catch (cause) {
            throw new Fault('precondition', {
                summary: 'The list of registries cannot be read',
                detail: path,
                fix: 'Move the file away, and add the registries again.',
                cause,
            })
        }
    }
    const keep = (all: RegistryDoc[]) => system.writeFile(path, `${JSON.stringify(all, null, 2)}\n`, 0o600)

    async function passwordOf({ passwordFile }: RegistryDoc): Promise<string> {
        const facts = await system.look(passwordFile)
        if (facts?.kind !== 'file' || facts.sizeBytes > PASSWORD_MAX_BYTES)
            throw noPassword(passwordFile, secretsFolder)
        return ((await system.readText(passwordFile)) ?? '').replace(/\r?\n$/, '')
    }

    return {
        list,
        async set(registry) {
            const { server, user, passwordFile } = registry
            // The same rule as in the name of an image: what names none could never be asked for.
            const known = server === 'docker.io' || isServer(server)
            if (!known)
                throw new Fault('invalid', {
                    summary: 'That is not a registry',
                    detail: JSON.stringify(server.slice(0, 200)),
                    at: 'server',
                    fix: 'Write it as it stands in names of images, such as registry.example.org:5000, or docker.io.',
                })
            if (!/^[^\p{C}:]{1,200}$/u.test(user))
                throw new Fault('invalid', {
                    summary: 'That is not a user of a registry',
                    at: 'user',
                    fix: 'Write 1 to 200 characters without colons.',
                })
            const inside = passwordFile.startsWith(`${secretsFolder}/`) && !/(^|\/)\.\.?(\/|$)|\/\//.test(passwordFile)
            if (!inside) throw noPassword(passwordFile, secretsFolder)
            if ((await passwordOf(registry)) === '') throw noPassword(passwordFile, secretsFolder)
            const others = (await list()).filter(one => one.server !== server)
            await keep([...others, { server, user, passwordFile }].sort((a, b) => (a.server < b.server ? -1 : 1)))
        },
        async remove(server) {
            const all = await list()
            const left = all.filter(one => one.server !== server)
            if (left.length === all.length)
                throw new Fault('not-found', {
                    summary: 'No credentials are kept for that registry',
                    detail: JSON.stringify(server.slice(0, 200)),
                    at: 'server',
                    fix: 'List them with: debvisor container registries',
                })
            await keep(left)
        },
        async auth(reference) {
            const { registry } = referenceOf(reference)
            const found = (await list()).find(({ server }) => server === registry)
            if (!found) return undefined
            const words = { username: found.user, password: await passwordOf(found), serveraddress: registry }
            return authHeader(words)
        },
    }
}

/** The Engine reads base64 of URLs with its padding, and takes what it cannot read for nothing. */
export const authHeader = (words: object): Record<string, string> => ({
    'x-registry-auth': Buffer.from(JSON.stringify(words)).toString('base64').replaceAll('+', '-').replaceAll('/', '_'),
})

function isServer(server: string): boolean {
    try {
        return referenceOf(`${server}/a`).registry === server
    } catch {
        return false
    }
}

const noPassword = (path: string, folder: string): Fault =>
    new Fault('invalid', {
        summary: 'The password of a registry is read from a file of its own',
        detail: path.slice(0, 200),
        at: 'password_file',
        fix: `Put it into a file below ${folder} that debvisor-rpcd can read, with nothing else in it.`,
    })
