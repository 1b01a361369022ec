// Exchanges: what outside programmes say about a bank's items, fetched page by page. One client a programme (domain/ports.ts,
// `ExchangeClient`); this is the one sync that they share.
//
// Promises: a page is asked for only when the one before came in, with the checkpoint that came in with it; it stops at the
// first page that fails, is held or is not ours any more. Nothing is kept between two fetches but the checkpoint.
// Assumes that `apply` brings a page in once, or says that it did not.
// A crash leaves what came in; the next fetch goes on behind it.
import type { ExchangeClient, ExchangeUpdate } from '../domain/ports.ts'

/** Of one turn, so that an exchange without an end lets the others have theirs. */
export const syncLimits = { pagesMax: 500 } as const

export type SyncPage = {
  pages: number
  updates: ExchangeUpdate[]
  checkpoint: unknown
  more: boolean
  askedAtMs: number
}

export type SyncEnd =
  | { kind: 'up-to-date' }
  /** So many pages that it is another's turn. */
  | { kind: 'more' }
  | { kind: 'failed'; reason: string }
  /** It would take too much away: a person says whether it may. */
  | { kind: 'held' }
  /** Somebody else has it, it was switched off, or it is gone. */
  | { kind: 'lost' }
  | { kind: 'stopped' }

export async function syncExchange(options: {
  client: ExchangeClient
  checkpoint: unknown
  pages: number
  apply: (page: SyncPage) => Promise<{ outcome: 'applied' | 'lost' | 'held'; pages: number }>
  clock: () => number
  signal: AbortSignal
}): Promise<SyncEnd> {
  const { client, apply, clock, signal } = options
  let { checkpoint, pages } = options
  for (let turn = 0; turn < syncLimits.pagesMax; turn += 1) {
    const askedAtMs = clock()
    const fetched = await client.fetch(checkpoint, signal)
    if (signal.aborted) return { kind: 'stopped' }
    if (fetched.kind === 'failed') return fetched
    const { kind: _, ...given } = fetched
    const applied = await apply({ ...given, pages, askedAtMs })
    if (applied.outcome !== 'applied') return { kind: applied.outcome }
    if (!fetched.more) return { kind: 'up-to-date' }
    checkpoint = fetched.checkpoint
    pages = applied.pages
  }
  return { kind: 'more' }
}
