// How far a pass over stored signals is, to stderr: a line for every so many rows, none for a short pass.
import type { Io } from './io.ts'

const rowsPerLine = 200_000

export function scanProgress(io: Io, what: string): (done: number, of: number) => void {
  let told = 0
  return (done, of) => {
    if (done - told < rowsPerLine) return
    told = done
    io.err(`${what}: ${done} of about ${of}`)
  }
}
