// The one list of what the panel shows: a line a capability.
import { panel as audit } from './audit/panel.tsx'
import { panel as certificate } from './certificate/panel.tsx'
import { panel as console_ } from './console/panel.tsx'
import { panel as container } from './container/panel.tsx'
import { panel as identity } from './identity/panel.tsx'
import { panel as image } from './image/panel.tsx'
import { panel as network } from './network/panel.tsx'
import { panel as node } from './node/panel.tsx'
import type { PanelEntry } from './pages.panel.tsx'
import { panel as shell } from './shell/panel.tsx'
import { panel as stack } from './stack/panel.tsx'
import { panel as task } from './task/panel.tsx'
import { panel as vm } from './vm/panel.tsx'

export const table: readonly PanelEntry[] = [
    container,
    stack,
    vm,
    console_,
    image,
    network,
    node,
    certificate,
    shell,
    task,
    audit,
    identity,
]
