// Brings an index from one generation to the next: what was added and removed between the two.
import type { Database, Log } from '../db/client.ts'
import { noOtherTypes } from '../domain/other-type.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import type { BankIndex, IndexState } from '../domain/signal-batch.ts'
import { readAdded, readRemoved } from './bank-loader-changes.ts'
import type { Changes, Span } from './bank-loader-changes.ts'

type Reading = { db: Database; log: Pick<Log, 'warn'>; others?: OtherTypes }

/** `after`: the state at the end of the span. */
export type Taken = { index: BankIndex; span: Span; changes: Changes; after: IndexState }

/** What is small is seen whole by the next lookup, or not at all. */
export async function takeAtOnce(
  { index, span, changes, after }: Taken,
  { db, log, others = noOtherTypes }: Reading,
) {
  const added = []
  const removed = []
  for await (const page of readAdded(db, span, changes.added, { others })) {
    added.push(...page.batches)
    tellSkipped(log, page.skipped)
  }
  for await (const ids of readRemoved(db, span, changes.removed)) removed.push(...ids)
  index.apply({ ...after, added, removedSignalIds: Uint32Array.from(removed) })
}

/** What is big is matched as it comes, and counts as there when all of it is. Additions first: nothing is between banks. */
export async function takeInPages(
  { index, span, changes, after, unfinished }: Taken & { unfinished: { through: number } },
  { db, log, others = noOtherTypes }: Reading,
): Promise<void> {
  const soFar = { ...after, generation: span.from }
  const none = new Uint32Array()
  for await (const page of readAdded(db, span, changes.added, {
    others,
    after: unfinished.through,
  })) {
    index.apply({ ...soFar, added: page.batches, removedSignalIds: none })
    unfinished.through = page.through
    tellSkipped(log, page.skipped)
  }
  for await (const ids of readRemoved(db, span, changes.removed)) {
    index.apply({ ...soFar, added: [], removedSignalIds: ids })
  }
  index.apply({ ...after, added: [], removedSignalIds: none })
}

export function tellSkipped(log: Reading['log'], skipped: number): void {
  if (skipped === 0) return
  log.warn('bank signals of an unknown type or a wrong length are not compared', {
    outcome: 'signals-skipped',
    count: skipped,
  })
}
