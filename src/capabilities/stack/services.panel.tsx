// The services of a stack, the ports that it publishes and who reaches them, and its volumes.
import { Button, Label, List, ListItem } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { type Service, StackService } from '../../gen/proto/capabilities/stack/stack_pb.js'
import { openDialog } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { NumberField } from '../fields.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { FindingNote, Quiet, Section } from '../parts.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import type { TabProps } from './detail.panel.tsx'
import { covered } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const w = words.service
const api = clientOf(StackService)

export default function Services({ stack, detail }: TabProps) {
    const may = useMay()
    const mayChange = stack.managed && may('stack.update', covered(stack))
    const mayExpose = stack.managed && may('stack.expose', covered(stack))
    const byName = new Map(detail.services.map(one => [one.name, one]))
    return (
        <>
            {detail.findings
                .filter(({ severity }) => severity !== 'info')
                .map(finding => (
                    <FindingNote key={`${finding.code}${finding.at}${finding.detail}`} finding={finding} />
                ))}
            <Section title={words.services}>
                <Table aria-label={words.services} variant="compact">
                    <Thead>
                        <Tr>
                            <Th>{w.name}</Th>
                            <Th>{w.image}</Th>
                            <Th>{w.containers}</Th>
                            <Th screenReaderText={common.actions} />
                        </Tr>
                    </Thead>
                    <Tbody>
                        {detail.services.map(one => (
                            <Tr key={one.name} data-service={one.name}>
                                <Td>
                                    {one.name}{' '}
                                    {one.marks.length > 0 && (
                                        <Label isCompact color="orange" data-marks={one.marks.join(' ')}>
                                            {one.marks.join(', ')}
                                        </Label>
                                    )}
                                </Td>
                                <Td className="dv-anywhere">{one.image}</Td>
                                <Td>
                                    <Containers
                                        of={one}
                                        total={stack.managed}
                                        shell={may('container.exec', covered(stack))}
                                    />
                                </Td>
                                <Td isActionCell modifier="nowrap">
                                    {mayChange && (
                                        <Button
                                            variant="link"
                                            size="sm"
                                            data-action="scale"
                                            onClick={() =>
                                                openDialog(close => (
                                                    <ScaleDialog stack={stack.name} service={one} close={close} />
                                                ))
                                            }
                                        >
                                            {w.scale}
                                        </Button>
                                    )}
                                </Td>
                            </Tr>
                        ))}
                    </Tbody>
                </Table>
            </Section>
            <Section title={w.ports}>
                {detail.ports.length === 0 ? (
                    <Quiet>{w.noPorts}</Quiet>
                ) : (
                    <Table aria-label={w.ports} variant="compact">
                        <Thead>
                            <Tr>
                                <Th>{w.port}</Th>
                                <Th>{w.of}</Th>
                                <Th>{w.reach}</Th>
                                <Th screenReaderText={common.actions} />
                            </Tr>
                        </Thead>
                        <Tbody>
                            {detail.ports.map(one => (
                                <Tr key={`${one.host}${one.protocol}${one.address}`} data-port={one.host}>
                                    <Td>
                                        <span className="dv-port">
                                            {one.address === '0.0.0.0' ? '' : `${one.address}:`}
                                            {one.host} → {one.container}/{one.protocol}
                                        </span>
                                    </Td>
                                    <Td>{one.service}</Td>
                                    <Td>
                                        <Label isCompact color={one.open ? 'blue' : 'grey'} data-open={one.open}>
                                            {one.reach}
                                        </Label>
                                    </Td>
                                    <Td isActionCell>
                                        {mayExpose && byName.has(one.service) && (
                                            <Switch of={byName.get(one.service)!} stack={stack.name} />
                                        )}
                                    </Td>
                                </Tr>
                            ))}
                        </Tbody>
                    </Table>
                )}
            </Section>
            <Section title={w.volumes}>
                {detail.volumes.length === 0 ? (
                    <Quiet>{w.noVolumes}</Quiet>
                ) : (
                    <List isPlain>
                        {detail.volumes.map(name => (
                            <ListItem key={name}>{name}</ListItem>
                        ))}
                    </List>
                )}
            </Section>
        </>
    )
}

/** It is a service's, whose ports are all opened or closed together. */
const Switch = ({ of, stack }: { of: Service; stack: string }) => (
    <Button
        variant="link"
        size="sm"
        data-action={of.exposed ? 'unexpose' : 'expose'}
        onClick={() => askExpose(stack, of)}
    >
        {of.exposed ? w.unexpose : w.expose}
    </Button>
)

/** Each with the way to its page, and to a shell in it. */
function Containers({ of, total, shell }: { of: Service; total: boolean; shell: boolean }) {
    return (
        <>
            {total && <span>{fill(w.count, { running: of.running, wanted: of.wanted })} </span>}
            {of.containers.length === 0 && !total && <Quiet>{w.none}</Quiet>}
            {of.containers.map((id, i) => (
                <span key={id} className="dv-tag">
                    <Link to={'/containers/$container' as string} params={{ container: id } as never}>
                        {of.name}-{i + 1}
                    </Link>
                    {shell && (
                        <>
                            {' '}
                            (
                            <Link
                                to={'/containers/$container/$tab' as string}
                                params={{ container: id, tab: 'terminal' } as never}
                                data-shell={of.name}
                            >
                                {w.shell}
                            </Link>
                            )
                        </>
                    )}{' '}
                </span>
            ))}
        </>
    )
}

function ScaleDialog(props: { stack: string; service: Service; close: () => void }) {
    const { stack, service } = props
    const [count, setCount] = useState(service.wanted)
    return (
        <PlanDialog
            title={fill(w.scaleTitle, { name: service.name })}
            submit={words.up}
            basis={String(count)}
            ask={dryRun => api.scale({ stack, service: service.name, count, dryRun })}
            close={props.close}
            calm
        >
            <NumberField
                name="count"
                label={w.countLabel}
                help={w.scaleHelp}
                value={count}
                change={setCount}
                min={0}
                max={100}
            />
        </PlanDialog>
    )
}

const askExpose = (stack: string, { name, exposed }: Service): void =>
    openDialog(close => (
        <PlanDialog
            title={fill(w.exposeTitle, { name })}
            submit={exposed ? w.unexpose : w.expose}
            ask={dryRun => api.expose({ stack, service: name, lan: !exposed, dryRun })}
            close={close}
            calm={exposed}
        />
    ))
