// The one writer of the ledger: turns intake rows into entries, a batch at a time, and lets actions go.
//
// Promises: entries are dense from 0, in the order of the intake; time never runs backwards; the tree grows with the chain;
// one sequencer writes, because the head moves only for the epoch that it took. A content that floods is held within a second or two, also
// when nothing is released.
// A fault here stops appending and so every action; ingest, fetch and hash go on (DATA rule 11).
// A crash leaves whole batches or nothing.
import { randomBytes } from 'node:crypto'
import type { Database } from '../db/client.ts'
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
import { toHex } from './bytes.ts'
import { commitment, makeEntry } from './entry.ts'
import { openFrontier } from './frontier-store.ts'
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
  onAppended?: (appended: { entries: number; size: number; released: number }) => void
  onFlood?: (flood: Flood) => void
}): Sequencer {
  return {
    async run(taken, signal) {
      let head = taken
      const frontier = await openFrontier(options.db, taken)
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
        const {
          entries,
          kept,
          nodes,
          head: next,
        } = makeBatch(intake, { head, frontier, nowMs, dataKey: options.dataKey })
        const done = await append(options.db, {
          head,
          entries,
          kept,
          nodes,
          frontier: toHex(frontier.bytes()),
          limits: options.limits,
          nowMs,
        })
        head = next
        releasedAtMs = nowMs
        options.onAppended?.({
          entries: entries.length,
          size: done.size,
          released: done.released,
        })
      }
    },
  }
}

type Batch = { entries: AppendEntry[]; kept: KeptValue[]; nodes: LedgerNode[]; head: LedgerHead }

/** Moves the frontier on; when the append then fails, so does this sequencer, and the next reads the frontier anew. */
function makeBatch(
  intake: Intake[],
  input: { head: LedgerHead; frontier: Frontier; nowMs: number; dataKey: DataKey },
): Batch {
  const { head, frontier, dataKey } = input
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
      com: commitValues(row, { seq: size, dataKey, kept: batch.kept }),
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

/** The commitments of an entry; what opens them goes to `kept`. */
function commitValues(
  row: Intake,
  { seq, dataKey, kept }: { seq: number; dataKey: DataKey; kept: KeptValue[] },
): Record<string, string> {
  const com: Record<string, string> = {}
  for (const [field, value] of Object.entries(row.private)) {
    const salt = randomBytes(32)
    com[field] = commitment(field, salt, value)
    const plain = Buffer.concat([salt, Buffer.from(value, 'utf8')])
    const sealed = dataKey.seal(`${seq}:${field}`, plain)
    kept.push({ seq, intake: row.id, field, account: row.account, sealed })
  }
  return com
}
