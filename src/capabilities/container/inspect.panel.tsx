// Docker's own description of a container; values of its environment are left out until they are asked for.
import { CopyBlock } from '../parts.panel.tsx'
import type { TabProps } from './detail.panel.tsx'
import { words } from './words.panel.tsx'

/** Who wants the values finds them under Environment: here they would stand on every screen that is shared. */
function masked(text: string): string {
    const seen = JSON.parse(text) as { Config?: { Env?: string[] | null } }
    if (seen.Config?.Env) seen.Config.Env = seen.Config.Env.map(one => `${one.split('=')[0]}=[${words.hidden}]`)
    return JSON.stringify(seen, null, 2)
}

export default function Inspect({ detail }: TabProps) {
    return <CopyBlock text={masked(detail.inspect)} label={words.tab.inspect} tall />
}
