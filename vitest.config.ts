// How the tests run: unit and wire tests beside the code; the real worlds below tests/ are projects of their own.
import { defineConfig } from 'vitest/config'

const world = (name: string, timeoutMs: number) => ({
    test: {
        name,
        include: [`tests/${name}/**/*.test.ts`],
        testTimeout: timeoutMs,
        hookTimeout: timeoutMs,
        fileParallelism: false,
    },
})

export default defineConfig({
    test: {
        projects: [
            {
                test: {
                    name: 'unit',
                    include: ['src/**/*.test.ts', 'scripts/**/*.test.ts', 'bench/**/*.test.ts'],
                    testTimeout: 10_000,
                },
            },
            world('real', 180_000),
            world('browser', 240_000),
            world('deb', 300_000),
            world('iso', 300_000),
            world('vm', 300_000),
        ],
    },
})
