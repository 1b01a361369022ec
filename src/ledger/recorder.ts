// For whoever may go on only when a fact is an entry: many callers' facts go to the database in one statement.
//
// Promises: `record` resolves when the fact is a durable entry, also when it was one before; a fact is entered once,
// whoever repeats it, for as long as its intake row waits. Rejects when the database does not take it, or when no entry
// was made in time: the fact may still become one. Assumes that some process leads the ledger.
// A crash leaves intake rows, which become entries.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import { RetryableError } from '../domain/errors.ts'
import { msSince } from '../domain/ms-since.ts'
import { noteFacts } from '../steps/note-facts.ts'
import type { Fact } from '../steps/note-facts.ts'

export const recorderLimits = {
  /** Facts of one statement, and statements at once: callers in small groups are noted, appended and told side by side. */
  batch: 64,
  statements: 3,
  /** How often the intake is looked at: another process may be the one that appends. */
  lookMs: 250,
  /** An entry may be made before the statement that wrote its row has answered. */
  enteredKept: 20_000,
  waitMs: 15_000,
} as const

export type Recorder = AsyncDisposable & {
  record(fact: Fact): Promise<void>
  /** The sequencer of this process says which intake rows have become entries: nothing has to be asked then. */
  entered(intake: readonly number[]): void
}

type Waiting = {
  fact: Fact
  resolve: () => void
  reject: (error: unknown) => void
  askedMs: number
}

export function createRecorder(options: {
  db: Database
  clock: () => number
  /** Rung when something was written that waits for its entry. */
  intake: { ring(): void }
  waitMs?: number
}): Recorder {
  const { db, clock, waitMs = recorderLimits.waitMs } = options
  const stop = new AbortController()
  const arrived: Waiting[] = []
  const noted = new Map<number, Waiting[]>()
  const entered = new Set<number>()
  let noting = 0

  const note = async () => {
    if (noting >= recorderLimits.statements) return
    noting += 1
    while (arrived.length > 0) {
      const batch = arrived.splice(0, recorderLimits.batch)
      try {
        const ids = await noteFacts(
          db,
          batch.map(({ fact }) => fact),
        )
        batch.forEach((waiting, i) => keep(ids[i], waiting))
        options.intake.ring()
      } catch (error) {
        for (const waiting of batch) waiting.reject(error)
      }
    }
    noting -= 1
  }
  const keep = (id: number | undefined, waiting: Waiting) => {
    // No row of it: it was an entry before.
    if (id === undefined || entered.has(id)) waiting.resolve()
    else noted.set(id, [...(noted.get(id) ?? []), waiting])
  }
  const look = async () => {
    while (!stop.signal.aborted) {
      await sleep(recorderLimits.lookMs, undefined, { signal: stop.signal }).catch(() => undefined)
      if (noted.size === 0) continue
      try {
        await settle()
      } catch {
        // The database is away: each caller is told when its own time is over.
      }
      giveUp()
    }
  }
  const settle = async () => {
    const asked = [...noted.keys()]
    const open = new Set(await stillWaiting(db, asked))
    for (const id of asked.filter((one) => !open.has(one))) resolve(id)
  }
  const resolve = (id: number) => {
    for (const waiting of noted.get(id) ?? []) waiting.resolve()
    noted.delete(id)
  }
  const giveUp = () => {
    for (const [id, all] of noted) {
      if (all.every(({ askedMs }) => msSince(askedMs, clock()) < waitMs)) continue
      for (const waiting of all)
        waiting.reject(new RetryableError('the ledger does not move: the fact is no entry yet'))
      noted.delete(id)
    }
  }

  const looking = look()
  return {
    record: (fact) =>
      new Promise((resolve, reject) => {
        arrived.push({ fact, resolve, reject, askedMs: clock() })
        void note()
      }),
    entered(intake) {
      for (const id of intake) {
        resolve(id)
        entered.add(id)
      }
      // The oldest first: a set keeps the order of its insertions.
      for (const id of entered) {
        if (entered.size <= recorderLimits.enteredKept) break
        entered.delete(id)
      }
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await looking
      for (const waiting of [...arrived.splice(0), ...[...noted.values()].flat()])
        waiting.reject(new RetryableError('the process stops: the fact may become an entry'))
      noted.clear()
    },
  }
}

async function stillWaiting(db: Database, ids: number[]): Promise<number[]> {
  const rows = await ask(
    'look for what waits to become an entry',
    db<{ id: number }[]>`select id from ledger_intake where id in ${db(ids)}`,
  )
  return rows.map(({ id }) => id)
}
