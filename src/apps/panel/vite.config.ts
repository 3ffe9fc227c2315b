// How the panel is built (dist/panel, hashed files) and, for development, served over the simulated world.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig, type PluginOption } from 'vite'

const here = fileURLToPath(new URL('.', import.meta.url))

/** In `vite dev`, the API is the simulated world's. */
const simulated: PluginOption = {
    name: 'debvisor-sim',
    apply: 'serve',
    async configureServer(server) {
        const { attachSim } = await import('./sim/server.ts')
        attachSim(server.middlewares, server.httpServer as import('node:http').Server)
    },
}

// The packages whose code is in the panel, with version and licence, as the module `virtual:licences`.
const ID = 'virtual:licences'
/** Those that the panel imports; what they bring along is under their names. */
const PARTS = [
    ...['@bufbuild/protobuf', '@connectrpc/connect', '@connectrpc/connect-web'],
    ...['@codemirror/view', '@codemirror/lang-yaml', '@novnc/novnc'],
    ...['@patternfly/react-core', '@patternfly/react-icons', '@patternfly/react-table'],
    ...['@tanstack/react-query', '@tanstack/react-router', '@tanstack/react-virtual'],
    ...['@xterm/xterm', 'react', 'react-dom', 'uplot', 'uqr'],
]

const read = (name: string) => {
    const path = fileURLToPath(new URL(`../../../node_modules/${name}/package.json`, import.meta.url))
    const { version, license } = JSON.parse(readFileSync(path, 'utf8')) as { version: string; license: string }
    return { name, version, licence: license }
}

const licences: PluginOption = {
    name: 'debvisor-licences',
    resolveId: id => (id === ID ? `\0${ID}` : undefined),
    load: id => (id === `\0${ID}` ? `export default ${JSON.stringify(PARTS.map(read))}` : undefined),
}

export default defineConfig({
    root: here,
    base: '/',
    plugins: [react(), licences, simulated],
    build: {
        outDir: fileURLToPath(new URL('../../../dist/panel', import.meta.url)),
        emptyOutDir: true,
        target: 'es2022',
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        chunkSizeWarningLimit: 1200,
    },
    server: { host: '127.0.0.1' },
})
