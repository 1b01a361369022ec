// A scan in a test, and what came of it.
import type { World } from '../testing/world.ts'
import { settle } from './scan.ts'
import type { ScanJob } from './scan.ts'
import { scanBlob } from '../pipeline.ts'

export const signal = new AbortController().signal

export async function scanned(world: World, job: ScanJob) {
  return settle(world.db, await scanBlob(job, world.pipeline, signal))
}

export async function outcomes(world: World): Promise<string[]> {
  const rows = await world.db<{ outcome: string; reason: string; rkey: string | null }[]>`
    select outcome, reason, rkey from decision order by id`
  return rows.map((row) => `${row.rkey} ${row.outcome} ${row.reason}`)
}

export async function actions(world: World): Promise<string[]> {
  const rows = await world.db<{ kind: string; state: string; waiting: string | null }[]>`
    select kind, state, waiting from action order by id`
  return rows.map((row) => [row.kind, row.state, row.waiting].filter(Boolean).join(' '))
}
