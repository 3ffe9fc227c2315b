// What only root sees of this machine, over the API: rootd is asked, and who may ask was checked before.

import { InspectService } from '../../gen/proto/capabilities/node/inspect_pb.js'
import type { Capability } from '../capability.ts'
import { type RootService, rootFault } from './configure.ts'

/** `rootPath` is where rootd is looked for, for people. */
export function createInspect({ root, rootPath }: { root: RootService; rootPath: string }): Capability {
    const ask = <T>(call: Promise<T>): Promise<T> =>
        call.catch(thrown => {
            throw rootFault(thrown, rootPath)
        })
    return {
        name: 'inspect',
        services: router =>
            router.service(InspectService, {
                listDisks: (request, { signal }) => ask(root.listDisks(request, { signal })),
                listUnits: (request, { signal }) => ask(root.listUnits(request, { signal })),
                async *readJournal(request, { signal }) {
                    try {
                        yield* root.readJournal(request, { signal })
                    } catch (thrown) {
                        throw rootFault(thrown, rootPath)
                    }
                },
            }),
    }
}
