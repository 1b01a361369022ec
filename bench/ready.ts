// How long a process takes from nothing in memory to its first lookup: every bank signal is read from Postgres into an
// index, in each layout; then how soon a bank change is matched, and how long it keeps the process from other work.
import { randomBytes } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createBankBook } from '../src/banks/bank-book.ts'
import type { BankBook } from '../src/banks/bank-book.ts'
import type { Database } from '../src/db/client.ts'
import { createBankIndex } from '../src/matching/bank-index.ts'
import type { IndexLayout } from '../src/matching/bank-index-parts.ts'
import { silentLog } from '../src/testing/database.ts'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { round } from './machine.ts'
import { banks, fillSignals } from './fill-signals.ts'
import { scratchDatabase, scratchFolder } from './scratch.ts'

const signals = { full: 10_000_000, quick: 1_000_000 } as const
const imported = 100_000

export const bench: Bench = {
  about: 'seconds from nothing until ten million bank signals of the database are searched',
  run: measureReady,
}

async function measureReady({ quick, signal, tell }: BenchOptions): Promise<BenchResult> {
  const count = signals[quick ? 'quick' : 'full']
  await using scratch = await scratchDatabase({ waitsForDisk: false })
  await using folder = await scratchFolder()
  tell(`making ${count} contents with a PDQ hash each`)
  await fillSignals(scratch.owner, count)
  signal.throwIfAborted()
  const memory = await ready(scratch.app, { kind: 'memory' }, count)
  tell(`in memory: ${memory.seconds.toFixed(1)} s`)
  const changed = await change(scratch, memory.book)
  await memory.book[Symbol.asyncDispose]()
  signal.throwIfAborted()
  const all = count + imported + 1
  const file = await ready(scratch.app, { kind: 'file', dataDir: folder.dir }, all)
  await file.book[Symbol.asyncDispose]()
  const name = quick ? '1M' : '10M'
  const figures = {
    [`readySeconds${name}`]: round(memory.seconds, 2),
    [`readySeconds${name}File`]: round(file.seconds, 2),
    oneChangeMs: round(changed.oneMs, 1),
    import100kSeconds: round(changed.importSeconds, 2),
    importLongestTurnMs: round(changed.longestTurnMs, 1),
    rssMb: round(memory.rssMb),
  }
  return {
    figures,
    table: { head: ['figure', 'value'], rows: Object.entries(figures) },
    notes: [
      `${count} contents in ${banks} banks, vacuumed; Postgres on the same machine, its pages cached by the system.`,
      'A first lookup of one hash is made and counted. oneChangeMs: until a content that was added is matched.',
      'importLongestTurnMs: of the event loop while 100,000 signals of one generation are taken in beside lookups.',
    ],
  }
}

async function ready(db: Database, layout: IndexLayout, count: number) {
  const clock = Date.now
  const startMs = performance.now()
  const book = createBankBook({
    db,
    clock,
    log: silentLog,
    createIndex: () => createBankIndex({ clock, layout, expected: { pdq: count } }),
  })
  await book.refresh()
  const last = await hashOf(db, count)
  const { matches } = await book.matcher.match(queryOf(last))
  const seconds = (performance.now() - startMs) / 1000
  if (matches.length !== 1 || book.status().index?.signals.pdq !== count)
    throw new Error('the index does not hold what the database does')
  return { book, seconds, rssMb: process.memoryUsage().rss / 1e6 }
}

async function change(scratch: { app: Database; owner: Database }, book: BankBook) {
  const startMs = performance.now()
  await addMany(scratch.owner, 1)
  await book.refresh()
  const oneMs = performance.now() - startMs
  await addMany(scratch.owner, imported)
  const turns = monitorEventLoopDelay({ resolution: 1 })
  turns.enable()
  const importMs = performance.now()
  const done = new AbortController()
  const taken = book.refresh().finally(() => done.abort())
  const query = queryOf(randomBytes(32).toString('hex'))
  while (!done.signal.aborted) {
    await book.matcher.match(query)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await taken
  turns.disable()
  const importSeconds = (performance.now() - importMs) / 1000
  return { oneMs, importSeconds, longestTurnMs: turns.max / 1e6 }
}

function queryOf(hash: string) {
  return { sha256: '00'.repeat(32), pdq: { hash, quality: 100 } }
}

async function hashOf(db: Database, id: number): Promise<string> {
  const [row] = await db<{ value: Buffer }[]>`select value from bank_signal where id = ${id}`
  return (row as { value: Buffer }).value.toString('hex')
}

/** One import in one statement and one generation. */
async function addMany(owner: Database, count: number): Promise<void> {
  await owner`
    with head as (update bank_head set generation = generation + 1 returning generation),
    made as (
      insert into bank_content (bank, created_at) select 1, now() from generate_series(1, ${count}::integer)
      returning id
    )
    insert into bank_signal (content, type, value, added_generation)
    select made.id, 'pdq', sha256(int4send(-made.id)), head.generation from made, head`
}
