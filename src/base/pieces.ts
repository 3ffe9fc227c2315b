// The content of a disk as it is moved: bytes, and runs of zeros that need not be.

export interface Hole {
    holeBytes: number
}

export type Piece = Uint8Array | Hole

export const isHole = (piece: Piece): piece is Hole => !(piece instanceof Uint8Array)

export const sizeOf = (piece: Piece): number => (isHole(piece) ? piece.holeBytes : piece.length)
