// Who may look at the node itself.
import { Fault } from '../../base/fault.ts'

/** @throws Fault `denied` for anybody but root */
export function needRoot(): void {
    if (process.getuid?.() === 0) return
    throw new Fault('denied', { summary: 'Only root can look at and change a node', fix: 'Run it with sudo.' })
}
