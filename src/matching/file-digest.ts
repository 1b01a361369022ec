// An index file of digests, in buckets by a keyed hash: a lookup reads one bucket, which is about one read of a kilobyte.
import type { FileHandle } from 'node:fs/promises'
import { signalBytes } from '../domain/signal-batch.ts'
import { hashOf } from './digest-key.ts'
import type { DigestType } from './digest-index.ts'
import { storedRowBytes } from './file-format.ts'
import { bucketOf } from './file-digest-block.ts'
import type { DigestFile, DigestStored } from './file-digest-block.ts'
import type { FileFormat } from './file-format.ts'
import { writeDigestFile } from './file-digest-write.ts'
import { headerBytes } from './file-header.ts'
import { openStored, readFully } from './file-store.ts'
import type { RowHit } from './index-part.ts'

/** Read at a time where a bucket is larger: many copies of one value. */
const pieceBytes = 65_536

/** `folder` is made when something is written. */
export function createDigestFormat(options: { folder: string; type: DigestType }): FileFormat {
  const { folder, type } = options
  return {
    write: async (request) => toSignalFile(await writeDigestFile(folder, type, request), type),
    async open() {
      const stored = await openStored(folder, type)
      if (stored === undefined) return undefined
      const starts = new Uint32Array(2 ** stored.header.bucketBits + 1)
      const at = headerBytes + stored.header.dataBytes - starts.byteLength
      await readFully(stored.handle, new Uint8Array(starts.buffer), at)
      return toSignalFile({ ...stored, starts }, type)
    },
    async [Symbol.asyncDispose]() {},
  }
}

function toSignalFile({ handle, header, starts }: DigestStored, type: DigestType): DigestFile {
  const recordBytes = signalBytes[type] + storedRowBytes
  const underWay = new Set<Promise<RowHit[]>>()
  const find = async (queries: Uint32Array) => {
    const hits: RowHit[] = []
    const words = signalBytes[type] / 4
    for (let query = 0; query < queries.length / words; query++) {
      const value = queries.subarray(query * words, (query + 1) * words)
      const bucket = bucketOf(hashOf(value, 0, words, header.hashKey), header.bucketBits)
      const [first, last] = [starts[bucket]!, starts[bucket + 1]!]
      for await (const records of pieces(handle, first, last, recordBytes))
        addEqual(records, value, query, hits)
    }
    return hits
  }
  return {
    header,
    handle,
    rows: header.rows,
    generation: header.generation,
    bytes: starts.byteLength,
    async search(queries, radius) {
      if (radius !== 0) throw new RangeError(`digests are equal or not: radius ${radius}`)
      const search = find(new Uint32Array(new Uint8Array(queries).buffer))
      underWay.add(search)
      return await search.finally(() => underWay.delete(search))
    },
    async eachId(visit) {
      const words = recordBytes / 4
      for await (const records of pieces(handle, 0, header.rows, recordBytes))
        for (let at = words - 3; at < records.length; at += words) visit(records[at]!)
    },
    async close() {
      await Promise.allSettled(underWay)
      await handle.close()
    },
  }
}

async function* pieces(
  handle: FileHandle,
  first: number,
  last: number,
  recordBytes: number,
): AsyncGenerator<Uint32Array> {
  const perPiece = Math.floor(pieceBytes / recordBytes)
  for (let from = first; from < last; from += perPiece) {
    const records = new Uint32Array((Math.min(last - from, perPiece) * recordBytes) / 4)
    const at = headerBytes + from * recordBytes
    await readFully(handle, new Uint8Array(records.buffer), at)
    yield records
  }
}

function addEqual(records: Uint32Array, value: Uint32Array, query: number, hits: RowHit[]): void {
  const words = value.length + 3
  for (let at = 0; at < records.length; at += words) {
    let i = 0
    while (i < value.length && records[at + i] === value[i]) i += 1
    if (i < value.length) continue
    const [signalId, contentId, bankId] = [
      records[at + i]!,
      records[at + i + 1]!,
      records[at + i + 2]!,
    ]
    hits.push({ signalId, contentId, bankId, query, distance: 0 })
  }
}
