// An exchange in a database of its own, fetched step by step, with a clock that only the test moves.
import { createBanks, sha256Of, startMs } from '../banks/bank-in-test.ts'
import { takePage } from '../banks/exchange-page.ts'
import { noOtherTypes } from '../domain/other-type.ts'
import type { ExchangeUpdate } from '../domain/ports.ts'
import { applyPage, claimExchanges, endExchange } from '../steps/exchange.ts'
import type { AppliedPage, ClaimedExchange } from '../steps/exchange.ts'
import { createExchange, readExchange } from '../exchanges/exchange-store.ts'

export const put = (id: string, texts: string[] = [id], tags: string[] = []): ExchangeUpdate => ({
  op: 'put',
  id,
  signals: texts.map((text) => ({ type: 'sha256', value: sha256Of(text) })),
  tags,
})
export const gone = (id: string): ExchangeUpdate => ({ op: 'delete', id })

export type ExchangeInTest = Awaited<ReturnType<typeof exchangeInTest>>

export async function exchangeInTest(context: { after(clean: () => Promise<void>): void }) {
  const banks = await createBanks(context)
  const { db, principal } = banks
  let nowMs = startMs
  const author = () => ({ principal, nowMs })
  await createExchange(db, { name: 'LIST', api: 'listed', config: {}, ...author() })
  const here = async () => {
    const found = await readExchange(db, { name: 'LIST', nowMs })
    if (found === undefined) throw new TypeError('LIST is gone')
    return found
  }
  return {
    ...banks,
    author,
    here,
    now: () => nowMs,
    pass: (ms: number) => (nowMs += ms),

    async claim(apis = ['listed']): Promise<ClaimedExchange | undefined> {
      return (await claimExchanges(db, { apis, limit: 10, nowMs }))[0]
    },

    /** As the role does it. `at`: changes of what was claimed. */
    apply(
      claimed: ClaimedExchange,
      updates: ExchangeUpdate[],
      page: { pages?: number; checkpoint?: unknown; more?: boolean } = {},
    ): Promise<AppliedPage> {
      const given = { pages: claimed.pages, checkpoint: '1', more: false }
      const taken = takePage(updates, {
        benign: undefined,
        pdqDistanceMax: 31,
        others: noOtherTypes,
      })
      return applyPage(db, {
        ...{ claimed, askedAtMs: nowMs, ...author() },
        ...given,
        ...page,
        ...taken,
      })
    },

    end(claimed: ClaimedExchange, outcome: { ok?: boolean; reason?: string } = { ok: true }) {
      return endExchange(db, { claimed, nextAtMs: nowMs + 60_000, ...author(), ...outcome })
    },

    /** Claims, applies one page and ends. */
    async fetch(
      updates: ExchangeUpdate[],
      page: { checkpoint?: unknown; more?: boolean } = {},
    ): Promise<AppliedPage> {
      nowMs += 60_000
      const claimed = await this.claim()
      if (claimed === undefined) throw new TypeError('LIST is not due')
      const applied = await this.apply(claimed, updates, page)
      await this.end(claimed)
      return applied
    },

    /** What is live, by the programme's ids: the values' types and first digits. */
    async items(): Promise<Record<string, string[]>> {
      const rows = await db<{ id: string; signals: string[] }[]>`
        select coalesce(c.source_key, c.provenance#>>'{hma,fetchId}') as id,
          array_agg(s.type || ' ' || left(encode(s.value, 'hex'), 8) order by s.type, s.value) as signals
        from bank_content c join bank_signal s on s.content = c.id and s.state = 'live'
        where c.bank = ${(await here()).bank} and c.removed_at is null group by c.id order by 1`
      return Object.fromEntries(rows.map(({ id, signals }) => [id, signals]))
    },
  }
}

/** As `items` shows it. */
export function shown(...texts: string[]): string[] {
  return texts.map((text) => `sha256 ${sha256Of(text).slice(0, 8)}`).toSorted()
}
