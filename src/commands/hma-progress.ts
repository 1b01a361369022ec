// How far a move from or to HMA is, on stderr: once a second, and at its end.
import { performance } from 'node:perf_hooks'
import type { Io } from './io.ts'

const everyMs = 1000

/** `done`, `of`: numbers of contents, which have holes: the share is near, the rate is of numbers. */
export function hmaProgress(io: Io, what: string): (done: number, of: number) => void {
  const beganMs = performance.now()
  let began: number | undefined
  let toldMs = beganMs
  return (done, of) => {
    const nowMs = performance.now()
    began ??= done
    if (nowMs - toldMs < everyMs && done < of) return
    toldMs = nowMs
    const rate = Math.round((done - began) / Math.max(0.001, (nowMs - beganMs) / 1000))
    const share = of === 0 ? 100 : Math.min(100, Math.floor((done / of) * 100))
    io.err(`${what} to number ${done} of ${of}, ${share}%${rate > 0 ? `, ${rate} a second` : ''}`)
  }
}
