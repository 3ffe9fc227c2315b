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
        'ops.test.ts': `// What ${name} promises.
import { expect, it } from 'vitest'
import { ${name}Ops } from './ops.ts'

it('lists by name', () => {
    expect(${name}Ops([{ name: 'b' }, { name: 'a' }]).list()).toEqual([{ name: 'a' }, { name: 'b' }])
})
`,
    }
}
