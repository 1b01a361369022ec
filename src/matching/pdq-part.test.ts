import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import type { IndexPart } from './index-part.ts'
import { flipBits, naiveSearch, randomWords, rowMaker, sortHits, toBatch } from './pdq-model.ts'
import type { ModelRow } from './pdq-model.ts'
import { createPdqPart } from './pdq-part.ts'

const random = randomWords(Number(process.env['BLOBWATCH_TEST_SEED'] ?? 20261121))
const freshRows = rowMaker(random)

/** 101 queries: one by one they are searched here, together by threads. */
async function assertSame(part: IndexPart, rows: readonly ModelRow[]): Promise<void> {
  const queries = Array.from({ length: 101 }, () =>
    flipBits(rows[random() % rows.length]!.hash, random() % 34, random),
  )
  const together = await part.search(Buffer.concat(queries), 31)
  const oneByOne = await Promise.all(
    queries.map(async (query, n) =>
      (await part.search(query, 31)).map((hit) => ({ ...hit, query: n })),
    ),
  )
  assert.ok(together.length > 50)
  assert.deepEqual(sortHits(together), sortHits(naiveSearch(rows, queries, 31)))
  assert.deepEqual(sortHits(together), sortHits(oneByOne.flat()))
}

test('threads find what is found here, through adds, removals and rebuilds', async () => {
  const started: Worker[] = []
  await using part = createPdqPart({
    pendingMax: 300,
    threadsFromSignals: 0,
    onSearchWorker: (worker) => started.push(worker),
  })
  let rows: ModelRow[] = []
  for (let round = 0; round < 40; round++) {
    const added = freshRows(150)
    part.add(toBatch(added))
    part.remove(Uint32Array.from(rows.slice(0, 50), (row) => row.signalId))
    rows = [...rows.slice(50), ...added]
    await assertSame(part, rows)
    if (round % 10 === 0) await sleep(20)
  }
  assert.ok(part.status().rebuilds > 5, `${part.status().rebuilds} rebuilds`)
  assert.ok(started.length > 0 && started.length <= 2)
})

test('few queries, or many in a small index, start no thread', async () => {
  await using part = createPdqPart({ onSearchWorker: () => assert.fail('a thread was started') })
  const rows = freshRows(1000)
  part.add(toBatch(rows))
  await assertSame(part, rows)
})

/** So wide that each is compared with every row: the threads are busy for a while. */
function longSearch(part: IndexPart, rows: readonly ModelRow[]): Promise<unknown> {
  const queries = rows.slice(0, 2000).map(({ hash }) => hash)
  return Promise.resolve(part.search(Buffer.concat(queries), 40))
}

test('a thread that dies fails its searches, and the next search starts another', async () => {
  let last: Worker | undefined
  await using part = createPdqPart({
    threadsFromSignals: 0,
    onSearchWorker: (worker) => (last = worker),
  })
  const rows = freshRows(20_000)
  part.add(toBatch(rows))
  // More often than a memory has scratches.
  for (let round = 0; round < 12; round++) {
    const doomed = assert.rejects(longSearch(part, rows), /ended with code/)
    assert.ok(last)
    await last.terminate()
    await doomed
    await assertSame(part, rows)
  }
})

test('can be disposed of while threads search', async () => {
  const part = createPdqPart({ threadsFromSignals: 0 })
  const rows = freshRows(20_000)
  part.add(toBatch(rows))
  const doomed = assert.rejects(longSearch(part, rows), /ended with code/)
  await part[Symbol.asyncDispose]()
  await doomed
})
