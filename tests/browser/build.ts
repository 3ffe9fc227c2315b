// Builds the panel for a test into a folder of its own, so that nobody else's build gets in between.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'vite'

/** The folder with the built panel, and how to remove it. */
export async function buildPanel(): Promise<{ folder: string; remove: () => Promise<void> }> {
    const folder = await mkdtemp(join(tmpdir(), 'debvisor-panel-'))
    const configFile = new URL('../../src/apps/panel/vite.config.ts', import.meta.url).pathname
    await build({ configFile, logLevel: 'error', build: { outDir: folder, emptyOutDir: true } })
    return { folder, remove: () => rm(folder, { recursive: true, force: true }) }
}
