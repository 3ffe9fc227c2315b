// The files of a new capability: each the smallest that works, to be filled with what it is really for.

/** Text of each file by its name in the folder of the capability `name` (one word of small letters). */
export function templates(name: string): Record<string, string> {
    const Name = name[0]!.toUpperCase() + name.slice(1)
    return {
        'README.md': `# ${Name}

TODO: what it is for, in two sentences a user understands.

    debvisor ${name} list

## Troubleshooting

TODO: what goes wrong and what to do then.
`,
        [`${name}.proto`]: `// TODO: what ${name} is for, in one sentence.
syntax = "proto3";
package debvisor.${name}.v1;

import "capabilities/debvisor.proto";

service ${Name}Service {
  // All there are.
  rpc List(ListRequest) returns (ListResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (debvisor.v1.access) = {permission: "${name}.view"};
  }
}

message Item {
  string name = 1;
}
message ListRequest {}
message ListResponse {
  repeated Item items = 1;
}
`,
        'ops.ts': `// What ${name} does; knows nothing of protobuf and the network.

export interface Item {
    name: string
}

/** Keeps the items; \`list\` promises them sorted by name. */
export function ${name}Ops(items: readonly Item[] = []) {
    return {
        list: (): Item[] => [...items].sort((a, b) => a.name.localeCompare(b.name)),
    }
}
`,
        'rpc.ts': `// Between protobuf and ops; no decisions.
import { ${Name}Service } from '../../gen/proto/capabilities/${name}/${name}_pb.js'
import type { Capability } from '../capability.ts'
import { ${name}Ops } from './ops.ts'

/** The capability as the daemon takes it. */
export function create${Name}(ops = ${name}Ops()): Capability {
    return {
        name: '${name}',
        services: router => router.service(${Name}Service, { list: () => ({ items: ops.list() }) }),
    }
}
`,
        'cli.ts': `// The verbs of \`debvisor ${name}\`.
import { ${Name}Service, ListResponseSchema } from '../../gen/proto/capabilities/${name}/${name}_pb.js'
import type { Verb } from '../verb.ts'

export const ${name}Verbs: Verb[] = [
    {
        words: ['${name}', 'list'],
        summary: 'all there are',
        async run(context) {
            const answer = await context.client(${Name}Service).list({})
            return {
                kind: 'table',
                columns: [{ key: 'name', label: 'NAME' }],
                rows: answer.items.map(({ name }) => ({ name })),
                empty: 'There are none.',
                json: context.json(ListResponseSchema, answer),
            }
        },
    },
]
`,
        'words.panel.tsx': `// The words of the page of ${name}.
import { catalogue } from '../words.panel.tsx'

export const words = catalogue('${name}', {
    title: '${Name}',
    none: 'There are none.',
})
`,
        [`${name}.panel.tsx`]: `// All there are, asked for when the page is opened.
import { DataList, DataListCell, DataListItem, DataListItemCells, DataListItemRow } from '@patternfly/react-core'
import { useQuery } from '@tanstack/react-query'
import { ${Name}Service } from '../../gen/proto/capabilities/${name}/${name}_pb.js'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { EmptyHint, Loading, PageBody, PageHead, TroubleNote } from '../parts.panel.tsx'
import { words } from './words.panel.tsx'

const api = clientOf(${Name}Service)

export default function ${Name}() {
    const query = useQuery({ queryKey: ['${name}'], queryFn: ({ signal }) => api.list({}, { signal }) })
    if (query.isPending) return <Loading />
    const items = query.data?.items ?? []
    return (
        <>
            <PageHead title={words.title} />
            <PageBody>
                {query.isError && <TroubleNote trouble={troubleOf(query.error)} retry={() => query.refetch()} />}
                {query.isSuccess && items.length === 0 && <EmptyHint title={words.none} />}
                <DataList aria-label={words.title}>
                    {items.map(({ name }) => (
                        <DataListItem key={name} data-row={name}>
                            <DataListItemRow>
                                <DataListItemCells
                                    dataListCells={[<DataListCell key="name">{name}</DataListCell>]}
                                />
                            </DataListItemRow>
                        </DataListItem>
                    ))}
                </DataList>
            </PageBody>
        </>
    )
}
`,
        'panel.tsx': `// The page of ${name}, and its place in the panel.
import CubeIcon from '@patternfly/react-icons/dist/esm/icons/cube-icon'
import { lazy } from 'react'
import type { PanelEntry } from '../pages.panel.tsx'
import { words } from './words.panel.tsx'

export const panel: PanelEntry = {
    name: '${name}',
    nav: [{ to: '/${name}', label: words.title, icon: CubeIcon, permission: '${name}.view', order: 80 }],
    pages: [{ path: '/${name}', component: lazy(() => import('./${name}.panel.tsx')), title: words.title }],
}
`,
        'ops.test.ts': `// What ${name} promises.
import { expect, it } from 'vitest'
import { ${name}Ops } from './ops.ts'

it('lists by name', () => {
    expect(${name}Ops([{ name: 'b' }, { name: 'a' }]).list()).toEqual([{ name: 'a' }, { name: 'b' }])
})
`,
    }
}
