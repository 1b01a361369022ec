// How the demo ends: a table and one line, or the same as JSON.
import type { DemoOptions } from '../demo.ts'
import type { Io } from '../io.ts'
import { printJson, printTable } from '../output.ts'
import type { StepResult } from './steps.ts'

export function printResults(
  io: Io,
  options: DemoOptions,
  results: readonly StepResult[],
  seconds: number,
): void {
  const held = results.filter((result) => result.held).length
  const rounded = Math.round(seconds * 10) / 10
  const closing = `demo: ${held} of ${results.length} steps held`
  if (options.json === true) {
    printJson(io, { held, steps: results.length, seconds: rounded, results })
    return
  }
  io.out('')
  printTable(
    io,
    results,
    [
      { head: '', cell: (row) => row.step, align: 'right' },
      { head: 'step', cell: (row) => row.name },
      { head: 'held', cell: (row) => (row.held ? 'yes' : 'NO') },
      { head: 'seconds', cell: (row) => row.seconds.toFixed(1), align: 'right' },
    ],
    '',
  )
  io.out(`${rounded.toFixed(1)} s in all, starting included.`)
  io.out(closing)
}
