// How fast a list comes into a bank: read and staged, compared, looked back, applied; then the same list again, and the list
// with a hundredth of it gone. Each through the steps of `bank import`, in one process beside an embedded Postgres.
import { createHash } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { bankNamed, createBank } from '../src/banks/bank-store.ts'
import { importCounts, openImport } from '../src/banks/import-steps.ts'
import type { Database } from '../src/db/client.ts'
import { parseConfig } from '../src/config.ts'
import { noOtherTypes } from '../src/domain/other-type.ts'
import { admitImport, applyImport, examineImport, stageList } from '../src/roles/import-list.ts'
import type { ImportOptions } from '../src/roles/import-list.ts'
import { principalId } from '../src/steps/withdraw.ts'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { round } from './machine.ts'
import { scratchDatabase } from './scratch.ts'

const lines = { full: 1_000_000, quick: 100_000 } as const
const chunkLines = 500
/** Of the third list one line in so many is gone. */
const goneEvery = 100
const digits = 64

export const bench: Bench = {
  about:
    'lines a second of a list that comes into a bank: staged, compared, applied; then again, and with some gone',
  run: importList,
}

async function importList({ quick, signal, tell }: BenchOptions): Promise<BenchResult> {
  const count = quick ? lines.quick : lines.full
  await using scratch = await scratchDatabase({ waitsForDisk: true })
  const db = scratch.app
  const by = { principal: await principalId(db, bencher()), nowMs: Date.now() }
  await createBank(db, { name: 'LISTED', mode: 'observe', class: 'open', ...by })
  const options = { db, principal: by.principal, signal, tell }
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  const first = await importOnce(options, count, () => true)
  const same = await importOnce(options, count, () => true)
  const shrunk = await importOnce(options, count, (n) => n % goneEvery !== 0)
  delay.disable()
  const { adds } = first
  if (adds < count * 0.99 || same.unchanged !== adds || shrunk.deletes < (count / goneEvery) * 0.99)
    throw new Error(`${adds} came in, ${same.unchanged} were unchanged, ${shrunk.deletes} went`)
  return report(count, [first, same, shrunk], delay.max / 1e6)
}

const bencher = () => ({ kind: 'person' as const, name: 'bench', nowMs: Date.now() })

type Given = Pick<ImportOptions, 'db' | 'principal' | 'signal'> & { tell: (text: string) => void }
type Timed = Awaited<ReturnType<typeof importOnce>>

async function importOnce(given: Given, count: number, has: (n: number) => boolean) {
  const { db, tell, ...rest } = given
  const bank = await bankNamed(db, 'LISTED')
  const listed = { bank: bank.name, source: 'bench', replaces: true, principal: rest.principal }
  const opened = await openImport(db, { ...listed, nowMs: Date.now() })
  const options: ImportOptions = {
    ...{ ...rest, db, bank, import: opened.import, others: noOtherTypes, settings: settings() },
    clock: Date.now,
    onProgress: () => undefined,
  }
  const chunks = listOf(count, has)
  const stage = await seconds(() =>
    stageList(options, { chunks, bytes: undefined, format: 'csv', staged: 0 }),
  )
  const { value: facts, ...compare } = await seconds(() => examineImport(options))
  await admitImport(options, facts)
  const apply = await seconds(() => applyImport(options))
  await needsToBeDone(db, opened.import)
  const { adds, deletes, unchanged } = facts.counts
  tell(`${adds} new, ${deletes} gone, ${unchanged} unchanged`)
  return { adds, deletes, unchanged, stage: stage.s, compare: compare.s, apply: apply.s }
}

/** Nothing waits for a second person: a hundredth is below the limits. */
async function needsToBeDone(db: Database, id: number): Promise<void> {
  const { state } = await importCounts(db, id)
  if (state !== 'done') throw new Error(`the import is ${state}`)
}

const settings = (): ImportOptions['settings'] =>
  parseConfig({ BLOBWATCH_HMA_PORT: '0' }, (path) => {
    throw new Error(`nothing is read from ${path}`)
  })

async function seconds<T>(work: () => Promise<T>): Promise<{ value: T; s: number }> {
  const startMs = performance.now()
  const value = await work()
  return { value, s: (performance.now() - startMs) / 1000 }
}

/** Every item has a sha256, every other one a PDQ too. */
async function* listOf(count: number, has: (n: number) => boolean): AsyncGenerator<Uint8Array> {
  let text = 'id,sha256,pdq\n'
  for (let n = 0; n < count; n++) {
    const hash = createHash('sha512').update(`${n}`).digest('hex')
    if (has(n)) text += `k${n},${hash.slice(0, digits)},${n % 2 === 0 ? '' : hash.slice(digits)}\n`
    if (n % chunkLines !== chunkLines - 1) continue
    yield Buffer.from(text)
    text = ''
  }
  yield Buffer.from(text)
}

function report(count: number, [first, same, shrunk]: Timed[], delayMs: number): BenchResult {
  if (first === undefined || same === undefined || shrunk === undefined)
    throw new TypeError('three imports were timed')
  const rate = (s: number) => Math.round(count / s)
  const row = (name: string, one: Timed) => [
    ...[name, round(one.stage, 1), round(one.compare, 1), round(one.apply, 1)],
    rate(one.stage + one.compare + one.apply),
  ]
  return {
    figures: {
      lines: count,
      stagedPerSecond: rate(first.stage),
      comparedPerSecond: rate(first.compare),
      appliedPerSecond: rate(first.apply),
      unchangedPerSecond: rate(same.stage + same.compare + same.apply),
      shrunkSeconds: round(shrunk.stage + shrunk.compare + shrunk.apply, 1),
      eventLoopDelayMsMax: round(delayMs, 1),
      rssMb: Math.round(process.memoryUsage.rss() / 1e6),
    },
    table: {
      head: ['', 'staged in s', 'compared in s', 'applied in s', 'lines a second'],
      rows: [row('new', first), row('again', same), row('a hundredth gone', shrunk)],
    },
    notes: ['A sha256 for each line and a PDQ for every other one; nothing was seen before.'],
  }
}
