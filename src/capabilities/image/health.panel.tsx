// How full and how well a pool is, in words and colours.
import type { Pool } from '../../gen/proto/capabilities/image/image_pb.js'
import { words } from './words.panel.tsx'

export const healthColor: Record<string, 'green' | 'orange' | 'red' | 'grey'> = {
    ok: 'green',
    low: 'orange',
    full: 'red',
    away: 'grey',
    unreadable: 'red',
}

export const healthWord = (health: string): string => (words.health as Record<string, string>)[health] ?? health

/** Of its room, the part that is taken; 0 to 1. */
export const shareOf = ({ capacityBytes, availableBytes }: Pool): number =>
    capacityBytes > 0n ? Number(capacityBytes - availableBytes) / Number(capacityBytes) : 0
