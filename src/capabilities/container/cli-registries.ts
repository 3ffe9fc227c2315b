// The verbs of `debvisor container` for registries that want to know who we are.
import { create } from '@bufbuild/protobuf'
import {
    ContainerRegistryService,
    ListRegistriesResponseSchema,
} from '../../gen/proto/capabilities/container/stores_pb.js'
import { carryOutAtOnce, said } from '../change.ts'
import type { Argument, Verb, VerbContext } from '../verb.ts'

const SERVER: Argument = { name: 'server', summary: 'as it stands in names of images, or docker.io' }

const registriesOf = async (context: VerbContext) =>
    (await context.client(ContainerRegistryService).list({})).registries

export const registryVerbs: Verb[] = [
    {
        words: ['container', 'registries'],
        summary: 'list the registries that credentials are kept for',
        examples: [{ line: 'debvisor container registries', note: 'Passwords are never shown.' }],
        async run(context) {
            const registries = await registriesOf(context)
            return {
                kind: 'table',
                columns: [
                    { key: 'server', label: 'REGISTRY' },
                    { key: 'user', label: 'USER' },
                    { key: 'file', label: 'PASSWORD FILE' },
                ],
                rows: registries.map(({ server, user, passwordFile }) => ({ server, user, file: passwordFile })),
                empty: 'No credentials are kept. Images are pulled as anybody may pull them.',
                json: context.json(ListRegistriesResponseSchema, create(ListRegistriesResponseSchema, { registries })),
            }
        },
    },
    {
        words: ['container', 'registry-set'],
        summary: 'set the credentials of a registry',
        description: 'The password stands in a file of the node below /etc/debvisor/secrets; only its path is kept.',
        arguments: [
            SERVER,
            { name: 'user', summary: 'user of the registry' },
            { name: 'password-file', summary: 'file on the node that holds the password' },
        ],
        changes: true,
        examples: [
            {
                line: 'debvisor container registry-set registry.example.org ann /etc/debvisor/secrets/registry',
                note: 'The password itself is never on a command line.',
            },
        ],
        run: context => {
            const { server = '', user = '', 'password-file': passwordFile = '' } = context.args
            return carryOutAtOnce(context, {
                sentence: `Let us in at ${server} as ${user}, with the password in ${passwordFile}`,
                async work() {
                    await context.client(ContainerRegistryService).set({ registry: { server, user, passwordFile } })
                    return said(`Images of ${server} are pulled and pushed as ${user}.`)
                },
            })
        },
    },
    {
        words: ['container', 'registry-remove'],
        summary: 'forget the credentials of a registry',
        arguments: [SERVER],
        changes: true,
        examples: [{ line: 'debvisor container registry-remove registry.example.org', note: 'The file stays.' }],
        run: context => {
            const { server = '' } = context.args
            return carryOutAtOnce(context, {
                sentence: `Forget the credentials of ${server}; the file with the password stays`,
                async work() {
                    await context.client(ContainerRegistryService).remove({ server })
                    return said(`Images of ${server} are pulled as anybody may pull them.`)
                },
            })
        },
    },
]
