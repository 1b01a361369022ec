// The PDQ index in memory: exact for every radius, and nothing waits for it.
//
// Promises: an add or a removal is in force when the call returns; a search never waits for a rebuild. Assumes at most
// about 30 million different hashes (load says so when there are more) and signal ids without large gaps: each takes a
// bit. A rebuild needs as much memory again, which is kept for the next; one that fails leaves the old memory serving and
// is tried again. Nothing survives a crash: the index is loaded again from the database.
import type { Worker } from 'node:worker_threads'
import type { IndexPart, PartStatus, RowHit } from './index-part.ts'
import { loadKernel } from './kernel.ts'
import type { SharedMemory } from './kernel-webassembly.ts'
import { refresh } from './pdq-base.ts'
import { buildBase } from './pdq-build.ts'
import { createPdqRows } from './pdq-rows.ts'
import type { PdqRows } from './pdq-rows.ts'
import { createSearcher } from './pdq-searcher.ts'
import type { PdqSearcher } from './pdq-searcher.ts'
import { createSharing } from './pdq-share.ts'
import type { PdqShare, PdqSharing } from './pdq-share.ts'
import { createRebuilder } from './rebuild.ts'
import type { Rebuilder } from './rebuild.ts'

export type PdqIndexOptions = {
  /** Rows in blocks from which the index is rebuilt. */
  pendingMax?: number
  retryMs?: { first: number; most: number }
  onRebuildFailed?: (error: unknown) => void
  /** For tests, which kill it. */
  onRebuildWorker?: (worker: Worker) => void
}

export type PdqStatus = PartStatus & { rebuildFailures: number }

export type PdqIndex = Omit<IndexPart, 'search' | 'status'> & {
  /** As IndexPart's, and synchronous. */
  search(queries: Uint8Array, radius: number): RowHit[]
  status(): PdqStatus
  /** For one other thread, which gives it to `attachPdqIndex`. */
  share(): PdqShare
}

const pendingMaxDefault = 8192
const retryMsDefault = { first: 1000, most: 60_000 }
/** Dead rows are read past until they are this share of the sorted ones; fewer than the least are not worth a rebuild. */
const deadShareMax = 0.1
const deadLeast = 1024
/** Up to so many rows a load is built right here: it is done before a thread would have started. */
const buildHereMax = 100_000
/** A spare memory this much larger than the one that serves is let go. */
const spareShareMax = 1.5

export function createPdqIndex(options: PdqIndexOptions = {}): PdqIndex {
  const rows = createPdqRows()
  const sharing = createSharing()
  const rebuilder = createRebuilder(options.onRebuildWorker)
  const state: State = { searcher: createSearcher(rows.base()), rebuilds: 0, rebuildFailures: 0 }
  const schedule = createSchedule({ rows, sharing, rebuilder, state, options })
  const reset = () => {
    rows.reset()
    state.searcher = createSearcher(rows.base())
  }
  return {
    async load(batches) {
      try {
        for await (const batch of batches) rows.append(batch)
        await build(rows, rebuilder)
      } catch (error) {
        reset()
        throw error
      }
    },
    add(batch) {
      rows.add(batch)
      schedule.rebuildIfDue()
    },
    remove(signalIds) {
      rows.remove(signalIds)
      schedule.rebuildIfDue()
    },
    search: (queries, radius) => state.searcher.search(queries, radius),
    status: () => ({
      signals: rows.counts().live,
      bytes: rows.base().memory.buffer.byteLength + (state.spare?.buffer.byteLength ?? 0),
      pending: rows.counts().pending,
      rebuilding: schedule.isRebuilding(),
      rebuilds: state.rebuilds,
      rebuildFailures: state.rebuildFailures,
      ...(state.lastRebuildMs === undefined ? {} : { lastRebuildMs: state.lastRebuildMs }),
    }),
    share: () => sharing.share(rows.base().memory),
    async [Symbol.asyncDispose]() {
      schedule.stop()
      sharing.close()
      await rebuilder.stop()
      const { byteLength } = rows.base().memory.buffer
      delete state.spare
      reset()
      tellCollector(byteLength)
    },
  }
}

type State = {
  searcher: PdqSearcher
  rebuilds: number
  rebuildFailures: number
  lastRebuildMs?: number
  /** The memory before: V8 would free it whenever it happens to collect, and the next rebuild needs as much again. */
  spare?: SharedMemory
}

async function build(rows: PdqRows, rebuilder: Rebuilder): Promise<void> {
  const base = rows.base()
  if (rows.counts().pending <= buildHereMax) {
    buildBase(base)
  } else {
    await rebuilder.run({ kind: 'in-place', memory: base.memory, module: loadKernel() })
    refresh(base)
  }
}

type Schedule = { rebuildIfDue(): void; isRebuilding(): boolean; stop(): void }

/** Decides when to rebuild, takes over what comes of it, and tries again after a failure, each time later. */
function createSchedule(parts: {
  rows: PdqRows
  sharing: PdqSharing
  rebuilder: Rebuilder
  state: State
  options: PdqIndexOptions
}): Schedule {
  const { rows, sharing, rebuilder, state, options } = parts
  const { pendingMax = pendingMaxDefault, retryMs = retryMsDefault } = options
  let phase: 'idle' | 'rebuilding' | 'waiting' | 'stopped' = 'idle'
  let failuresInRow = 0
  let retry: NodeJS.Timeout | undefined

  const rebuildIfDue = () => {
    if (phase !== 'idle' || !isDue(rows, pendingMax)) return
    phase = 'rebuilding'
    const startMs = performance.now()
    const { memory } = rows.base()
    const pending = rows.beginRebuild()
    const spare = spareToUse({ spare: state.spare, memory, sharing })
    const job = { kind: 'copy' as const, memory, module: loadKernel(), pending, ...spare }
    const adopt = (built: SharedMemory) => {
      if (phase === 'stopped') return
      rows.endRebuild(built, pending)
      sharing.replace(built)
      state.searcher = createSearcher(rows.base())
      state.spare = memory
      state.lastRebuildMs = performance.now() - startMs
      state.rebuilds += 1
      failuresInRow = 0
      phase = 'idle'
      rebuildIfDue()
    }
    void rebuilder.run(job).then(adopt).catch(giveUp)
  }
  const giveUp = (error: unknown) => {
    if (phase === 'stopped') return
    rows.abandonRebuild()
    state.rebuildFailures += 1
    phase = 'waiting'
    const waitMs = Math.min(retryMs.first * 2 ** failuresInRow, retryMs.most)
    failuresInRow += 1
    retry = setTimeout(() => {
      phase = 'idle'
      rebuildIfDue()
    }, waitMs).unref()
    options.onRebuildFailed?.(error)
  }
  return {
    rebuildIfDue,
    isRebuilding: () => phase === 'rebuilding',
    stop() {
      phase = 'stopped'
      clearTimeout(retry)
    },
  }
}

function isDue(rows: PdqRows, pendingMax: number): boolean {
  const { pending, dead, sorted } = rows.counts()
  return pending > pendingMax || (dead > deadLeast && dead > sorted * deadShareMax)
}

/** Not when a thread may still read it, nor when it is far larger than what serves. */
function spareToUse(options: {
  spare: SharedMemory | undefined
  memory: SharedMemory
  sharing: PdqSharing
}): { spare?: SharedMemory } {
  const { spare, memory, sharing } = options
  if (spare === undefined || !sharing.isSettled()) return {}
  const isLarge = spare.buffer.byteLength > memory.buffer.byteLength * spareShareMax
  return isLarge ? {} : { spare }
}

/**
 * V8 frees a shared memory with the object that holds it, but does not count its size, and so sees no reason to collect.
 * An ordinary buffer of the same size, never written and dropped at once, is counted and takes no memory.
 */
function tellCollector(bytes: number): void {
  try {
    void new ArrayBuffer(bytes)
  } catch {
    // The system gives no more addresses: the collector has been told all the same.
  }
}
