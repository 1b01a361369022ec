// How far an import is, on stderr: once a second, and where a part of it ends.
import { performance } from 'node:perf_hooks'
import type { OnImportProgress } from '../roles/import-list.ts'
import type { Io } from './io.ts'

const everyMs = 1000

const words = {
  read: 'lines read',
  compare: 'lines compared with the bank',
  'look back': 'seen blobs looked at',
  apply: 'lines applied',
} as const

/** Rates count from the first call of each phase. */
export function importProgress(io: Io): OnImportProgress {
  let phase: string | undefined
  let beganMs = 0
  let began = 0
  let toldMs = 0
  return (now, done, of, lines = done) => {
    const nowMs = performance.now()
    if (now !== phase) {
      phase = now
      beganMs = nowMs
      began = lines
      toldMs = nowMs
    }
    const isEnd = of !== undefined && done >= of
    if (nowMs - toldMs < everyMs && !isEnd) return
    toldMs = nowMs
    const share = of === undefined || of === 0 ? '' : `, ${Math.floor((done / of) * 100)}%`
    const rate = Math.round((lines - began) / Math.max(0.001, (nowMs - beganMs) / 1000))
    io.err(`${lines} ${words[now]}${share}${rate > 0 ? `, ${rate} a second` : ''}`)
  }
}
