// The layer check on small made trees: what it forbids, and what it must let pass.
import { describe, expect, it } from 'vitest'
import { checkLayers } from './check-layers.ts'

const broken = (path: string, text: string) => checkLayers(new Map([[path, text]])).map(finding => finding.rule)

describe('checkLayers', () => {
    it.each([
        ['src/base/ids.ts', "import { a } from '../ports/ports.ts'", 'pure files import base and other pure files'],
        ['src/ports/real.ts', "import { a } from '../engine/task.ts'", 'ports lies below engine'],
        ['src/ports/real.ts', "import { a } from '../gen/proto/vm_pb.js'", 'ports lies below gen'],
        [
            'src/drivers/etcd/client.ts',
            "export * from '../../engine/task.ts'",
            'engine and drivers do not know each other',
        ],
        ['src/engine/plan.ts', "import type { Vm } from '../capabilities/vm/ops.ts'", 'engine lies below capabilities'],
        [
            'src/capabilities/vm/plan.ts',
            "import { run } from '../../engine/task.ts'",
            'pure files import base and other pure files',
        ],
        [
            'src/apps/cli/main.ts',
            "import { spawn } from 'node:child_process'",
            'only ports/real*.ts touches files and programs',
        ],
        [
            'src/capabilities/image/fetch.ts',
            "import { connect, isIP } from 'node:net'",
            'only drivers and apps talk to the network',
        ],
        ['src/engine/task.ts', "import type { Vm } from '../capabilities/vm/ops.ts'", 'engine lies below capabilities'],
        ['src/capabilities/vm/ops.ts', "import { a } from '../image/ops.ts'", 'no capability imports another'],
        ['src/capabilities/caller.ts', "import { a } from './image/ops.ts'", 'no capability imports another'],
        ['src/capabilities/vm/ops.ts', "import { table } from '../table.node.ts'", 'only apps read the tables'],
        [
            'src/capabilities/vm/ops.ts',
            "const a = await import('../../apps/rpcd/wire.ts')",
            'capabilities lies below apps',
        ],
        [
            'src/capabilities/vm/ops.ts',
            "import { readFile } from 'fs/promises'",
            'only ports/real*.ts touches files and programs',
        ],
        [
            'src/capabilities/vm/ops.ts',
            "import { spawn } from 'node:child_process'",
            'only ports/real*.ts touches files and programs',
        ],
        ['src/engine/task.ts', "import net from 'node:net'", 'only drivers and apps talk to the network'],
        ['src/capabilities/vm/spec.ts', "import os from 'node:os'", 'pure files import no node: modules'],
        ['src/capabilities/vm/panel.tsx', "import os from 'node:os'", 'panel files run in a browser'],
        ['src/capabilities/live.panel.tsx', "import 'node:os'", 'panel files run in a browser'],
        ['src/apps/cli/main.ts', "import { a } from '../rpcd/wire.ts'", 'no app imports another'],
        ['src/engine/task.ts', "import {\n    a,\n    b,\n} from '../apps/rpcd/wire.ts'", 'engine lies below apps'],
    ])('%s: %s', (path, text, rule) => {
        expect(broken(path, text)).toEqual([rule])
    })

    it.each([
        ['src/ports/real.ts', "import { readFile } from 'node:fs/promises'"],
        ['src/drivers/libvirt/socket.ts', "import { connect } from 'node:net'"],
        ['src/apps/rpcd/listen.ts', "import { createServer } from 'node:http2'"],
        ['src/capabilities/table.node.ts', "import { vm } from './vm/rpc.ts'"],
        ['src/capabilities/storage/zfs/ops.ts', "import { Driver } from '../driver.ts'"],
        ['src/apps/cli/bytes.ts', "import { open } from 'node:fs/promises'"],
        ['src/capabilities/image/addresses.ts', "import { BlockList, isIP } from 'node:net'"],
        ['src/capabilities/vm/rpc.ts', "import { Vm } from '../../gen/proto/capabilities/vm/vm_pb.js'"],
        ['src/capabilities/vm/panel.tsx', "import { Page } from '../pages.panel.tsx'"],
        ['src/capabilities/vm/spec.ts', "import { z } from 'zod'"],
        ['src/capabilities/vm/ops.test.ts', "import { readFile } from 'node:fs/promises'"],
        ['src/capabilities/capability.ts', "import type { IncomingMessage } from 'node:http'"],
        ['src/capabilities/vm/spec.ts', "import { disk } from './spec-devices.ts'"],
        ['src/apps/panel/sim/server.ts', "import http from 'node:http'"],
        ['src/engine/task.ts', "// import { a } from '../apps/rpcd/wire.ts'\n/* import '../apps/x.ts' */"],
    ])('%s may: %s', (path, text) => {
        expect(broken(path, text)).toEqual([])
    })

    it('follows what a pure file needs', () => {
        const files = new Map([
            [
                'src/capabilities/vm/plan.ts',
                "import { summary } from './want.ts'\nimport type { Host } from './host.ts'\n",
            ],
            ['src/capabilities/vm/want.ts', "import { randomUUID } from 'node:crypto'\n"],
            ['src/capabilities/vm/host.ts', "import os from 'node:os'\n"],
        ])
        expect(checkLayers(files).map(finding => `${finding.path}: ${finding.rule}`)).toEqual([
            'src/capabilities/vm/want.ts: pure files import no node: modules',
        ])
    })

    it('says in which line the import stands', () => {
        const text = "// What it is for.\nimport { a } from '../../base/ids.ts'\nimport { b } from '../image/ops.ts'\n"
        const [finding] = checkLayers(new Map([['src/capabilities/vm/ops.ts', text]]))
        expect(finding).toMatchObject({ line: 3, imports: 'src/capabilities/image/ops.ts' })
    })
})
