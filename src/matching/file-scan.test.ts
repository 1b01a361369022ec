import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Worker } from 'node:worker_threads'
import type { SignalBatch } from '../domain/signal-batch.ts'
import { signalBytes } from '../domain/signal-batch.ts'
import type { SignalFile } from './file-format.ts'
import { headerBytes } from './file-header.ts'
import { rowsPerBlock } from './file-scan-block.ts'
import type { ScanType } from './file-scan-block.ts'
import { createScanFormat } from './file-scan.ts'

const dir = await mkdtemp(join(tmpdir(), 'blobwatch-test-scan-'))
after(() => rm(dir, { recursive: true, force: true }))
/** Nine blocks of pdq, thirty-five of clip; the last is not full. */
const count = 140_000

async function* batches(type: ScanType, values: Uint8Array): AsyncGenerator<SignalBatch> {
  const ids = Uint32Array.from({ length: count }, (_, i) => i + 1)
  yield { type, count, values, signalIds: ids, contentIds: ids, bankIds: ids }
}

async function write(options: Parameters<typeof createScanFormat>[0], values: Uint8Array) {
  const format = createScanFormat(options)
  const file = await format.write({
    generation: 1,
    rows: batches(options.type, values),
    keep: () => true,
    signal: new AbortController().signal,
  })
  return { format, file }
}

/** Rows near the edges of blocks and of the file, with one bit turned over. */
function planted(values: Uint8Array, type: ScanType): { rows: number[]; queries: Uint8Array } {
  const width = signalBytes[type]
  const edge = rowsPerBlock(type)
  const rows = [0, 1, edge - 1, edge, 2 * edge - 1, 2 * edge, count - 2, count - 1]
  const queries = Buffer.concat(rows.map((row) => values.subarray(row * width, (row + 1) * width)))
  for (let n = 0; n < rows.length; n++) queries[n * width + (n % width)]! ^= 16
  return { rows, queries }
}

const found = async (file: SignalFile, queries: Uint8Array, radius: number) =>
  (await file.search(queries, radius))
    .map(({ query, signalId, contentId, bankId, distance }) => [
      query,
      signalId,
      contentId,
      bankId,
      distance,
    ])
    .toSorted((a, b) => a[0]! - b[0]!)

for (const type of ['pdq', 'clip'] as const) {
  for (const threadsFrom of [0, Infinity]) {
    test(`finds ${type} rows in every block, ${threadsFrom === 0 ? 'in threads' : 'here'}`, async () => {
      const width = signalBytes[type]
      const values = new Uint8Array(randomBytes(count * width))
      const { format, file } = await write({ folder: dir, type, threadsFrom }, values)
      const { rows, queries } = planted(values, type)
      const expected = rows.map((row, n) => [n, row + 1, row + 1, row + 1, 1])
      assert.deepEqual(await found(file, queries, 0), [])
      const many = await Promise.all([1, 5, 20, 31].map((radius) => found(file, queries, radius)))
      for (const answer of many) assert.deepEqual(answer, expected)
      // More than go into one pass; each finds what it is asked for.
      const wide = Buffer.concat(Array.from({ length: 5 }, () => queries))
      assert.equal((await file.search(wide, 1)).length, 40)
      await file.close()
      await format[Symbol.asyncDispose]()
    })
  }
}

test('a radius of more than 31 finds what a naive look finds', async () => {
  const values = new Uint8Array(randomBytes(count * 32))
  const { file } = await write({ folder: dir, type: 'pdq', threadsFrom: Infinity }, values)
  const query = new Uint8Array(randomBytes(32))
  const bitsOf = Uint8Array.from(
    { length: 256 },
    (_, n) => n.toString(2).replaceAll('0', '').length,
  )
  let near = 0
  for (let row = 0; row < count; row++) {
    let bits = 0
    for (let i = 0; i < 32; i++) bits += bitsOf[values[row * 32 + i]! ^ query[i]!]!
    if (bits <= 110) near += 1
  }
  assert.ok(near > 100)
  assert.equal((await file.search(query, 110)).length, near)
  await file.close()
})

test('values that begin alike are told apart by their second halves, be they few or many', async () => {
  for (const alike of [1, 4, 5, 200, 300, 16_000]) {
    const values = new Uint8Array(randomBytes(count * 32))
    const query = new Uint8Array(randomBytes(32))
    const expected: number[] = []
    // At the end of the third block; every third value is the query's, or nearly.
    for (let n = 0; n < alike; n++) {
      const row = 3 * rowsPerBlock('pdq') - alike + n
      values.set(query.subarray(0, n % 3 === 0 ? 32 : 16), row * 32)
      if (n % 3 !== 0) continue
      values[row * 32 + 31]! ^= n % 2
      expected.push(row + 1)
    }
    const { file } = await write({ folder: dir, type: 'pdq', threadsFrom: Infinity }, values)
    for (const radius of [1, 31]) {
      const other = Buffer.concat([randomBytes(32), query])
      const hits = await file.search(other, radius)
      assert.deepEqual(
        hits.map(({ signalId }) => signalId).toSorted((x, y) => x - y),
        expected,
      )
      for (const { query: asked, signalId, distance } of hits)
        assert.deepEqual([asked, distance], [1, expected.indexOf(signalId) % 2])
    }
    await file.close()
  }
})

test('a thread that dies fails its searches, and the next search starts another', async () => {
  const workers: Worker[] = []
  const values = new Uint8Array(randomBytes(count * 32))
  const onWorker = (worker: Worker) => workers.push(worker)
  const { format, file } = await write(
    { folder: dir, type: 'pdq', threadsFrom: 0, onWorker },
    values,
  )
  const query = values.subarray(0, 32)
  const doomed = file.search(query, 0)
  await workers[0]!.terminate()
  await assert.rejects(doomed, /ended with code/)
  assert.equal((await file.search(query, 0)).length, 1)
  await file.close()
  await format[Symbol.asyncDispose]()
})

test('a file that is cut while threads read it is an error', async () => {
  const values = new Uint8Array(randomBytes(count * 32))
  const { format, file } = await write({ folder: dir, type: 'pdq', threadsFrom: 0 }, values)
  await truncate(join(dir, 'pdq.index'), headerBytes + 1000)
  await assert.rejects(file.search(values.subarray(0, 32), 0), /ended early/)
  await file.close()
  await format[Symbol.asyncDispose]()
})
