// The variables that a container began with: values hidden until they are asked for, and for who may not see them.
import { Button } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { useState } from 'react'
import { Quiet } from '../parts.panel.tsx'
import type { TabProps } from './detail.panel.tsx'
import { words } from './words.panel.tsx'

export default function Environment({ detail }: TabProps) {
    const [shown, setShown] = useState(false)
    const withheld = detail.environment.some(({ hidden }) => hidden)
    return (
        <>
            {withheld ? (
                <Quiet>{words.hiddenHelp}</Quiet>
            ) : (
                <Button variant="secondary" data-action="reveal" onClick={() => setShown(on => !on)}>
                    {shown ? words.conceal : words.reveal}
                </Button>
            )}
            <Table aria-label={words.tab.environment} variant="compact">
                <Thead>
                    <Tr>
                        <Th width={30}>{words.variable}</Th>
                        <Th>{words.value}</Th>
                    </Tr>
                </Thead>
                <Tbody>
                    {detail.environment.map(({ name, value, hidden }) => (
                        <Tr key={name} data-variable={name}>
                            <Td dataLabel={words.variable} className="dv-anywhere">
                                {name}
                            </Td>
                            <Td dataLabel={words.value} className="dv-anywhere">
                                {shown && !hidden ? value : <span className="dv-quiet">{words.hidden}</span>}
                            </Td>
                        </Tr>
                    ))}
                </Tbody>
            </Table>
        </>
    )
}
