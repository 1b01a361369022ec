// A bank's history that follows from numbers alone, so that a killed process and its test know the same one.
import { createHash } from 'node:crypto'
import { signalBytes } from '../domain/signal-batch.ts'
import type { SignalBatch } from '../domain/signal-batch.ts'
import type { SignalType } from '../domain/blob.ts'
import { createDigestIndex } from './digest-index.ts'
import { createDigestFormat } from './file-digest.ts'
import { createFilePart } from './file-part.ts'
import type { FilePart, FilePartOptions } from './file-part.ts'
import { createScanFormat } from './file-scan.ts'
import { createScanIndex } from './scan-index.ts'

export const storyTypes = ['pdq', 'md5'] as const
export type StoryType = (typeof storyTypes)[number]

const loaded = 3000
const addedEach = 50
const removedEach = 17

export function createStoryPart(
  folder: string,
  type: StoryType,
  options: Pick<FilePartOptions, 'generation' | 'pendingMax' | 'onRebuildFailed' | 'retryMs'>,
): FilePart {
  return createFilePart({
    ...options,
    format:
      type === 'pdq' ? createScanFormat({ folder, type }) : createDigestFormat({ folder, type }),
    createPending: () => (type === 'pdq' ? createScanIndex({ type }) : createDigestIndex({ type })),
  })
}

/** Random by its id. */
export function valueOf(type: SignalType, id: number): Uint8Array {
  const [one, two] = ['1', '2'].map((salt) => createHash('sha256').update(`${salt}.${id}`).digest())
  return Buffer.concat([one!, two!]).subarray(0, signalBytes[type])
}

/** Ids from `first` to `last`. */
export function batchOf(type: SignalType, first: number, last: number): SignalBatch {
  const signalIds = Uint32Array.from({ length: last - first + 1 }, (_, i) => first + i)
  const values = Buffer.concat(Array.from(signalIds, (id) => valueOf(type, id)))
  return {
    type,
    count: signalIds.length,
    values: new Uint8Array(values),
    signalIds,
    contentIds: signalIds.map((id) => id * 2),
    bankIds: signalIds.map((id) => 1 + (id % 3)),
  }
}

/** Generation 1, in pieces. */
export async function* firstRows(type: SignalType): AsyncGenerator<SignalBatch> {
  for (let first = 1; first <= loaded; first += 100) yield batchOf(type, first, first + 99)
}

/** The highest id there is at a generation. */
export function lastId(generation: number): number {
  return loaded + (generation - 1) * addedEach
}

/** From generation 2 on. */
export function stepOf(
  type: SignalType,
  generation: number,
): { added: SignalBatch; removed: Uint32Array } {
  const added = batchOf(type, lastId(generation - 1) + 1, lastId(generation))
  const removed = Uint32Array.from(
    { length: removedEach },
    (_, i) => 1 + ((generation * 31 + i * 97) % lastId(generation)),
  )
  return { added, removed }
}

export function liveAt(generation: number): Set<number> {
  const live = new Set(Array.from({ length: lastId(generation) }, (_, i) => i + 1))
  for (let g = 2; g <= generation; g++)
    for (let i = 0; i < removedEach; i++) live.delete(1 + ((g * 31 + i * 97) % lastId(g)))
  return live
}
