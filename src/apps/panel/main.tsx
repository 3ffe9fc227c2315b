// The panel's first step: words and theme, then the app.
import './panel.css'
import { createRoot } from 'react-dom/client'
import { translate } from '../../capabilities/words.panel.tsx'
import { takeFirstSecret } from './first.ts'
import { applyTheme } from './theme.ts'

const translations = import.meta.glob<{ default: Record<string, never> }>('./words/*.json')

async function begin(): Promise<void> {
    applyTheme()
    const secret = takeFirstSecret()
    for (const wanted of navigator.languages) {
        const tag = wanted.split('-')[0] ?? 'en'
        if (tag === 'en') break
        const load = translations[`./words/${tag}.json`]
        if (!load) continue
        translate(tag, (await load()).default)
        document.documentElement.lang = tag
        break
    }
    const { App } = await import('./app.tsx')
    createRoot(document.getElementById('root')!).render(<App secret={secret} />)
}

void begin()
