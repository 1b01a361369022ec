// What a child has used so far, from /proc (proc(5), fields 14, 15 and 24 of stat). Linux only.
import { readFileSync } from 'node:fs'

/** Linux reports times in hundredths and sizes in pages, whatever the kernel uses inside. */
const ticksPerSecond = 100
const pageBytes = 4096

export type ProcessUsage = { processorSeconds: number; residentBytes: number }

/** undefined where there is no /proc or the process is gone. */
export function processUsage(pid: number): ProcessUsage | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    // Gone, or another system than Linux: nothing is known.
    return undefined
  }
  // The name in parentheses may hold spaces; counting starts after it, at field 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[14 - 3]) + Number(fields[15 - 3])
  return {
    processorSeconds: ticks / ticksPerSecond,
    residentBytes: Number(fields[24 - 3]) * pageBytes,
  }
}
