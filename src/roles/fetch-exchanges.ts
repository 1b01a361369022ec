// Fetches the exchanges that are due: each page becomes bank contents in one step, with the checkpoint behind it.
//
// Promises: one process at a time has an exchange, and a page comes in once, whoever asked for it. Signals pass the tests of a
// list: what says nothing about one picture, or would match a harmless one, stays out and is counted. What fails is asked again
// after a wait that doubles, and hinders no other exchange. No signal and no name of an item is in a log.
// Assumes nothing of the programme: what it says is parsed by its client and refused here.
// A crash leaves the lease, which runs out after three minutes; the next one goes on behind the last page that came in.
import { bankOfHistory } from '../banks/bank-store.ts'
import { readBenignSet } from '../banks/benign.ts'
import type { BenignSet } from '../banks/benign.ts'
import { readCredentials } from '../banks/exchange-credentials.ts'
import { takePage } from '../banks/exchange-page.ts'
import type { Database } from '../db/client.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import { FatalError } from '../domain/errors.ts'
import type { ExchangeApis, ExchangeSetup } from '../domain/ports.ts'
import { syncExchange } from '../exchanges/sync.ts'
import type { SyncEnd } from '../exchanges/sync.ts'
import type { DataKey } from '../ledger/seal.ts'
import { applyPage, claimExchanges, endExchange } from '../steps/exchange.ts'
import type { ClaimedExchange } from '../steps/exchange.ts'
import { principalId } from '../steps/withdraw.ts'
import type { Telemetry } from '../telemetry/events.ts'

export const fetchLimits = { retryMs: { first: 60_000, most: 3600_000 } } as const

export type FetchOptions = {
  db: Database
  exchangeApis: ExchangeApis
  dataKey: Pick<DataKey, 'open'>
  /** Signal types of plug-ins. */
  others: OtherTypes
  /** From the end of one fetch to the next. */
  everyMs: number
  clock: () => number
  telemetry: Pick<Telemetry, 'exchangePageTaken' | 'exchangeFetched'>
  /** Contents came in or went. */
  onChanged: () => void
}

/** Of the apis that have a client here; the others stay for whoever has one. */
export async function claimFetches(
  options: Pick<FetchOptions, 'db' | 'exchangeApis' | 'clock'>,
  free: number,
): Promise<ClaimedExchange[]> {
  const apis = [...options.exchangeApis.keys()]
  if (apis.length === 0) return []
  return claimExchanges(options.db, { apis, limit: free, nowMs: options.clock() })
}

export async function fetchExchange(
  claimed: ClaimedExchange,
  options: FetchOptions,
  signal: AbortSignal,
): Promise<void> {
  const { db, clock, telemetry } = options
  const principal = await principalId(db, { kind: 'system', name: 'blobwatch', nowMs: clock() })
  const finish = async (end: SyncEnd) => {
    if (end.kind === 'lost') return
    const outcome = outcomeOf(end, claimed, options)
    const isOurs = await endExchange(db, { claimed, principal, nowMs: clock(), ...outcome })
    if (isOurs && end.kind !== 'stopped') telemetry.exchangeFetched({ api: claimed.api, ...end })
    options.onChanged()
  }
  let end: SyncEnd
  try {
    end = await fetchPages(claimed, options, principal, signal)
  } catch (error) {
    // A fault of ours is shown, and waited for, like one of the programme's.
    await finish({ kind: 'failed', reason: 'internal' })
    throw error
  }
  await finish(end)
}

async function fetchPages(
  claimed: ClaimedExchange,
  options: FetchOptions,
  principal: number,
  signal: AbortSignal,
): Promise<SyncEnd> {
  const { db, clock, telemetry } = options
  const open = options.exchangeApis.get(claimed.api)
  if (open === undefined) throw new TypeError('an exchange was claimed that has no client here')
  const { id, policy } = await bankOfHistory(db, `b${claimed.bank}`)
  // Most fetches bring nothing, and a bank of harmless pictures may be large.
  let benign: Promise<BenignSet> | undefined
  const isNegative = policy.suppresses !== undefined
  let credentials: ExchangeSetup['credentials']
  try {
    credentials = await readCredentials(db, claimed.api, options.dataKey)
  } catch (error) {
    if (!(error instanceof FatalError)) throw error
    return { kind: 'failed', reason: 'credentials' }
  }
  await using client = open({ config: claimed.config, ...(credentials && { credentials }) })
  return await syncExchange({
    client,
    checkpoint: claimed.checkpoint ?? undefined,
    pages: claimed.pages,
    clock,
    signal,
    async apply({ updates, ...page }) {
      if (updates.length > 0 && !isNegative) benign ??= readBenignSet(db, id)
      const { pdqDistanceMax } = policy
      const taken = takePage(updates, {
        benign: await benign,
        pdqDistanceMax,
        others: options.others,
      })
      const applied = await applyPage(db, {
        ...{ claimed, principal, nowMs: clock() },
        ...page,
        ...taken,
      })
      if (applied.outcome === 'applied') {
        const { added, removed } = applied
        telemetry.exchangePageTaken({ added, removed, left: taken.left })
        options.onChanged()
      }
      return applied
    },
  })
}

function outcomeOf(
  end: Exclude<SyncEnd, { kind: 'lost' }>,
  { failures }: ClaimedExchange,
  { clock, everyMs }: FetchOptions,
): { ok?: boolean; reason?: string; nextAtMs: number } {
  const nowMs = clock()
  const { first, most } = fetchLimits.retryMs
  const retryAtMs = nowMs + Math.min(most, first * 2 ** Math.min(failures, 20))
  switch (end.kind) {
    case 'up-to-date':
      return { ok: true, nextAtMs: nowMs + everyMs }
    case 'more':
      return { ok: true, nextAtMs: nowMs }
    case 'failed':
      return { ok: false, reason: end.reason, nextAtMs: retryAtMs }
    case 'held':
      return { ok: false, reason: 'too-many-deletions', nextAtMs: retryAtMs }
    case 'stopped':
      return { nextAtMs: nowMs }
    default:
      return end satisfies never
  }
}
