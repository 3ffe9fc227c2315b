// What the tests of the libvirt driver need everywhere: a clock of the machine and a log that says nothing.
import type { Clock, Log } from '../../ports/ports.ts'

export const testClock: Clock = {
    now: () => Date.now(),
    ticks: () => performance.now(),
    after: (delayMs, call) => {
        const timer = setTimeout(call, delayMs)
        return () => clearTimeout(timer)
    },
    every: (periodMs, call) => {
        const timer = setInterval(call, periodMs)
        return () => clearInterval(timer)
    },
}

export const silentLog: Log = {
    info: () => undefined,
    warn: () => undefined,
    error: () => undefined,
    debug: () => undefined,
    child: () => silentLog,
}
