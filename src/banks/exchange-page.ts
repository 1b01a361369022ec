// One page of an exchange as the bank takes it: the last word about each item, and everything of it that stays out. Pure.
import type { ExchangeUpdate } from '../domain/ports.ts'
import { UsageError } from '../domain/errors.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import type { BenignSet } from './benign.ts'
import { typeNamed } from './list-item.ts'
import { parseSignal, refusalOf } from './new-signal.ts'
import type { NewSignal, SignalRefusal } from './new-signal.ts'

/** Where contents of exchanges come from, beside lists: no list has this name. */
export const exchangeSource = 'exchange'

/**
 * Why a signal stayed out; `harmless`: it would match a harmless picture. `no-signal`: an item of which nothing is left; what the
 * bank had of it goes.
 */
export type LeftOfPage = SignalRefusal | 'unknown-type' | 'bad-signal' | 'harmless' | 'no-signal'

/** As apply_exchange_v1 takes it. Without signals: the item goes. */
export type ExchangeRow = { k: string; s?: NewSignal[]; t: string[] }

export type ExchangePage = { rows: ExchangeRow[]; left: Partial<Record<LeftOfPage, number>> }

/** `benign`: undefined for a bank of harmless pictures. */
export function takePage(
  updates: readonly ExchangeUpdate[],
  {
    benign,
    pdqDistanceMax,
    others,
  }: { benign: BenignSet | undefined; pdqDistanceMax: number; others: OtherTypes },
): ExchangePage {
  const left: ExchangePage['left'] = {}
  const leave = (reason: LeftOfPage) => (left[reason] = (left[reason] ?? 0) + 1)
  const last = new Map(updates.map((update) => [update.id, update]))
  const rows = [...last.values()].map((update): ExchangeRow => {
    if (update.op === 'delete') return { k: update.id, t: [] }
    const signals = new Map<string, NewSignal>()
    for (const given of update.signals) {
      const read = readSignal(given, others)
      if (typeof read === 'string') leave(read)
      else if (benign?.hit(read, pdqDistanceMax) !== undefined) leave('harmless')
      else signals.set(`${read.type} ${read.value}`, read)
    }
    if (signals.size > 0) return { k: update.id, s: [...signals.values()], t: update.tags }
    leave('no-signal')
    return { k: update.id, t: [] }
  })
  return { rows, left }
}

function readSignal(
  given: { type: string; value: string },
  others: OtherTypes,
): NewSignal | LeftOfPage {
  const type = typeNamed(given.type, others)
  if (type === undefined) return 'unknown-type'
  try {
    const signal = parseSignal({ type, value: given.value }, others)
    return refusalOf(signal) ?? signal
  } catch (error) {
    if (error instanceof UsageError) return 'bad-signal'
    throw error
  }
}
