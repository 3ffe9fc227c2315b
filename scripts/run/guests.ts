// Guests when the machine goes down: a transient unit like deploy/systemd/debvisor-guests.service, for this checkout.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../stages.ts'
import { socketOf } from './rpcd.ts'
import { guestsUnit } from './systemd.ts'

const run = promisify(execFile)

/**
 * The command that makes the unit. Stopped while the machine stays up, it does nothing: guests go on. Else it shuts
 * them down in reverse start order, before the daemon, libvirtd and libvirt-guests are stopped.
 */
export function guestsCommand(state: string): string[] {
    const after = [
        'virt-guest-shutdown.target',
        'libvirt-guests.service',
        'libvirtd.service',
        'virtlogd.service',
    ].concat(['network-online.target', 'remote-fs.target'])
    const stop =
        'test "$(systemctl is-system-running)" != stopping || ' +
        'exec "$0" --enable-source-maps "$1" vm shutdown all --deadline 120 --force --yes'
    const words = ['/bin/sh', '-c', stop, process.execPath, join(root, 'dist/debvisor.mjs')]
    return [
        ...[
            'systemd-run',
            '--quiet',
            '--collect',
            `--unit=${guestsUnit}`,
            '--service-type=oneshot',
            '--remain-after-exit',
        ],
        '--description=Orderly shutdown of virtual machines by DebVisor',
        ...['Requires=virt-guest-shutdown.target', `After=${after.join(' ')}`, 'TimeoutStopSec=infinity'].map(
            setting => `--property=${setting}`,
        ),
        `--setenv=DEBVISOR_SOCKET=${socketOf(state)}`,
        `--property=ExecStop=${words.map(quoted).join(' ')}`,
        // Named, so that `make clean-run` knows whose unit it is.
        ...['--', '/bin/true', `${state}/`],
    ]
}

/** A word for systemd's own quoting (systemd.service(5), 'Command lines'). */
const quoted = (word: string) => `"${word.replace(/["\\]/g, '\\$&').replaceAll('$', '$$$$')}"`

/** Makes the unit; its `stop` waits until the guests are down where the machine goes down, else takes it away. */
export async function guardGuests(state: string): Promise<{ stop(): Promise<void> }> {
    const [program, ...rest] = guestsCommand(state)
    await run(program!, rest)
    return {
        stop: async () => {
            await run('systemctl', ['stop', guestsUnit])
        },
    }
}
