// Answers what to do with a blob, thousands of times a second: who asks while a statement is on its way is in the next one.
//
// Promises: an answer is at most `freshMs` old; memory, statements that are waited for and who may wait are bounded;
// RetryableError when the database is away or says nothing, or too many wait. A crash loses nothing.
import type { Hex } from '../domain/blob.ts'
import { inTime } from '../db/client.ts'
import { RetryableError } from '../domain/errors.ts'
import { msSince } from '../domain/ms-since.ts'
import type { Clock } from '../domain/ports.ts'
import type { Pair, StateRow } from '../cases/blob-states.ts'

export const blobViewLimits = {
  freshMs: 1_000,
  keptMax: 50_000,
  statementPairsMax: 500,
  statements: 2,
  /** A statement takes some milliseconds: whoever waits for one that takes this long is told to come again. */
  answerMs: 5_000,
  /** So long a failure is given to whoever asks next: the app asks again what the short way could not answer. */
  failedMs: 100,
  waitingMax: 20_000,
  batchPairsMax: 1_000,
} as const

export type BlobView = {
  one(pair: Pair): Promise<StateRow>
  /** In their order; read anew. */
  many(pairs: readonly Pair[]): Promise<StateRow[]>
}

type Waiting = Pair & {
  key: string
  resolve: (row: StateRow) => void
  reject: (e: unknown) => void
}
type Kept = { row: StateRow; readMs: number }

export function createBlobView(options: {
  clock: Clock
  read: (pairs: readonly Pair[]) => Promise<StateRow[]>
}): BlobView {
  const { clock, read } = options
  const kept = new Map<string, Kept>()
  let arrived: Waiting[] = []
  let statements = 0
  let scheduled = false
  let failed: { atMs: number; error: unknown } | undefined

  const later = () => {
    if (scheduled || statements >= blobViewLimits.statements || arrived.length === 0) return
    scheduled = true
    // After the requests that came in with this one.
    setImmediate(() => {
      scheduled = false
      void ask()
    })
  }
  const ask = async () => {
    const batch = arrived.splice(0, blobViewLimits.statementPairsMax)
    if (batch.length === 0) return
    statements += 1
    const readMs = clock()
    later()
    try {
      const rows = await inTime(read(batch), 'ask about blobs', blobViewLimits.answerMs)
      batch.forEach((waiting, i) => {
        const row = rows[i]
        if (row === undefined) return waiting.reject(new TypeError('one answer a pair'))
        keep(waiting.key, { row, readMs })
        waiting.resolve(row)
      })
    } catch (error) {
      failed = { atMs: clock(), error }
      for (const waiting of batch) waiting.reject(error)
    }
    statements -= 1
    later()
  }
  const keep = (key: string, value: Kept) => {
    // The oldest first: what is read again moves to the end.
    kept.delete(key)
    kept.set(key, value)
    if (kept.size > blobViewLimits.keptMax)
      for (const oldest of kept.keys()) {
        kept.delete(oldest)
        break
      }
  }
  return {
    one(pair) {
      const key = keyOf(pair)
      const known = kept.get(key)
      if (known !== undefined && msSince(known.readMs, clock()) < blobViewLimits.freshMs)
        return Promise.resolve(known.row)
      if (failed !== undefined && msSince(failed.atMs, clock()) < blobViewLimits.failedMs)
        return Promise.reject(failed.error)
      if (arrived.length >= blobViewLimits.waitingMax)
        return Promise.reject(new RetryableError('too many questions about blobs wait'))
      return new Promise((resolve, reject) => {
        arrived.push({ ...pair, key, resolve, reject })
        later()
      })
    },
    many: read,
  }
}

function keyOf({ did, digest }: { did: string; digest: Hex }): string {
  return `${digest}${did}`
}
