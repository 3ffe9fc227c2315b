// What people are told about a node, in words: what began, what is over.
import type { Finding } from '../../base/finding.ts'
import type { Changes } from '../../engine/health.ts'

export interface Message {
    /** One line. */
    subject: string
    text: string
    node: string
    began: readonly Finding[]
    ended: readonly Finding[]
}

/** Names come from disks, units and guests: they stay in their line. */
const oneLine = (text: string) => text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')

const paragraph = ({ summary, detail, fix }: Finding): string =>
    [`${summary}${detail ? `: ${oneLine(detail)}` : ''}`, fix && `    ${oneLine(fix)}`].filter(Boolean).join('\n')

function subjectOf({ began, ended }: Changes): string {
    const [first] = began
    if (began.length > 1) return `${began.length} things are wrong`
    if (first) return `${first.summary}${first.detail ? `: ${oneLine(first.detail)}` : ''}`
    return ended.length === 1 ? `over: ${ended[0]!.summary}` : `${ended.length} things are well again`
}

/** `still` is what was told before and goes on. */
export function messageOf(node: string, changes: Changes, still: readonly Finding[] = []): Message {
    const parts = [
        ...changes.began.map(paragraph),
        ...(changes.ended.length > 0
            ? [['Over:', ...changes.ended.map(one => `  ${paragraph(one).split('\n')[0]}`)].join('\n')]
            : []),
        ...(still.length > 0
            ? [['As before:', ...still.map(one => `  ${paragraph(one).split('\n')[0]}`)].join('\n')]
            : []),
    ]
    return { subject: oneLine(`${node}: ${subjectOf(changes)}`), text: `${parts.join('\n\n')}\n`, node, ...changes }
}

export const testMessage = (node: string): Message => ({
    subject: `${node}: a test`,
    text: `This is a test. What is wrong on ${node} will be told here.\n`,
    node,
    began: [],
    ended: [],
})

/** As sendmail reads it; whom it goes to is said beside it. (RFC 5322, RFC 2047 for what is not ASCII) */
export function mailText({ subject, text }: Message): string {
    const plain = /^[ -~]*$/.test(subject)
    const head = plain ? subject : `=?UTF-8?B?${Buffer.from(subject.slice(0, 40)).toString('base64')}?=`
    const lines = [
        `Subject: ${head}`,
        'MIME-Version: 1.0',
        'Content-Type: text/plain; charset=utf-8',
        'Content-Transfer-Encoding: 8bit',
        'Auto-Submitted: auto-generated',
    ]
    return `${lines.join('\n')}\n\n${text}`
}

/** `text` is what chat servers show; the rest is for programs. */
export const webhookBody = ({ subject, text, node, began, ended }: Message): string =>
    JSON.stringify({ text: `${subject}\n${text}`, node, began, ended })
