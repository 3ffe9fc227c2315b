// Who changed what: filtered, checked for tampering, taken away as a file.
import { Alert, Button, SearchInput, Toolbar, ToolbarContent, ToolbarItem } from '@patternfly/react-core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { AuditService } from '../../gen/proto/capabilities/audit/audit_pb.js'
import { act } from '../act.panel.tsx'
import { useFilters, useTyped } from '../address.panel.tsx'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { PageBody, PageHead, TroubleNote } from '../parts.panel.tsx'
import { fill, plural } from '../words.panel.tsx'
import { exportRecords } from './export.panel.tsx'
import { Records } from './records.panel.tsx'
import { words } from './words.panel.tsx'

const api = clientOf(AuditService)
const FILTERS = ['who', 'what', 'on', 'since', 'until'] as const

export default function Audit() {
    const [filter, setFilter] = useFilters(FILTERS)
    const [who, setWho] = useTyped(filter.who, value => setFilter({ who: value }))
    const [what, setWhat] = useTyped(filter.what, value => setFilter({ what: value }))
    const [on, setOn] = useTyped(filter.on, value => setFilter({ on: value }))
    const [exporting, setExporting] = useState(false)
    const verify = useMutation({ mutationFn: () => api.verify({}) })
    const filters = [
        { name: 'who', label: words.filterWho, value: who, set: setWho },
        { name: 'what', label: words.filterWhat, value: what, set: setWhat },
        { name: 'on', label: words.filterOn, value: on, set: setOn },
    ]
    const days = [
        { name: 'since', label: words.since, value: filter.since },
        { name: 'until', label: words.until, value: filter.until },
    ] as const
    return (
        <>
            <PageHead title={words.audit}>
                <Button
                    variant="secondary"
                    data-action="verify"
                    isLoading={verify.isPending}
                    onClick={() => verify.mutate()}
                >
                    {words.verify}
                </Button>
                <Button
                    variant="secondary"
                    data-action="export"
                    isLoading={exporting}
                    isDisabled={exporting}
                    onClick={() => {
                        setExporting(true)
                        void act(() => exportRecords(filter)).finally(() => setExporting(false))
                    }}
                >
                    {words.export}
                </Button>
            </PageHead>
            <PageBody>
                {verify.isError && <TroubleNote trouble={troubleOf(verify.error)} />}
                {verify.data?.intact && (
                    <Alert
                        isInline
                        variant="success"
                        title={plural(words.intact, Number(verify.data.records))}
                        data-verified="intact"
                    >
                        <span className="dv-anywhere">{fill(words.head, { head: verify.data.head })}</span>
                    </Alert>
                )}
                {verify.data && !verify.data.intact && (
                    <Alert isInline variant="danger" title={words.broken} data-verified="broken">
                        {verify.data.findings.map(f => (
                            <p key={`${f.code}${f.at}`}>{[f.summary, f.detail].filter(Boolean).join(': ')}</p>
                        ))}
                    </Alert>
                )}
                <Toolbar inset={{ default: 'insetNone' }} className="dv-toolbar">
                    <ToolbarContent>
                        {filters.map(f => (
                            <ToolbarItem key={f.name} className="dv-narrow">
                                <SearchInput
                                    aria-label={f.label}
                                    placeholder={f.label}
                                    value={f.value}
                                    onChange={(_e, value) => f.set(value)}
                                    onClear={() => f.set('')}
                                />
                            </ToolbarItem>
                        ))}
                        {days.map(day => (
                            <ToolbarItem key={day.name}>
                                <label className="dv-dated dv-quiet">
                                    {day.label}
                                    <input
                                        type="date"
                                        className="dv-date"
                                        data-field={day.name}
                                        value={day.value}
                                        onChange={event => setFilter({ [day.name]: event.target.value })}
                                    />
                                </label>
                            </ToolbarItem>
                        ))}
                    </ToolbarContent>
                </Toolbar>
                <Records filter={filter} filtered={Object.values(filter).some(value => value !== '')} />
            </PageBody>
        </>
    )
}
