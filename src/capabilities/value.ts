// Numbers and switches that people write on the command line: checked, or a Fault that says what to write.
import { Fault } from '../base/fault.ts'

/** A whole number from `least` to `most`. @throws Fault `invalid` */
export function whole(text: string, at: string, { least = 0, most = 999_999_999 } = {}): number {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    if (number >= least && number <= most) return number
    throw new Fault('invalid', {
        summary: 'That is not a whole number',
        detail: JSON.stringify(text.slice(0, 40)),
        at,
        fix:
            least === 0 && most === 999_999_999
                ? 'Write digits only, such as 4.'
                : `Write a number from ${least} to ${most}, in digits only.`,
    })
}

/** 'on' and 'off' as what a call takes; undefined where nothing was given. */
export const onOff = (text: string | undefined): boolean | undefined => (text === undefined ? undefined : text === 'on')
