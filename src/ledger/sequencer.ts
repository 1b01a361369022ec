// The one writer of the ledger: turns intake rows into entries, a batch at a time, and lets actions go.
//
// Promises: entries are dense from 0, in the order of the intake; time never runs backwards; the tree grows with the chain;
// one sequencer writes, because the head moves only for the epoch that it took. A content that floods is held within a second or two, also
// when nothing is released.
// A fault here stops appending and so every action; ingest, fetch and hash go on (DATA rule 11).
// A crash leaves whole batches or nothing.
import type { Database } from '../db/client.ts'
import { msSince } from '../domain/ms-since.ts'
import type { Clock } from '../domain/ports.ts'
import { append, waitingIntake, watchFloods } from '../steps/append.ts'
import type {
  AppendEntry,
  Flood,
  Intake,
  KeptValue,
  LedgerHead,
  LedgerNode,
  ReleaseLimits,
} from '../steps/append.ts'
import { createAccountKeys } from './account-keys.ts'
import type { SealFor } from './account-keys.ts'
import { toHex } from './bytes.ts'
import { saltBytes } from './commitment.ts'
import { commitment, makeEntry } from './entry.ts'
import { openFrontier } from './frontier-store.ts'
import { freshRandom } from './random.ts'
import type { DataKey } from './seal.ts'
import type { Frontier } from './tree/frontier.ts'

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
  /** `intake`: the rows that are entries now. */
  onAppended?: (appended: {
    entries: number
    intake: number[]
    size: number
    released: number
  }) => void
  onFlood?: (flood: Flood) => void
}): Sequencer {
  const accountKeys = createAccountKeys(options)
  const tellFloods = async (nowMs: number) => {
    for (const flood of await watchFloods(options.db, { limits: options.limits, nowMs }))
      options.onFlood?.(flood)
  }
  return {
    async run(taken, signal) {
      const frontier = await openFrontier(options.db, taken)
      let head = taken
      let releasedAtMs = 0
      let watchedAtMs = 0
      /** On its way to the database while the next batch is made. One at a time. */
      let going: Going | undefined
      const settle = async () => {
        const done = await going?.done
        if (going !== undefined && done !== undefined)
          options.onAppended?.({ entries: going.intake.length, intake: going.intake, ...done })
        going = undefined
      }
      try {
        while (!signal.aborted) {
          if (msSince(watchedAtMs, options.clock()) >= sequencerLimits.floodsEveryMs) {
            watchedAtMs = options.clock()
            await tellFloods(watchedAtMs)
          }
          const intake = await waitingIntake(options.db, sequencerLimits.batch, going?.intake)
          const due = msSince(releasedAtMs, options.clock()) >= sequencerLimits.releaseEveryMs
          if (intake.length === 0 && going !== undefined) {
            await settle()
            continue
          }
          if (intake.length === 0 && !due) {
            await options.wait(sequencerLimits.idleMs, signal)
            continue
          }
          const nowMs = options.clock()
          const sealFor = await accountKeys.sealFor(accountsOf(intake))
          const batch = makeBatch(intake, { head, frontier, nowMs, sealFor })
          const bytes = toHex(frontier.bytes())
          await settle()
          going = start(options, { head, batch, frontier: bytes, nowMs })
          head = batch.head
          releasedAtMs = nowMs
        }
        await settle()
      } finally {
        // Whatever failed: nothing of ours is on its way when the lead is given up.
        await going?.done.catch(() => undefined)
      }
    },
  }
}

type Going = { intake: number[]; done: Promise<{ size: number; released: number }> }

function start(
  { db, limits }: { db: Database; limits: ReleaseLimits },
  input: { head: LedgerHead; batch: Batch; frontier: string; nowMs: number },
): Going {
  const { head, batch, frontier, nowMs } = input
  const { entries, kept, nodes } = batch
  const done = append(db, { head, entries, kept, nodes, frontier, limits, nowMs })
  // Awaited when the next batch is made; a failure until then must not be unhandled.
  done.catch(() => undefined)
  return { intake: entries.map((entry) => entry.intake), done }
}

type Batch = { entries: AppendEntry[]; kept: KeptValue[]; nodes: LedgerNode[]; head: LedgerHead }

/** Moves the frontier on; when the append then fails, so does this sequencer, and the next reads the frontier anew. */
function makeBatch(
  intake: Intake[],
  input: { head: LedgerHead; frontier: Frontier; nowMs: number; sealFor: SealFor },
): Batch {
  const { head, frontier, sealFor } = input
  const batch: Omit<Batch, 'head'> = { entries: [], kept: [], nodes: [] }
  let { size, hash } = head
  const atMs = Math.max(head.atMs, input.nowMs)
  for (const row of intake) {
    const entry = makeEntry({
      log: head.log,
      seq: size,
      atMs,
      prev: hash,
      type: row.type,
      idem: row.idem,
      actor: row.actor,
      pub: row.pub,
      com: commitValues(row, { seq: size, sealFor, kept: batch.kept }),
    })
    frontier.push(entry.leaf, ({ level, index, root }) =>
      batch.nodes.push({ level, index, hash: toHex(root) }),
    )
    batch.entries.push({ intake: row.id, text: entry.text, hash: entry.hash })
    size += 1
    hash = entry.hash
  }
  return { ...batch, head: { ...head, size, hash, atMs } }
}

/** Those that have a value to seal. */
function accountsOf(intake: Intake[]): number[] {
  return intake.flatMap(({ account, private: values }) =>
    account !== null && Object.keys(values).length > 0 ? [account] : [],
  )
}

/** The commitments of an entry; what opens them goes to `kept`. */
function commitValues(
  { id, account, private: values }: Intake,
  { seq, sealFor, kept }: { seq: number; sealFor: SealFor; kept: KeptValue[] },
): Record<string, string> {
  const com: Record<string, string> = {}
  for (const [field, value] of Object.entries(values)) {
    const salt = freshRandom(saltBytes)
    com[field] = commitment(field, salt, value)
    const plain = Buffer.concat([salt, Buffer.from(value, 'utf8')])
    const sealed = sealFor(account, `${seq}:${field}`, plain)
    kept.push({ seq, intake: id, field, account, sealed })
  }
  return com
}
