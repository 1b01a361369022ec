// Whether an index made of a bank's signals finds each of them: what the service's own index does, tried on this bank.
import { lookAtHead, readBanks, readState } from '../banks/bank-loader-head.ts'
import { readSignals } from '../banks/bank-loader.ts'
import type { Database } from '../db/client.ts'
import type { Signals } from '../domain/blob.ts'
import { noOtherTypes } from '../domain/other-type.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import { bytesOfType, isOtherBatch } from '../domain/signal-batch.ts'
import type { AnyBatch } from '../domain/signal-batch.ts'
import { createBankIndex } from '../matching/bank-index.ts'
import type { IndexLayout } from '../matching/bank-index-parts.ts'
import { stopIfAsked } from './seen-window.ts'
import type { Progress } from './seen-window.ts'

export type SelfCheck = {
  signals: number
  found: number
  /** Of contents that are disabled: not to be found, and not. */
  disabled: number
  /** Contents with a signal that was not found, or was found although it is disabled; the first hundred. */
  wrong: number[]
}

const wrongShown = 100

/** Reads the bank twice. Throws RetryableError when stopped. */
export async function checkSelf(options: {
  db: Database
  bank: number
  layout: IndexLayout
  /** The types of plug-ins; signals of theirs are not looked for without them. */
  others?: OtherTypes
  nowMs: number
  onProgress?: Progress
  signal?: AbortSignal
}): Promise<SelfCheck> {
  const { db, bank, nowMs, signal, layout, others = noOtherTypes } = options
  const { head } = await lookAtHead(db, 0)
  const state = await readState(db, head.generation, await readBanks(db))
  await using index = createBankIndex({ clock: () => nowMs, layout, others })
  const signalsNow = () => ofBank(db, { generation: head.generation, bank, others })
  await index.load(signalsNow(), state)
  const inIndex = index.status()
  const counts = [...Object.values(inIndex.signals), ...Object.values(inIndex.others)]
  const total = counts.reduce((sum, one) => sum + one, 0)
  const check: SelfCheck = { signals: 0, found: 0, disabled: 0, wrong: [] }
  for await (const batch of signalsNow()) {
    for (let row = 0; row < batch.count; row++) {
      stopIfAsked(signal)
      const contentId = batch.contentIds[row] as number
      const { matches } = await index.match(signalsOfRow(batch, row, others))
      const isFound = matches.some((match) => match.signalId === batch.signalIds[row])
      const until = state.disabled.get(contentId) ?? 1
      const isDisabled = until === 0 || (until > 1 && until > nowMs / 1000)
      check.signals += 1
      if (isFound) check.found += 1
      if (isDisabled && !isFound) check.disabled += 1
      if (isFound === isDisabled && check.wrong.length < wrongShown) check.wrong.push(contentId)
    }
    options.onProgress?.(check.signals, total)
  }
  return check
}

async function* ofBank(
  db: Database,
  { generation, bank, others }: { generation: number; bank: number; others: OtherTypes },
): AsyncGenerator<AnyBatch> {
  for await (const batch of readSignals(db, generation, { others })) {
    const rows = [...batch.bankIds.keys()].filter((row) => batch.bankIds[row] === bank)
    if (rows.length === 0) continue
    const width = bytesOfType(batch.type, others) ?? 0
    const values = new Uint8Array(rows.length * width)
    for (const [to, row] of rows.entries())
      values.set(batch.values.subarray(row * width, (row + 1) * width), to * width)
    const pick = (ids: Uint32Array) => Uint32Array.from(rows, (row) => ids[row] as number)
    yield {
      ...batch,
      count: rows.length,
      values,
      signalIds: pick(batch.signalIds),
      contentIds: pick(batch.contentIds),
      bankIds: pick(batch.bankIds),
    }
  }
}

/** As if a blob had just this signal; no bank signal is the empty text. */
function signalsOfRow(batch: AnyBatch, row: number, others: OtherTypes): Signals {
  const width = bytesOfType(batch.type, others) ?? 0
  const hex = Buffer.from(batch.values.subarray(row * width, (row + 1) * width)).toString('hex')
  if (isOtherBatch(batch)) {
    const { version = '' } = others.get(batch.type) ?? {}
    return { sha256: '', others: [{ type: batch.type, version, value: hex }] }
  }
  const { type } = batch
  if (type === 'sha256') return { sha256: hex }
  if (type === 'pdq') return { sha256: '', pdq: { hash: hex, quality: 100 } }
  return { sha256: '', [type]: hex }
}
