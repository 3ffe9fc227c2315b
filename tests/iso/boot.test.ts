// The ISO boots by its own loader, from its menu, to a shell of the live system; the node's image on it is whole.
import { expect, it } from 'vitest'
import { bootIso, builtIso, whyNoIso } from './world-iso.ts'

const MINUTE_MS = 60_000
const missing = whyNoIso()

it.for(['bios', 'uefi'] as const)(
    'by %s, on the serial console',
    { timeout: 100 * MINUTE_MS },
    async (firmware, { skip }) => {
        if (missing) skip(missing)
        await builtIso()
        const machine = bootIso(firmware)
        try {
            await machine.hear('Live system on the serial console', 4 * MINUTE_MS)
            machine.type('s')
            await machine.hear('root@debvisor-live:', 10 * MINUTE_MS)
            machine.type(
                'cd /run/live/medium && sha256sum --check node/node.squashfs.sha256; cat /etc/debvisor-release\r',
            )
            expect(await machine.hear(/DEBVISOR_VERSION=\d/, 10 * MINUTE_MS)).toContain('node/node.squashfs: OK')
            machine.type('systemctl is-system-running --wait; ss -Hltn | grep -v 127.0.0 | wc -l; echo "over"\r')
            expect(await machine.hear(/\nover/, 5 * MINUTE_MS)).toMatch(/running\s+0\s+over/)
            machine.type('poweroff\r')
            await machine.ended(3 * MINUTE_MS)
        } finally {
            await machine.stop()
        }
    },
)
