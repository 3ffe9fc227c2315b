// The version of DebVisor, which stands in package.json and nowhere else.
import { version } from '../../package.json'

export const VERSION: string = version
