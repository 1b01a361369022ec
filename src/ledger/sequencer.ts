// The one writer of the ledger: turns intake rows into entries, a batch at a time, and lets actions go.
//
// Promises: entries are dense from 0, in the order of the intake; time never runs backwards; one sequencer writes,
// because the head moves only for the epoch that it took. A content that floods is held within a second or two, also
// when nothing is released.
// A fault here stops appending and so every action; ingest, fetch and hash go on (DATA rule 11).
// A crash leaves whole batches or nothing.
import { randomBytes } from 'node:crypto'
import type { Database } from '../db/client.ts'
import type { Clock } from '../domain/ports.ts'
import { append, waitingIntake, watchFloods } from '../steps/append.ts'
import type { AppendEntry, Flood, Intake, LedgerHead, ReleaseLimits } from '../steps/append.ts'
import { createAccountKeys } from './account-keys.ts'
import type { SealFor } from './account-keys.ts'
import { commitment, makeEntry } from './entry.ts'
import type { DataKey } from './seal.ts'

export const sequencerLimits = {
  batch: 500,
  idleMs: 100,
  releaseEveryMs: 1000,
  floodsEveryMs: 1000,
} as const

export type Sequencer = {
  /**
   * Appends from the head that the lead was taken with until the signal aborts; what waits then is left to the next.
   * Throws FatalError when the head is not ours any more (BW001) or the chain does not hold (BW002).
   */
  run(head: LedgerHead, signal: AbortSignal): Promise<void>
}

export function createSequencer(options: {
  db: Database
  clock: Clock
  dataKey: DataKey
  limits: ReleaseLimits
  /** Ends early when something was written that waits for its entry. */
  wait: (ms: number, signal: AbortSignal) => Promise<void>
  onAppended?: (appended: { entries: number; size: number; released: number }) => void
  onFlood?: (flood: Flood) => void
}): Sequencer {
  const accountKeys = createAccountKeys(options)
  return {
    async run(taken, signal) {
      let head = taken
      let releasedAtMs = 0
      let watchedAtMs = 0
      while (!signal.aborted) {
        if (options.clock() - watchedAtMs >= sequencerLimits.floodsEveryMs) {
          watchedAtMs = options.clock()
          const floods = await watchFloods(options.db, {
            limits: options.limits,
            nowMs: watchedAtMs,
          })
          for (const flood of floods) options.onFlood?.(flood)
        }
        const intake = await waitingIntake(options.db, sequencerLimits.batch)
        const due = options.clock() - releasedAtMs >= sequencerLimits.releaseEveryMs
        if (intake.length === 0 && !due) {
          await options.wait(sequencerLimits.idleMs, signal)
          continue
        }
        const nowMs = options.clock()
        const batch = makeBatch(intake, head, nowMs, await accountKeys.sealFor(accountsOf(intake)))
        const done = await append(options.db, {
          head,
          entries: batch.entries,
          limits: options.limits,
          nowMs,
        })
        head = batch.head
        releasedAtMs = nowMs
        options.onAppended?.({
          entries: batch.entries.length,
          size: done.size,
          released: done.released,
        })
      }
    },
  }
}

function makeBatch(
  intake: Intake[],
  head: LedgerHead,
  nowMs: number,
  sealFor: SealFor,
): { entries: AppendEntry[]; head: LedgerHead } {
  let { size, hash } = head
  const atMs = Math.max(head.atMs, nowMs)
  const entries = intake.map((row) => {
    const kept = commitValues(row, size, sealFor)
    const entry = makeEntry({
      log: head.log,
      seq: size,
      atMs,
      prev: hash,
      type: row.type,
      idem: row.idem,
      actor: row.actor,
      pub: row.pub,
      com: kept.com,
    })
    size += 1
    hash = entry.hash
    return {
      intake: row.id,
      bytes: entry.bytes.toString('hex'),
      hash: entry.hash,
      private: kept.sealed,
    }
  })
  return { entries, head: { ...head, size, hash, atMs } }
}

/** Those that have a value to seal. */
function accountsOf(intake: Intake[]): number[] {
  return intake.flatMap(({ account, private: values }) =>
    account !== null && Object.keys(values).length > 0 ? [account] : [],
  )
}

function commitValues(row: Intake, seq: number, sealFor: SealFor) {
  const com: Record<string, string> = {}
  const sealed: AppendEntry['private'] = []
  for (const [field, value] of Object.entries(row.private)) {
    const salt = randomBytes(32)
    com[field] = commitment(field, salt, value)
    const plain = Buffer.concat([salt, Buffer.from(value, 'utf8')])
    const { account } = row
    sealed.push({ field, account, sealed: sealFor(account, `${seq}:${field}`, plain) })
  }
  return { com, sealed }
}
