// What a picture may measure, whatever its format: for the child that decodes and for the parent that checks its answer.

/** Of either side, in pixels. */
export const sideMax = 20_000
/** Of the whole picture. */
export const pixelsMax = 50_000_000
