// Long work in short slices between other events, one run at a time.
import { setImmediate as nextTurn } from 'node:timers/promises'

/** Rows handled before other events get their turn: about a millisecond. */
export const rowsPerSlice = 4096

export type Sweeper = {
  /** Does nothing while a sweep is under way. */
  start(): void
  status(): { rebuilding: boolean; rebuilds: number; lastRebuildMs?: number }
  /** Resolves when no sweep is under way any more; what was begun is given up. */
  stop(): Promise<void>
}

/** `sweep` yields where others may go first; between two yields nothing else runs. It must not throw. */
export function createSweeper(sweep: () => Generator<void>): Sweeper {
  let running: Promise<void> | undefined
  let isStopped = false
  let rebuilds = 0
  let lastRebuildMs: number | undefined
  const run = async () => {
    const startMs = performance.now()
    for (const _ of sweep()) {
      await nextTurn()
      if (isStopped) return
    }
    rebuilds += 1
    lastRebuildMs = performance.now() - startMs
  }
  return {
    start() {
      if (running !== undefined) return
      isStopped = false
      running = run().finally(() => (running = undefined))
    },
    status: () => ({
      rebuilding: running !== undefined,
      rebuilds,
      ...(lastRebuildMs === undefined ? {} : { lastRebuildMs }),
    }),
    async stop() {
      isStopped = true
      await running
    },
  }
}

/** Few dead rows cost less than looking for them. */
export function isWorthSweeping({ rows, live }: { rows: number; live: number }): boolean {
  return rows - live > Math.max(1024, rows / 10)
}
