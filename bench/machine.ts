// The machine a figure was measured on; without it a figure says nothing.
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'

export type Machine = {
  cpu: string
  cores: number
  memoryGb: number
  node: string
  /** Of the last minute when the bench began: above 0.5 somebody else was at work. */
  loadBefore: number
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 1e9),
    node: process.version,
    loadBefore: round(loadavg()[0] ?? 0, 2),
  }
}

export function round(value: number, digits = 0): number {
  return Math.round(value * 10 ** digits) / 10 ** digits
}
