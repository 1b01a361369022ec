// Writes an index file of digests: records in the order of their keyed hashes, then where each bucket begins.
import { signalBytes } from '../domain/signal-batch.ts'
import { randomHashKey } from './digest-key.ts'
import type { DigestType } from './digest-index.ts'
import type { WriteRequest } from './file-format.ts'
import { bucketOf } from './file-digest-block.ts'
import type { DigestFile, DigestStored } from './file-digest-block.ts'
import { headerBytes } from './file-header.ts'
import { merge } from './file-merge.ts'
import { recordWords, sortIntoRuns } from './file-runs.ts'
import { createDraft, temporaryPath } from './file-store.ts'

/** On average, when the file is written. */
const rowsPerBucket = 32

export async function writeDigestFile(
  folder: string,
  type: DigestType,
  request: WriteRequest,
): Promise<DigestStored> {
  const { keep, signal, generation } = request
  const base = request.base as DigestFile | undefined
  const hashKey = base?.header.hashKey ?? randomHashKey()
  const draft = await createDraft(folder, type)
  try {
    await using runs = await sortIntoRuns(temporaryPath(folder, type), { type, hashKey }, request)
    const sources =
      base === undefined
        ? runs.sources
        : [{ handle: base.handle, at: headerBytes, rows: base.rows, keep }, ...runs.sources]
    const bucketBits = bitsFor(runs.rows + (base?.rows ?? 0))
    const starts = new Uint32Array(2 ** bucketBits + 1)
    const words = recordWords(type)
    let rows = 0
    let bucket = 0
    const shape = { words, valueWords: signalBytes[type] / 4, hashKey }
    for await (const { records, hashes, count } of merge(sources, shape)) {
      for (let i = 0; i < count; i++)
        for (const own = bucketOf(hashes[i]!, bucketBits); bucket < own; bucket++)
          starts[bucket + 1] = rows + i
      await draft.write(new Uint8Array(records.buffer, 0, count * words * 4))
      rows += count
      signal.throwIfAborted()
    }
    starts.fill(rows, bucket + 1)
    await draft.write(new Uint8Array(starts.buffer))
    const stored = await draft.finish({ type, generation, rows, bucketBits, hashKey })
    return { ...stored, starts }
  } finally {
    await draft.discard()
  }
}

/** `rows`: at most so many. */
function bitsFor(rows: number): number {
  return Math.max(0, Math.ceil(Math.log2(rows / rowsPerBucket)))
}
