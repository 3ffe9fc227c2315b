// What this is: versions, licence, and the free software that it stands on.

import licences from 'virtual:licences'
import {
    DescriptionList,
    DescriptionListDescription,
    DescriptionListGroup,
    DescriptionListTerm,
} from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { troubleOf } from '../client.panel.tsx'
import { Loading, PageBody, Section, TroubleNote } from '../parts.panel.tsx'
import { words as inspect } from './machine-words.panel.tsx'
import { useFacts } from './overview.panel.tsx'
import { NodeTabs } from './tabs.panel.tsx'
import { words } from './words.panel.tsx'

export default function About() {
    const { data: facts, error, refetch } = useFacts()
    if (error && !facts)
        return (
            // Without the tabs, which ask the same: what had failed would be asked again and again.
            <PageBody>
                <TroubleNote trouble={troubleOf(error)} retry={() => void refetch()} />
            </PageBody>
        )
    if (!facts) return <Loading />
    const versions = [
        [inspect.product, facts.debvisorVersion],
        [words.os, facts.os],
        [words.kernel, facts.kernel],
        [words.libvirt, facts.libvirtVersion],
        [words.qemu, facts.qemuVersion],
    ]
    return (
        <NodeTabs>
            <Section title={inspect.stands}>
                <DescriptionList isHorizontal isCompact className="dv-facts">
                    {versions.map(([label, version]) => (
                        <DescriptionListGroup key={label}>
                            <DescriptionListTerm>{label}</DescriptionListTerm>
                            <DescriptionListDescription>{version || '–'}</DescriptionListDescription>
                        </DescriptionListGroup>
                    ))}
                </DescriptionList>
            </Section>
            <Section title={inspect.licence}>
                <p>{inspect.licenceText}</p>
            </Section>
            <Section title={inspect.panelParts}>
                <Table aria-label={inspect.panelParts} variant="compact">
                    <Thead>
                        <Tr>
                            <Th>{inspect.part}</Th>
                            <Th>{inspect.version}</Th>
                            <Th>{inspect.licence}</Th>
                        </Tr>
                    </Thead>
                    <Tbody>
                        {licences.map(part => (
                            <Tr key={part.name} data-part={part.name}>
                                <Td dataLabel={inspect.part}>{part.name}</Td>
                                <Td dataLabel={inspect.version}>{part.version}</Td>
                                <Td dataLabel={inspect.licence}>{part.licence}</Td>
                            </Tr>
                        ))}
                    </Tbody>
                </Table>
            </Section>
        </NodeTabs>
    )
}
