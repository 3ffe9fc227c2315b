// The words of the audit log's page.
import { catalogue } from '../words.panel.tsx'

export const words = catalogue('audit', {
    audit: 'Audit',
    who: 'Who',
    what: 'What',
    on: 'On',
    from: 'From',
    when: 'When',
    result: 'Result',
    number: 'No.',
    results: { intent: 'Asked for', begun: 'Begun', done: 'Done', failed: 'Failed', denied: 'Denied' },
    filterWho: 'Who',
    filterWhat: 'What, such as vm.delete',
    filterOn: 'On what',
    more: 'Older ones',
    empty: 'Nothing recorded yet',
    verify: 'Check that nothing was changed',
    intact: { one: 'The one record is as it was written', other: 'All {count} records are as they were written' },
    head: 'Keep this to prove later that nothing was cut off: {head}',
    broken: 'The log was changed',
    detail: 'What was asked',
    outside: 'outside DebVisor',
})
