// Which stored blobs a whole bank would match, at a distance of our choosing: for policies that are not in force.
import { lookAtHead } from '../banks/bank-loader-head.ts'
import { readSignals } from '../banks/bank-loader.ts'
import type { Database } from '../db/client.ts'
import type { Match } from '../domain/bank.ts'
import type { Hex, SignalType } from '../domain/blob.ts'
import { isOtherBatch, signalBytes } from '../domain/signal-batch.ts'
import type { SignalBatch } from '../domain/signal-batch.ts'
import { variantOf, variants, views } from '../domain/variant.ts'
import { UsageError } from '../domain/errors.ts'
import { createPdqScan } from './seen-pdq.ts'
import { cidAt, hasBits, signalPages, stopIfAsked, viewPages } from './seen-window.ts'
import type { Progress, SignalPage } from './seen-window.ts'
import { createValueTable } from './value-table.ts'

/** More than this is no policy that anybody would want. */
export const bankHitsMax = 1_000_000

type Signal = Pick<Match, 'signalId' | 'contentId'> & { value: Hex }

/** By blob; each signal once, by its nearest variant. Disabled contents too. Throws UsageError when far too much matches. */
export async function bankHits(options: {
  db: Database
  bank: number
  pdqDistanceMax: number
  onProgress?: Progress
  signal?: AbortSignal
}): Promise<Map<Hex, Match[]>> {
  const { db, bank, signal } = options
  const signals = await signalsOfBank(db, bank, signal)
  const hits = new Map<Hex, Map<number, Match>>()
  let found = 0
  const note = (page: SignalPage, row: number, match: Match) => {
    const cid = cidAt(page, row)
    const own = hits.get(cid) ?? new Map<number, Match>()
    const known = own.get(match.signalId)
    if (known === undefined) found += 1
    if (found > bankHitsMax)
      throw new UsageError(
        `with these settings the bank would match more than ${bankHitsMax} times: ask with a smaller distance`,
      )
    if (known === undefined || isNearer(match, known)) hits.set(cid, own.set(match.signalId, match))
  }
  const pdq = signals.get('pdq') ?? []
  const radius = options.pdqDistanceMax
  await using scan = await createPdqScan(pdq.map(({ value }) => ({ value, radius })))
  const lookAtPictures = async (page: SignalPage) => {
    if (pdq.length === 0) return
    await scan.look(page, (row, index, distance, turn) => {
      const { signalId, contentId } = pdq[index] as Signal
      const variant = variantOf(views[page.views[row] as number] ?? 'plain', turn)
      note(page, row, { signalId, contentId, bankId: bank, type: 'pdq', distance, variant })
    })
  }
  const digests = (['sha256', 'md5', 'sha1'] as const).map((type) =>
    digestSearch(type, signals.get(type) ?? []),
  )
  for await (const page of signalPages(db, { onProgress: options.onProgress, signal })) {
    await lookAtPictures(page)
    for (const { type, search } of digests) {
      search(page, (row, { signalId, contentId }) =>
        note(page, row, {
          signalId,
          contentId,
          bankId: bank,
          type,
          distance: 0,
          variant: 'original',
        }),
      )
    }
  }
  for await (const page of viewPages(db, { signal })) await lookAtPictures(page)
  return new Map([...hits].map(([cid, own]) => [cid, [...own.values()]]))
}

function isNearer(a: Match, b: Match): boolean {
  const plainer = variants.indexOf(a.variant) < variants.indexOf(b.variant)
  return a.distance < b.distance || (a.distance === b.distance && plainer)
}

async function signalsOfBank(
  db: Database,
  bank: number,
  signal: AbortSignal | undefined,
): Promise<Map<SignalType, Signal[]>> {
  const { head } = await lookAtHead(db, 0)
  const signals = new Map<SignalType, Signal[]>()
  for await (const batch of readSignals(db, head.generation)) {
    stopIfAsked(signal)
    // No policy changes how far a plug-in's type looks: what it matches was recorded.
    if (isOtherBatch(batch)) continue
    const own = signals.get(batch.type) ?? []
    own.push(...rowsOf(batch, bank))
    signals.set(batch.type, own)
  }
  return signals
}

function rowsOf(batch: SignalBatch, bank: number): Signal[] {
  const width = signalBytes[batch.type]
  const values = Buffer.from(batch.values.buffer, batch.values.byteOffset, batch.values.length)
  const rows: Signal[] = []
  for (let row = 0; row < batch.count; row++) {
    if (batch.bankIds[row] !== bank) continue
    rows.push({
      signalId: batch.signalIds[row] as number,
      contentId: batch.contentIds[row] as number,
      value: values.toString('hex', row * width, (row + 1) * width),
    })
  }
  return rows
}

function digestSearch(type: 'sha256' | 'md5' | 'sha1', signals: Signal[]) {
  const width = signalBytes[type]
  const table = createValueTable(signals.length, width)
  const owners: Signal[][] = []
  for (const signal of signals) {
    const number = table.add(Buffer.from(signal.value, 'hex'), 0)
    owners[number] = [...(owners[number] ?? []), signal]
  }
  const search = (page: SignalPage, onHit: (row: number, signal: Signal) => void) => {
    if (table.size === 0) return
    const values = type === 'sha256' ? page.cids : page[type]
    for (let row = 0; row < page.count; row++) {
      if (type !== 'sha256' && ((page.has[row] as number) & hasBits[type]) === 0) continue
      for (const signal of owners[table.find(values, row * width)] ?? []) onHit(row, signal)
    }
  }
  return { type, search }
}
