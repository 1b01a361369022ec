// Step number_changes and what follows it: which blobs an AppView has to look at anew, in an order that nobody overtakes.
//
// Promises: whoever changes something leaves its row in the same statement (triggers); a row gets its number once, by one
// writer at a time, so that a reader who has seen a number has seen all below it. A crash leaves rows without a number.
import { blobCidOf } from '../domain/cid.ts'
import type { Hex } from '../domain/blob.ts'
import type { Database } from '../db/client.ts'
import { ask, callStep } from '../db/client.ts'

export const changeLimits = {
  numberedPerStep: 2_000,
  stepsPerCall: 50,
  droppedPerStep: 10_000,
  keepDays: 7,
} as const

export type BlobChange = {
  seq: number
  /** undefined: every account that has no change of its own. */
  did: string | undefined
  cid: string
  state: string
  reason: string | null
  since: Date | null
}

/** `through`: the last number that was read, or passed over because its account was erased. */
export type ChangePage =
  | { kind: 'page'; changes: BlobChange[]; through: number; more: boolean }
  /** What came after that number is not kept any more, or was never given out. */
  | { kind: 'outdated' }

/** Numbers what waits; returns the newest number. */
export async function numberChanges(db: Database, nowMs: number): Promise<number> {
  let seq = 0
  for (let step = 0; step < changeLimits.stepsPerCall; step += 1) {
    const [row] = await callStep<{ seq: number; more: boolean }[]>(db, 'number_changes_v1', {
      limit: changeLimits.numberedPerStep,
      now: new Date(nowMs),
    })
    if (row === undefined) throw new TypeError('number_changes_v1 answers with one row')
    seq = row.seq
    if (!row.more) break
  }
  return seq
}

export async function readChanges(
  db: Database,
  { after, limit }: { after: number; limit: number },
): Promise<ChangePage> {
  const rows = await ask(
    'read changes of blobs',
    db<ChangeRow[]>`select * from blob_changes_v1(${after}::bigint, ${limit + 1}::integer)`,
  )
  // After the page: what was dropped meanwhile is noticed.
  const [head] = await ask(
    'read how far changes are kept',
    db<{ seq: number; through: number }[]>`select seq, through from blob_change_head`,
  )
  if (head === undefined || after < head.through || after > head.seq) return { kind: 'outdated' }
  const page = rows.slice(0, limit)
  return {
    kind: 'page',
    changes: page.filter((row) => row.account === null || row.did !== null).map(toChange),
    through: page.at(-1)?.seq ?? after,
    more: rows.length > limit,
  }
}

/** Those of before `keepDays`, oldest first. */
export async function dropChanges(db: Database, nowMs: number): Promise<number> {
  const before = new Date(nowMs - changeLimits.keepDays * 86_400_000)
  const limit = changeLimits.droppedPerStep
  let total = 0
  for (let step = 0; step < changeLimits.stepsPerCall; step += 1) {
    const [row] = await callStep<{ dropped: number }[]>(db, 'drop_changes_v1', { before, limit })
    total += row?.dropped ?? 0
    if ((row?.dropped ?? 0) < limit) break
  }
  return total
}

type ChangeRow = {
  seq: number
  account: number | null
  did: string | null
  cid: Hex
  unsupported: string | null
  state: string
  reason: string | null
  since: Date | null
}

function toChange({ seq, did, cid, unsupported, state, reason, since }: ChangeRow): BlobChange {
  return { seq, did: did ?? undefined, cid: unsupported ?? blobCidOf(cid), state, reason, since }
}
