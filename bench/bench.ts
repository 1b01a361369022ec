// What a bench is and what it hands back.
import type { Machine } from './machine.ts'

export type Figures = Record<string, number | string>

export type BenchResult = {
  /** Units are in the keys. */
  figures: Figures
  table: Table
  /** What to know when reading the figures, one sentence each. */
  notes?: string[]
}

export type Table = { head: string[]; rows: (string | number)[][] }

export type BenchOptions = { quick: boolean; signal: AbortSignal; tell: (text: string) => void }

export type Bench = {
  /** One line for --help. */
  about: string
  run(options: BenchOptions): Promise<BenchResult>
}

/** The last line of a run, in JSON: this, and the figures beside it. */
export type ReportLine = {
  bench: string
  machine: Machine
  quick: boolean
  [figure: string]: unknown
}
