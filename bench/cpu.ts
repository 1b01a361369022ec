// Processor time of a process and everything below it, from /proc (proc(5)). Linux only.
import { readFileSync, readdirSync } from 'node:fs'

const ticksPerSecond = 100

type Stat = { parent: number; ticks: number }

/** User and system seconds of the tree under `root`, its dead included, without the trees under `except`. */
export function treeCpuSeconds(root: number, except: readonly number[] = []): number {
  const stats = readStats()
  const children = new Map<number, number[]>()
  for (const [pid, { parent }] of stats)
    children.set(parent, [...(children.get(parent) ?? []), pid])
  const ticksUnder = (pid: number): number => {
    if (except.includes(pid)) return 0
    const below = (children.get(pid) ?? []).reduce((sum, child) => sum + ticksUnder(child), 0)
    return (stats.get(pid)?.ticks ?? 0) + below
  }
  return ticksUnder(root) / ticksPerSecond
}

/** Fields 4 and 14 to 17 of each stat: parent; user and system time, own and of children that were waited for. */
function readStats(): Map<number, Stat> {
  const stats = new Map<number, Stat>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const text = readStat(name)
    if (text === undefined) continue
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const [user, system, userBelow, systemBelow] = fields.slice(14 - 3, 18 - 3).map(Number)
    const ticks = (user ?? 0) + (system ?? 0) + (userBelow ?? 0) + (systemBelow ?? 0)
    stats.set(Number(name), { parent: Number(fields[4 - 3]), ticks })
  }
  return stats
}

function readStat(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    // Gone since the folder was listed.
    return undefined
  }
}
