// The steps of a fetch: claim an exchange, take over its pages, end.
//
// Promises: an exchange has one lease at a time; a page and the checkpoint behind it come in with one statement, once; whoever
// lost the lease writes nothing. Assumes a page takes less than the lease, which each page that came in renews.
// A crash leaves the lease, which runs out; the next one goes on from the last page.
import type { AdmissionResult } from '../banks/admission.ts'
import type { ExchangeRow, LeftOfPage } from '../banks/exchange-page.ts'
import { refusalSentences } from '../banks/new-signal.ts'
import type { Database } from '../db/client.ts'
import { callStep } from '../db/client.ts'
import { crashPoint } from '../telemetry/crash-point.ts'

export const exchangeStepLimits = {
  /** More than a page may take: a process that starts, an answer, a statement. */
  leaseSeconds: 180,
  /** In 24 hours a bank loses so many contents without a question … */
  deletionsMin: 1_000,
  /** … and beyond them this share of what it had. */
  deletionsPercent: 50,
} as const

export type ClaimedExchange = {
  /** Of its bank: the name may change meanwhile. */
  bank: number
  token: string
  api: string
  config: Record<string, unknown>
  checkpoint: unknown
  pages: number
  failures: number
}

/** Of those apis only. Each is the caller's until it ends, or until it said nothing for `leaseSeconds`. */
export async function claimExchanges(
  db: Database,
  input: { apis: string[]; limit: number; nowMs: number },
): Promise<ClaimedExchange[]> {
  const { nowMs, ...rest } = input
  return callStep(db, 'claim_exchanges_v1', {
    ...rest,
    leaseSeconds: exchangeStepLimits.leaseSeconds,
    now: new Date(nowMs),
  })
}

export type AppliedPage = {
  /** `lost`: somebody else has the exchange, or nobody any more. `held`: it would take too much away. Both change nothing. */
  outcome: 'applied' | 'lost' | 'held'
  pages: number
  added: number
  removed: number
}

/** Said again it is `lost`. */
export async function applyPage(
  db: Database,
  input: {
    claimed: Pick<ClaimedExchange, 'bank' | 'token'>
    pages: number
    checkpoint: unknown
    more: boolean
    /** When the programme was asked for it. */
    askedAtMs: number
    rows: ExchangeRow[]
    left: Partial<Record<LeftOfPage, number>>
    principal: number
    nowMs: number
  },
): Promise<AppliedPage> {
  const { claimed, rows, left, checkpoint, askedAtMs, nowMs, ...rest } = input
  const { leaseSeconds, deletionsMin, deletionsPercent } = exchangeStepLimits
  crashPoint('exchange-page:before')
  const [row] = await callStep<AppliedPage[]>(
    db,
    'apply_exchange_v1',
    {
      ...rest,
      bank: claimed.bank,
      token: claimed.token,
      checkpoint: checkpoint ?? null,
      askedAt: new Date(askedAtMs),
      left,
      result: resultOf(left),
      leaseSeconds,
      deletionsMin,
      deletionsPercent,
      now: new Date(nowMs),
    },
    [JSON.stringify(rows)],
  )
  crashPoint('exchange-page:after')
  if (row === undefined) throw new TypeError('apply_exchange_v1 answers with one row')
  return row
}

/** As any other admission has it; not compared with what was seen. */
function resultOf(left: Partial<Record<LeftOfPage, number>>): Omit<AdmissionResult, 'contents'> {
  const refused = Object.entries(left).filter(([reason]) => Object.hasOwn(refusalSentences, reason))
  return { refused: Object.fromEntries(refused), harmless: left.harmless ?? 0, seen: null }
}

/** `ok` absent: it was stopped, and somebody goes on with it at `nextAtMs`. false: the lease was over. */
export async function endExchange(
  db: Database,
  input: {
    claimed: Pick<ClaimedExchange, 'bank' | 'token'>
    ok?: boolean
    reason?: string
    nextAtMs: number
    principal: number
    nowMs: number
  },
): Promise<boolean> {
  const { claimed, nextAtMs, nowMs, ...rest } = input
  const [row] = await callStep<{ ended: boolean }[]>(db, 'end_exchange_v1', {
    ...rest,
    bank: claimed.bank,
    token: claimed.token,
    nextAt: new Date(nextAtMs),
    now: new Date(nowMs),
  })
  return row?.ended === true
}
