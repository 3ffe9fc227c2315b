// How the panel is built (dist/panel, hashed files) and, for development, served over the simulated world.

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

export default defineConfig({
    root: here,
    base: '/',
    plugins: [react(), simulated],
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
