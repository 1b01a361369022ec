// The banks as this process knows them, kept up to date from the database: policies here, signals in the index.
//
// Promises: when `refresh()` has returned, every change that was committed before the call is matched. Changes are told
// apart by the generation: the index answers with h only when all of h is in it. An outage of any length is caught up by
// the next look; a database that was restored to an older state is read anew, and the index of before answers meanwhile.
// A look that fails leaves what was known. After a crash everything is read anew.
import type { Bank } from '../domain/bank.ts'
import { noOtherTypes } from '../domain/other-type.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import type { Clock, Matcher } from '../domain/ports.ts'
import type { BankIndex, IndexStatus } from '../domain/signal-batch.ts'
import type { Database, Log } from '../db/client.ts'
import { createIndexSlot } from './bank-index-slot.ts'
import type { IndexSlot } from './bank-index-slot.ts'
import { lookAtHead, readBanks, readState } from './bank-loader-head.ts'
import type { Look, Point } from './bank-loader-head.ts'
import { takeAtOnce, takeInPages, tellSkipped } from './bank-catch-up.ts'
import { readExtents } from './bank-loader-changes.ts'
import { loaderLimits } from './bank-loader-packed.ts'
import { readSignals } from './bank-loader.ts'
import type { LoadProgress } from './bank-loader.ts'

export const bankBookLimits = { pollMs: 200, tellMs: 5_000 } as const

export type BankBookStatus = {
  /** Everything is being read: for the first time, or because the database's history is another one. */
  loading: boolean
  /** Milliseconds since 1970 of the last look that the database answered; 0: none yet. */
  lookedAtMs: number
  generation: number
  /** Of the database, at the last look. */
  head: number
  /** Since when a later generation than the index's is known of. */
  behindSinceMs: number | undefined
  index: IndexStatus | undefined
}

export type BankBook = AsyncDisposable & {
  /** In force a moment before the signals that came with them. */
  banks: () => ReadonlyMap<number, Bank>
  /** Throws RetryableError before the first refresh. */
  matcher: Matcher
  status(): BankBookStatus
  /** The first one reads everything. Calls at the same time share a look that begins after the last of them. */
  refresh(): Promise<void>
}

export type BankBookOptions = {
  db: Database
  clock: Clock
  log: Pick<Log, 'info' | 'warn'>
  /** The types of plug-ins; signals of any other that is not ours are not loaded. */
  others?: OtherTypes
  /** An empty one; disposed by the book. */
  createIndex: () => BankIndex
}

export function createBankBook(options: BankBookOptions): BankBook {
  const state: State = {
    slot: createIndexSlot(),
    banks: new Map(),
    known: undefined,
    unfinished: undefined,
    loading: false,
    lookedAtMs: 0,
    head: 0,
    behindSinceMs: undefined,
  }
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  const start = () => {
    running = refreshOnce(state, options).finally(() => {
      running = undefined
    })
    return running
  }
  const settled = () => undefined
  return {
    banks: () => state.banks,
    matcher: state.slot.matcher,
    status: () => ({
      loading: state.loading,
      lookedAtMs: state.lookedAtMs,
      generation: state.slot.matcher.generation(),
      head: state.head,
      behindSinceMs: state.behindSinceMs,
      index: state.slot.index()?.status(),
    }),
    async refresh() {
      if (running === undefined) return start()
      next ??= running.then(settled, settled).then(() => {
        next = undefined
        return running ?? start()
      })
      return next
    },
    async [Symbol.asyncDispose]() {
      await running?.catch(settled)
      await state.slot[Symbol.asyncDispose]()
    },
  }
}

type State = {
  slot: IndexSlot
  banks: ReadonlyMap<number, Bank>
  /** The latest generation of which anything is in the index. */
  known: Point | undefined
  /** Additions up to the known point, of which those with ids up to `through` are in the index. */
  unfinished: { through: number } | undefined
  loading: boolean
  lookedAtMs: number
  head: number
  behindSinceMs: number | undefined
}

async function refreshOnce(state: State, options: BankBookOptions): Promise<void> {
  const { matcher } = state.slot
  let look = await lookOnce(state, options)
  while (!isOurHistory(state, look)) {
    if (state.known !== undefined) tellReplaced(state, look, options)
    await loadAll(state, look.head, options)
    // What changed while it was read.
    look = await lookOnce(state, options)
  }
  if (state.unfinished !== undefined) await catchUp(state, state.known as Point, options)
  if (look.head.generation > matcher.generation()) await catchUp(state, look.head, options)
  state.behindSinceMs = undefined
}

async function lookOnce(state: State, { db, clock }: BankBookOptions): Promise<Look> {
  const look = await lookAtHead(db, state.known?.generation ?? 0)
  state.lookedAtMs = clock()
  state.head = look.head.generation
  if (state.head !== state.slot.matcher.generation()) state.behindSinceMs ??= state.lookedAtMs
  return look
}

/** Ids come back in a restored database: signals of a lost history must not stay. */
function isOurHistory({ known }: State, { head, knownMark }: Look): boolean {
  return known !== undefined && head.generation >= known.generation && knownMark === known.mark
}

function tellReplaced({ known }: State, { head }: Look, { log }: BankBookOptions): void {
  log.warn('the banks are not those that were read before (a restored database): reading all', {
    outcome: 'banks-replaced',
    generation: head.generation,
    knownGeneration: known?.generation ?? 0,
  })
}

async function loadAll(state: State, head: Point, options: BankBookOptions): Promise<void> {
  const { db, log, others = noOtherTypes } = options
  state.loading = true
  const index = options.createIndex()
  try {
    const banks = await readBanks(db)
    const loaded = await readState(db, head.generation, banks)
    const progress = tellProgress(options)
    await index.load(readSignals(db, head.generation, { others, onPage: progress.onPage }), loaded)
    progress.end()
    state.banks = banks
    state.known = head
    state.unfinished = undefined
    await state.slot.replace(index)
  } catch (error) {
    if (state.slot.index() !== index) await index[Symbol.asyncDispose]()
    throw error
  } finally {
    state.loading = false
  }
  log.info('bank-index-loaded', { outcome: 'bank-index-loaded', generation: head.generation })
}

/** A line each few seconds: ten million signals take some. */
function tellProgress({ clock, log }: BankBookOptions) {
  let toldAtMs = clock()
  let skipped = 0
  return {
    onPage: (progress: LoadProgress) => {
      skipped = progress.skipped
      if (clock() - toldAtMs < bankBookLimits.tellMs) return
      toldAtMs = clock()
      const { signals, percent } = progress
      log.info('bank-index-loading', { outcome: 'bank-index-loading', signals, percent })
    },
    end: () => tellSkipped(log, skipped),
  }
}

/** Everything up to `to`. Called again after a failure, with the same `to`, it goes on where it was. */
async function catchUp(state: State, to: Point, options: BankBookOptions): Promise<void> {
  const { db } = options
  const index = state.slot.index() as BankIndex
  const span = { from: index.generation(), to: to.generation }
  const banks = await readBanks(db)
  const after = await readState(db, to.generation, banks)
  const changes = await readExtents(db, span)
  state.banks = banks
  const rows = changes.added.count + changes.removed.count
  if (state.unfinished === undefined && rows <= loaderLimits.changeRows) {
    await takeAtOnce({ index, span, changes, after }, options)
    state.known = to
    return
  }
  state.known = to
  state.unfinished ??= { through: 0 }
  await takeInPages({ index, span, changes, after, unfinished: state.unfinished }, options)
  state.unfinished = undefined
}
