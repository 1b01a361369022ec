// The banks and the index over them: where the index lives on this machine, and everything read before the first lookup.
import { totalmem } from 'node:os'
import { constrainedMemory } from 'node:process'
import { createBankBook } from './banks/bank-book.ts'
import type { BankBook } from './banks/bank-book.ts'
import { countSignals } from './banks/bank-loader-count.ts'
import type { Config } from './config.ts'
import type { Database } from './db/client.ts'
import { ask } from './db/client.ts'
import type { OtherTypes } from './domain/other-type.ts'
import type { Clock } from './domain/ports.ts'
import { createBankIndex } from './matching/bank-index.ts'
import { chooseLayout } from './matching/choose-layout.ts'
import type { LayoutChoice } from './matching/choose-layout.ts'
import type { Log } from './telemetry/log.ts'

const dayMs = 86_400_000

/** Reads every bank signal: resolves when the first lookup can be made. Throws RetryableError when the database fails. */
export async function openBankBook(options: {
  db: Database
  config: Pick<Config, 'indexLayout' | 'dataDir'>
  clock: Clock
  log: Log
  others: OtherTypes
  onRebuildFailed: (error: unknown) => void
}): Promise<{ book: BankBook; layout: LayoutChoice }> {
  const { db, config, clock, log, others, onRebuildFailed } = options
  const { choice, expected } = await layoutFor({ db, config, nowMs: clock() })
  const layout =
    choice.layout === 'file'
      ? ({ kind: 'file', dataDir: config.dataDir } as const)
      : ({ kind: 'memory' } as const)
  log.info(`the bank index is in ${choice.layout}: ${choice.reason}`, {
    outcome: 'index-layout',
    layout: choice.layout,
    signals: Object.values(expected).reduce((sum, count) => sum + count, 0),
  })
  const book = createBankBook({
    db,
    clock,
    log,
    others,
    createIndex: () => createBankIndex({ clock, layout, expected, others, onRebuildFailed }),
  })
  try {
    await book.refresh()
  } catch (error) {
    await book[Symbol.asyncDispose]()
    throw error
  }
  return { book, layout: choice }
}

/** Where the index of this database would live on this machine. */
export async function layoutFor(options: {
  db: Database
  config: Pick<Config, 'indexLayout'>
  nowMs: number
}): Promise<{ choice: LayoutChoice; expected: Awaited<ReturnType<typeof countSignals>> }> {
  const expected = await countSignals(options.db)
  const choice = chooseLayout({
    hashes: expected.pdq,
    memoryBytes: memoryBytes(),
    lookupsPerSecond: await lookupsPerSecond(options.db, options.nowMs),
    wanted: options.config.indexLayout,
  })
  return { choice, expected }
}

/** Of the machine, or of the container where that is less. */
function memoryBytes(): number {
  const limit = constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}

/** What was seen in the last day, from one page of sightings in a hundred: a picture is looked up about as often as seen. */
async function lookupsPerSecond(db: Database, nowMs: number): Promise<number> {
  const [row] = await ask(
    'estimate how much is seen',
    db<{ seen: number }[]>`
      select count(*) * 100 as seen from sighting tablesample system (1)
      where at > ${new Date(nowMs - dayMs)}`,
  )
  return Number(((row?.seen ?? 0) / (dayMs / 1000)).toPrecision(2))
}
