// An editor of YAML: CodeMirror, completed by the JSON Schema, with the server's findings at their lines.
// It lives in a shadow root: there its styles are constructed sheets, which the content security policy lets be.
import { autocompletion, type CompletionContext, completionKeymap } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { yaml } from '@codemirror/lang-yaml'
import { HighlightStyle, indentUnit, syntaxHighlighting } from '@codemirror/language'
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from '@codemirror/lint'
import { EditorState, Transaction } from '@codemirror/state'
import { EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { useEffect, useRef } from 'react'
import type { Finding } from '../gen/proto/capabilities/debvisor_pb.js'
import { choicesAt, placeAt, type Schema } from './yaml-place.ts'

const colour = (name: string) => `var(--pf-t--global--${name})`

/** By the panel's own variables, so that both themes fit. */
const look = EditorView.theme({
    '&': {
        color: colour('text--color--regular'),
        backgroundColor: colour('background--color--primary--default'),
        border: `1px solid ${colour('border--color--default')}`,
        borderRadius: colour('border--radius--small'),
        fontSize: '14px',
    },
    '&.cm-focused': { outline: `2px solid ${colour('border--color--clicked')}`, outlineOffset: '-1px' },
    '.cm-scroller': {
        fontFamily: colour('font--family--mono'),
        lineHeight: '1.5',
        maxHeight: '60vh',
    },
    '.cm-content, .cm-gutter': { minHeight: '260px' },
    '.cm-content': { caretColor: colour('text--color--regular') },
    '.cm-gutters': {
        color: colour('text--color--subtle'),
        backgroundColor: colour('background--color--secondary--default'),
        borderInlineEnd: `1px solid ${colour('border--color--default')}`,
    },
    '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: colour('background--color--action--plain--hover') },
    '.cm-tooltip': {
        color: colour('text--color--regular'),
        backgroundColor: colour('background--color--floating--default'),
        border: `1px solid ${colour('border--color--default')}`,
        borderRadius: colour('border--radius--small'),
        overflow: 'hidden',
    },
    '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: colour('font--family--mono') },
    '.cm-tooltip-autocomplete ul li[aria-selected]': {
        color: colour('text--color--on-brand--default'),
        backgroundColor: colour('color--brand--default'),
    },
    '.cm-completionDetail': { fontStyle: 'normal', marginInlineStart: '1em' },
    '.cm-tooltip.cm-completionInfo': {
        padding: '6px 10px',
        maxWidth: '32em',
        fontFamily: colour('font--family--body'),
    },
    '.cm-diagnostic': { padding: '6px 10px', maxWidth: '40em', fontFamily: colour('font--family--body') },
    '.cm-diagnostic p': { margin: '0' },
})

const highlight = syntaxHighlighting(
    HighlightStyle.define([
        { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: colour('text--color--link--default') },
        { tag: tags.comment, color: colour('text--color--subtle'), fontStyle: 'italic' },
        { tag: [tags.separator, tags.punctuation], color: colour('text--color--subtle') },
    ]),
)

/** What is wrong in a line, from 1; 0 where it is in none. */
export interface LineFinding {
    line: number
    finding?: Finding
}

export interface EditorHandle {
    goTo(line: number): void
}

export default function DocumentEditor(props: {
    text: string
    change: (text: string) => void
    findings: readonly LineFinding[]
    schema: Schema | undefined
    label: string
    handle: { current: EditorHandle | undefined }
}) {
    const host = useRef<HTMLDivElement>(null)
    const view = useRef<EditorView>(undefined)
    const now = useRef(props)
    now.current = props
    const { text, findings, handle } = props

    useEffect(() => {
        const box = host.current
        if (!box) return
        const root = box.shadowRoot ?? box.attachShadow({ mode: 'open' })
        const parent = root.appendChild(document.createElement('div'))
        const complete = (context: CompletionContext) => {
            const { schema } = now.current
            const place = placeAt(context.state.sliceDoc(0, context.pos))
            if (!schema || !place || (place.typed === '' && !context.explicit)) return null
            const options = choicesAt(schema, place).map(({ info, ...one }) => ({ ...one, info: info || undefined }))
            return { from: context.pos - place.typed.length, options, validFor: /^[\w.-]*$/ }
        }
        const made = new EditorView({
            root,
            parent,
            state: EditorState.create({
                doc: now.current.text,
                extensions: [
                    ...[lineNumbers(), lintGutter(), history(), highlightActiveLine(), yaml(), highlight, look],
                    ...[indentUnit.of('  '), EditorView.lineWrapping],
                    autocompletion({ override: [complete], icons: false }),
                    // Tab goes on to the next field, as everywhere.
                    keymap.of([...completionKeymap, ...historyKeymap, ...lintKeymap, ...defaultKeymap]),
                    EditorView.contentAttributes.of({ 'aria-label': now.current.label, spellcheck: 'false' }),
                    EditorView.domEventHandlers({ beforeinput: replaceSelection }),
                    EditorView.updateListener.of(update => {
                        const typed = update.transactions.some(
                            one => one.docChanged && !one.annotation(Transaction.remote),
                        )
                        if (typed) now.current.change(update.state.doc.toString())
                    }),
                ],
            }),
        })
        view.current = made
        handle.current = {
            goTo(line) {
                const { from } = made.state.doc.line(Math.max(1, Math.min(line, made.state.doc.lines)))
                made.dispatch({
                    selection: { anchor: from },
                    effects: EditorView.scrollIntoView(from, { y: 'center' }),
                })
                made.focus()
            },
        }
        return () => {
            made.destroy()
            parent.remove()
            view.current = undefined
            handle.current = undefined
        }
    }, [handle])

    // What came from elsewhere: a draft, or the document as it stands.
    useEffect(() => {
        const made = view.current
        if (!made || made.state.doc.toString() === text) return
        made.dispatch({
            changes: { from: 0, to: made.state.doc.length, insert: text },
            annotations: Transaction.remote.of(true),
        })
    }, [text])

    useEffect(() => {
        const made = view.current
        if (made) made.dispatch(setDiagnostics(made.state, diagnosticsOf(made.state, findings)))
    }, [findings])

    return <div ref={host} data-editor="document" />
}

/**
 * What is typed over a selection is put in here: Chromium would keep the look of what goes by an inline style, which the
 * content security policy blocks, with a complaint.
 */
function replaceSelection(event: InputEvent, view: EditorView): boolean {
    const { state } = view
    if (event.inputType !== 'insertText' || !event.data || state.selection.main.empty || view.composing) return false
    event.preventDefault()
    view.dispatch(state.replaceSelection(event.data), { userEvent: 'input.type', scrollIntoView: true })
    return true
}

function diagnosticsOf(state: EditorState, findings: readonly LineFinding[]): Diagnostic[] {
    return findings.map(({ finding, line }) => {
        const at = state.doc.line(Math.max(1, Math.min(line, state.doc.lines)))
        const { severity = 'error', summary = '', detail = '', fix = '' } = finding ?? {}
        return {
            from: at.from + (at.text.length - at.text.trimStart().length),
            to: at.to,
            severity: severity === 'error' ? 'error' : severity === 'warning' ? 'warning' : 'info',
            message: summary,
            renderMessage() {
                const box = document.createElement('div')
                for (const words of [[summary, detail].filter(Boolean).join(': '), fix].filter(Boolean))
                    box.appendChild(document.createElement('p')).textContent = words
                return box
            },
        }
    })
}
