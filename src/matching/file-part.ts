// The part of a bank index whose signals lie in a file: what came since lies beside it in memory until the next file.
//
// Promises: adds and removals are in force for the next search; a new file is written beside the old one and nothing
// waits for it. A failed write leaves everything as it was and is tried again. Assumes that ids are not used twice.
// A crash leaves the last whole file behind, and everything that changed since its generation has to be told again.
import type { SignalBatch } from '../domain/signal-batch.ts'
import { createIdSet } from './bank-index-ids.ts'
import { createBatch, pushRow } from './bank-index-rows.ts'
import type { MemoryPart } from './bank-index-rows.ts'
import type { FileFormat, SignalFile } from './file-format.ts'
import type { IndexPart } from './index-part.ts'

export type FilePart = IndexPart & {
  /** Instead of `load`: the generation of the file found, or undefined when there is none that is whole. */
  reopen(): Promise<number | undefined>
}

export type FilePartOptions = {
  format: FileFormat
  createPending: () => MemoryPart
  /** Of the banks, as far as this part was told everything. */
  generation: () => number
  onRebuildFailed?: (error: unknown) => void
  /** Rows in memory from which a new file is written. */
  pendingMax?: number
  retryMs?: number
}

const pendingMaxDefault = 65_536
const retryMsDefault = 60_000
/** Dead rows are read past until they are this share of the file; fewer than the least are not worth a file. */
const deadShareMax = 0.1
const deadLeast = 1024

export function createFilePart(options: FilePartOptions): FilePart {
  const {
    format,
    createPending,
    pendingMax = pendingMaxDefault,
    retryMs = retryMsDefault,
  } = options
  const live = createIdSet()
  let file: SignalFile | undefined
  let pending = createPending()
  /** What was pending when the file that is being written was begun. */
  let frozen: MemoryPart | undefined
  let rewriting: Promise<void> | undefined
  let stopping = new AbortController()
  let notBeforeMs = 0
  let rebuilds = 0
  let lastRebuildMs: number | undefined

  const countPending = () => pending.status().signals + (frozen?.status().signals ?? 0)
  const isDue = () => {
    if (rewriting !== undefined || performance.now() < notBeforeMs) return false
    const rows = file?.rows ?? 0
    const dead = rows + countPending() - live.size
    return countPending() > pendingMax || dead > Math.max(deadLeast, rows * deadShareMax)
  }
  const rewrite = async (taken: MemoryPart) => {
    const startMs = performance.now()
    const next = await format.write({
      generation: options.generation(),
      rows: once(taken.snapshot()),
      keep: live.has,
      signal: stopping.signal,
      ...(file === undefined ? {} : { base: file }),
    })
    const old = file
    file = next
    frozen = undefined
    rebuilds += 1
    lastRebuildMs = performance.now() - startMs
    await old?.close()
    await taken[Symbol.asyncDispose]()
  }
  const rewriteWhenDue = () => {
    if (!isDue()) return
    const taken = pending
    frozen = taken
    pending = createPending()
    rewriting = rewrite(taken)
      .catch((error: unknown) => {
        if (frozen !== undefined) {
          // Nothing was taken over: both are pending again.
          taken.add(pending.snapshot())
          pending = taken
          frozen = undefined
        }
        if (stopping.signal.aborted) return
        notBeforeMs = performance.now() + retryMs
        options.onRebuildFailed?.(error)
      })
      .finally(() => (rewriting = undefined))
  }
  const empty = async () => {
    stopping.abort()
    await rewriting
    stopping = new AbortController()
    const old = file
    file = undefined
    pending = createPending()
    live.clear()
    await old?.close()
  }

  return {
    async load(batches) {
      await empty()
      try {
        const { signal } = stopping
        const generation = options.generation()
        file = await format.write({ generation, rows: batches, keep: live.add, signal })
      } catch (error) {
        live.clear()
        throw error
      }
    },
    async reopen() {
      await empty()
      file = await format.open()
      await file?.eachId((id) => live.add(id))
      return file?.generation
    },
    add(batch) {
      pending.add(onlyNew(batch, live.add))
      rewriteWhenDue()
    },
    remove(signalIds) {
      for (const id of signalIds) live.delete(id)
      pending.remove(signalIds)
      frozen?.remove(signalIds)
      rewriteWhenDue()
    },
    async search(queries, radius) {
      // All three as of now: what moves from one to the other meanwhile is found where it was.
      const beside = [pending, frozen].flatMap((part) => part?.search(queries, radius) ?? [])
      const inFile = (await file?.search(queries, radius)) ?? []
      return [...inFile.filter(({ signalId }) => live.has(signalId)), ...beside]
    },
    status: () => ({
      signals: live.size,
      bytes:
        live.bytes + (file?.bytes ?? 0) + pending.status().bytes + (frozen?.status().bytes ?? 0),
      pending: countPending(),
      rebuilding: rewriting !== undefined,
      rebuilds,
      ...(lastRebuildMs === undefined ? {} : { lastRebuildMs }),
    }),
    async [Symbol.asyncDispose]() {
      await empty()
      await pending[Symbol.asyncDispose]()
      await format[Symbol.asyncDispose]()
    },
  }
}

/** The batch without rows that are there already: changes may be told twice after a reopening. */
function onlyNew(batch: SignalBatch, isNew: (id: number) => boolean): SignalBatch {
  const fresh = createBatch(batch.type, batch.count)
  for (let i = 0; i < batch.count; i++)
    if (isNew(batch.signalIds[i]!)) pushRow(fresh, batch.values, batch, i)
  return fresh
}

async function* once(batch: SignalBatch): AsyncGenerator<SignalBatch> {
  yield batch
}
