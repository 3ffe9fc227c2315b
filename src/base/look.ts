// How long a look at the machine may take.

/** A machine that boots, or is busy, answers late and is not broken; one that hangs is told of after so long. */
export const LOOK_MS = 120_000
