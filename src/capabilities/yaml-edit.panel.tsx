// The editor with what was found wrong below it, for those who do not see colours in a margin.
import { Button, Skeleton } from '@patternfly/react-core'
import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense, useEffect, useRef, useState } from 'react'
import { type Trouble, troubleOf } from './client.panel.tsx'
import { Quiet, TroubleNote } from './parts.panel.tsx'
import { catalogue, fill, plural } from './words.panel.tsx'
import type { EditorHandle, LineFinding } from './yaml-editor.panel.tsx'
import type { Schema } from './yaml-place.ts'

const YamlEditor = lazy(() => import('./yaml-editor.panel.tsx'))
const CHECK_AFTER_MS = 400

const words = catalogue('yaml', {
    checkFailed: 'It could not be checked',
    hint: 'Ctrl+Space shows what may stand at the cursor.',
    noFindings: 'No mistakes found.',
    findings: { one: '{count} mistake or hint', other: '{count} mistakes and hints' },
    line: 'Line {line}',
})

/** Asks the node what it finds wrong, a moment after each change. */
export function EditYaml(props: {
    label: string
    text: string
    change: (text: string) => void
    check: (text: string, signal: AbortSignal) => Promise<readonly LineFinding[]>
    /** Of the JSON Schema, and how it is asked for. */
    schemaKey: string
    schema: (signal: AbortSignal) => Promise<string>
}) {
    const { text } = props
    const now = useRef(props)
    now.current = props
    const handle = useRef<EditorHandle>(undefined)
    const [findings, setFindings] = useState<readonly LineFinding[]>()
    const [trouble, setTrouble] = useState<Trouble>()
    const schema = useQuery({
        queryKey: ['schema', props.schemaKey],
        queryFn: async ({ signal }) => JSON.parse(await props.schema(signal)) as Schema,
        staleTime: Number.POSITIVE_INFINITY,
    })
    useEffect(() => {
        const stop = new AbortController()
        const timer = setTimeout(() => {
            now.current.check(text, stop.signal).then(
                found => {
                    setTrouble(undefined)
                    setFindings(found)
                },
                thrown => !stop.signal.aborted && setTrouble(troubleOf(thrown)),
            )
        }, CHECK_AFTER_MS)
        return () => {
            clearTimeout(timer)
            stop.abort()
        }
    }, [text])
    return (
        <>
            <Suspense fallback={<Skeleton height="260px" screenreaderText={props.label} />}>
                <YamlEditor
                    label={props.label}
                    text={text}
                    change={props.change}
                    findings={findings ?? []}
                    schema={schema.data}
                    handle={handle}
                />
            </Suspense>
            <div aria-live="polite" className="dv-findings">
                {trouble && (
                    <TroubleNote trouble={{ ...trouble, summary: `${words.checkFailed}: ${trouble.summary}` }} />
                )}
                {findings?.length === 0 && (
                    <Quiet>
                        {words.noFindings} {words.hint}
                    </Quiet>
                )}
                {findings && findings.length > 0 && (
                    <>
                        <Quiet>{plural(words.findings, findings.length)}</Quiet>
                        <ul>
                            {findings.map(({ finding, line }) => (
                                <li
                                    key={`${line}${finding?.at}${finding?.code}${finding?.detail}`}
                                    data-finding={finding?.code}
                                    className="dv-anywhere"
                                >
                                    <Button variant="link" isInline onClick={() => handle.current?.goTo(line)}>
                                        {fill(words.line, { line })}
                                    </Button>
                                    : {[finding?.at, finding?.summary, finding?.detail].filter(Boolean).join(': ')}.{' '}
                                    {finding?.fix}
                                </li>
                            ))}
                        </ul>
                    </>
                )}
            </div>
        </>
    )
}
