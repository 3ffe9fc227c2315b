// Ctrl-C during work of this machine: the work ends by its signal, and the second time the program does.
import { Fault } from '../../base/fault.ts'

/** Runs work that Ctrl-C aborts; what it was doing is taken back by itself. @throws Fault `cancelled` after Ctrl-C */
export async function interruptible<T>(
    cancelled: { summary: string; detail: string; fix: string },
    work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
    const ending = new AbortController()
    const stop = () => ending.abort()
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
    try {
        return await work(ending.signal)
    } catch (cause) {
        if (ending.signal.aborted) throw new Fault('cancelled', { ...cancelled, cause })
        throw cause
    } finally {
        process.off('SIGINT', stop)
        process.off('SIGTERM', stop)
    }
}
