// Steps around signed checkpoints: kept with what other parties gave for them; given up one by one when they are old.
import type { Hex } from '../domain/blob.ts'
import type { Database } from '../db/client.ts'
import { ask, callStep } from '../db/client.ts'

export type StoredCheckpoint = {
  origin: string
  size: number
  /** The signed note with every cosignature. */
  note: string
  at: Date
  witnesses: number
  anchored_at: Date | null
}

export type KeptAnchor = { kind: 'witness' | 'record' | 'timestamp'; who: string; body: Hex }

/** The same checkpoint again, with more signatures, replaces its note. Throws FatalError when somebody else leads. */
export async function putCheckpoint(
  db: Database,
  input: {
    epoch: number
    origin: string
    size: number
    note: string
    /** Witnesses of the policy among its signatures. */
    witnesses: number
    /** Enough others hold it. */
    anchored: boolean
    anchors: KeptAnchor[]
    nowMs: number
  },
): Promise<void> {
  const { nowMs, ...rest } = input
  await callStep(db, 'put_checkpoint_v1', { ...rest, now: new Date(nowMs) })
}

export async function newestCheckpoint(
  db: Database,
  options: { origin?: string; anchored?: boolean } = {},
): Promise<StoredCheckpoint | undefined> {
  const origin = options.origin ?? null
  const [row] = await ask(
    'read the newest checkpoint',
    db<StoredCheckpoint[]>`
      select origin, size, note, at, witnesses, anchored_at from ledger_checkpoint
      where (${origin}::text is null or origin = ${origin})
        and (not ${options.anchored === true} or anchored_at is not null)
      order by at desc, size desc limit 1`,
  )
  return row
}

/** Every hour. Of older ones one an hour stays, and whatever a record or a time stamp names. */
export async function pruneCheckpoints(db: Database, nowMs: number): Promise<number> {
  const [row] = await callStep<{ removed: number }[]>(db, 'prune_checkpoints_v1', {
    now: new Date(nowMs),
  })
  return row?.removed ?? 0
}

/** The log goes on under another name; what waits comes after the entry that says so. */
export async function recoverLedger(
  db: Database,
  input: {
    head: { size: number; epoch: number }
    log: string
    previousSize: number
    previousRoot: Hex
    principal: number
    reason: string
    nowMs: number
  },
): Promise<{ log: string; labelSeq: number }> {
  const { head, nowMs, ...rest } = input
  const [row] = await callStep<{ log: string; label_seq: number }[]>(db, 'recover_ledger_v1', {
    ...rest,
    expectSize: head.size,
    epoch: head.epoch,
    now: new Date(nowMs),
  })
  if (row === undefined) throw new TypeError('recover_ledger_v1 answers with one row')
  return { log: row.log, labelSeq: row.label_seq }
}
