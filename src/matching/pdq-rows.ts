// The rows of a PDQ index: which memory serves, where each row that is not sorted yet lies, and what a rebuild that is on
// its way does not know.
import type { SignalBatch } from '../domain/signal-batch.ts'
import type { SharedMemory } from './kernel-webassembly.ts'
import { header } from './layout.ts'
import {
  appendRows,
  clearLive,
  createBase,
  openBase,
  pendingFields,
  pendingRows,
  pendingSegment,
} from './pdq-base.ts'
import type { PdqBase } from './pdq-base.ts'

export type PdqRows = {
  base(): PdqBase
  /** For a load: the rows cannot be removed before they are sorted. */
  append(batch: SignalBatch): void
  add(batch: SignalBatch): void
  /** Ids that are not there are passed over. */
  remove(signalIds: Uint32Array): void
  counts(): { live: number; dead: number; pending: number; sorted: number }
  /** From here on a rebuild works on the base; returns how many rows in blocks it is to take. */
  beginRebuild(): number
  /** The memory is the index, once what came since has gone over to it: microseconds a thousand rows. */
  endRebuild(memory: SharedMemory, pending: number): void
  /** As if it had never begun. */
  abandonRebuild(): void
  /** Forgets everything. */
  reset(): void
}

/** The mark of further rows takes the highest bit. */
const bankIdMax = 2 ** 31 - 1

export function createPdqRows(): PdqRows {
  let base = createBase()
  let live = 0
  let dead = 0
  /** By signal id the place of a row in blocks, counted from the first there ever was; `sorted` are in the base by now. */
  const places = { since: new Map<number, number>(), taken: new Map<number, number>(), sorted: 0 }
  /** By a rebuild's begin; undefined when there is none. */
  let removedSince: number[] | undefined

  const removeOne = (signalId: number) => {
    const place = places.since.get(signalId) ?? places.taken.get(signalId)
    if (place !== undefined) {
      base.words[pendingFields(base, place - places.sorted)] = 0
      places.since.delete(signalId)
      places.taken.delete(signalId)
    } else if (!clearLive(base, signalId)) {
      return
    }
    live -= 1
    dead += 1
    removedSince?.push(signalId)
  }
  const append = (batch: SignalBatch) => {
    refuseLargeBanks(batch)
    appendRows(base, batch, false)
    live += batch.count
  }
  return {
    base: () => base,
    append,
    add(batch) {
      let place = places.sorted + pendingRows(base)
      append(batch)
      for (const id of batch.signalIds.subarray(0, batch.count)) places.since.set(id, place++)
    },
    remove(signalIds) {
      for (const signalId of signalIds) removeOne(signalId)
    },
    counts: () => ({
      live,
      dead,
      pending: pendingRows(base),
      sorted: base.words[header.slots]! + base.words[header.overflowCount]!,
    }),
    beginRebuild() {
      places.taken = places.since
      places.since = new Map()
      removedSince = []
      return pendingRows(base)
    },
    endRebuild(memory, pending) {
      const next = openBase(memory)
      copyPending(base, next, pending)
      for (const signalId of removedSince ?? []) clearLive(next, signalId)
      dead = removedSince?.length ?? 0
      removedSince = undefined
      places.taken = new Map()
      places.sorted += pending
      base = next
    },
    abandonRebuild() {
      for (const [signalId, place] of places.taken) places.since.set(signalId, place)
      places.taken = new Map()
      removedSince = undefined
    },
    reset() {
      base = createBase()
      live = 0
      dead = 0
    },
  }
}

/** The rows in blocks from number `from` on. */
function copyPending(base: PdqBase, next: PdqBase, from: number): void {
  const end = pendingRows(base)
  for (let row = from; row < end;) {
    const segment = pendingSegment(base, row, end)
    appendRows(next, segment, true)
    row += segment.count
  }
}

function refuseLargeBanks(batch: SignalBatch): void {
  for (const bankId of batch.bankIds) {
    if (bankId > bankIdMax) throw new RangeError(`bank id ${bankId} is above ${bankIdMax}`)
  }
}
