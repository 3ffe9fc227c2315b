// esbuild plugin: etcd3 reads its .proto files from beside itself at run time; in a single file they must be inside.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Plugin } from 'esbuild'

const require = createRequire(import.meta.url)

interface ProtobufRoot {
    loadSync(path: string, options: { keepCase: boolean }): { toJSON(): object }
}

/** The protos as the JSON that proto-loader's `fromJSON` takes; protobufjs is the one that etcd3 itself uses. */
function protosOf(etcd3: string): string {
    const fromEtcd = createRequire(etcd3)
    const fromLoader = createRequire(fromEtcd.resolve('@grpc/proto-loader'))
    const { Root } = fromLoader('protobufjs') as { Root: new () => ProtobufRoot }
    const path = join(dirname(etcd3), '../proto/rpc.proto')
    return JSON.stringify(new Root().loadSync(path, { keepCase: true }).toJSON())
}

/** Puts etcd3's protos into the bundle; fails when etcd3 has changed how it loads them. */
export const etcd3Inside: Plugin = {
    name: 'etcd3-inside',
    setup(build) {
        build.onLoad({ filter: /etcd3[\\/]lib[\\/]connection-pool\.js$/ }, ({ path }) => {
            const text = readFileSync(path, 'utf8')
            const call = /loadSync\)\(`\$\{__dirname\}\/\.\.\/proto\/rpc\.proto`,/
            if (!call.test(text))
                return { errors: [{ text: 'etcd3 loads its protos in another way than build-etcd3 knows' }] }
            const protos = protosOf(require.resolve('etcd3'))
            return { contents: text.replace(call, () => `fromJSON)(${protos},`), loader: 'js' }
        })
    },
}
