// The editor with what was found wrong below it, for those who do not see colours in a margin.
import { Button, Skeleton } from '@patternfly/react-core'
import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense, useEffect, useRef, useState } from 'react'
import { type LineFinding, ProvisionService } from '../../gen/proto/capabilities/node/provision_pb.js'
import { clientOf, type Trouble, troubleOf } from '../client.panel.tsx'
import { Quiet, TroubleNote } from '../parts.panel.tsx'
import { fill, plural } from '../words.panel.tsx'
import { words } from './configuration-words.panel.tsx'
import type { EditorHandle } from './editor.panel.tsx'
import type { Schema } from './yaml-place.ts'

const api = clientOf(ProvisionService)
const DocumentEditor = lazy(() => import('./editor.panel.tsx'))
const CHECK_AFTER_MS = 400

/** Asks the node what it finds wrong, a moment after each change. */
export function EditDocument(props: { text: string; change: (text: string) => void }) {
    const { text } = props
    const handle = useRef<EditorHandle>(undefined)
    const [findings, setFindings] = useState<readonly LineFinding[]>()
    const [trouble, setTrouble] = useState<Trouble>()
    const schema = useQuery({
        queryKey: ['schema'],
        queryFn: async ({ signal }) => JSON.parse((await api.getSchema({}, { signal })).json) as Schema,
        staleTime: Number.POSITIVE_INFINITY,
    })
    useEffect(() => {
        const stop = new AbortController()
        const timer = setTimeout(() => {
            api.checkDocument({ text }, { signal: stop.signal }).then(
                answer => {
                    setTrouble(undefined)
                    setFindings(answer.findings)
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
            <Suspense fallback={<Skeleton height="260px" screenreaderText={words.editor} />}>
                <DocumentEditor
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
