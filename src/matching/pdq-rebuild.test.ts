import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { createPdqIndex } from './pdq-index.ts'
import type { PdqIndex } from './pdq-index.ts'
import { randomWords, rowMaker, sortHits, toBatch } from './pdq-model.ts'
import type { ModelRow } from './pdq-model.ts'

const seed = Number(process.env['BLOBWATCH_TEST_SEED'] ?? 20261121)
const random = randomWords(seed)
const freshRows = rowMaker(random)

/** Everything the index has is within 256 bits of anything: so nothing is lost and nothing is there twice. */
function assertHolds(index: PdqIndex, live: ReadonlyMap<number, ModelRow>): void {
  const found = sortHits(index.search(new Uint8Array(32), 256)).map((hit) => hit.signalId)
  assert.deepEqual(
    found,
    [...live.keys()].toSorted((a, b) => a - b),
  )
  assert.equal(index.status().signals, live.size)
}

/** Adds 100 rows and removes 30 of any age. */
function change(index: PdqIndex, live: Map<number, ModelRow>): void {
  const rows = freshRows(100)
  index.add(toBatch(rows))
  for (const row of rows) live.set(row.signalId, row)
  const ids = [...live.keys()]
  const removed = Uint32Array.from({ length: 30 }, () => ids[random() % ids.length]!)
  index.remove(removed)
  for (const id of removed) live.delete(id)
}

async function until(isSo: () => boolean): Promise<void> {
  for (let n = 0; !isSo(); n++) {
    assert.ok(n < 2000, 'it takes too long')
    await sleep(5)
  }
}

test('a rebuild worker killed at random moments loses nothing and doubles nothing', async () => {
  const live = new Map<number, ModelRow>()
  let isKilling = true
  let failures = 0
  await using index = createPdqIndex({
    pendingMax: 500,
    retryMs: { first: 1, most: 4 },
    onRebuildFailed: () => (failures += 1),
    onRebuildWorker: (worker) => {
      if (isKilling) setTimeout(() => void worker.terminate(), random() % 60)
    },
  })
  for (let round = 0; round < 400; round++) {
    change(index, live)
    await sleep(2)
    if (round % 20 === 0) assertHolds(index, live)
  }
  assert.ok(failures > 10, `${failures} killed`)
  assert.equal(index.status().rebuildFailures, failures)
  isKilling = false
  const { rebuilds } = index.status()
  await until(() => index.status().rebuilds > rebuilds && !index.status().rebuilding)
  assertHolds(index, live)
})

test('goes on serving while rebuilding, and what is added and removed meanwhile counts', async () => {
  const live = new Map<number, ModelRow>()
  await using index = createPdqIndex({ pendingMax: 2000 })
  while (!index.status().rebuilding) change(index, live)
  for (let n = 0; index.status().rebuilds === 0; n++) {
    if (n < 30) change(index, live)
    const [row] = live.values()
    assert.equal(index.search(row!.hash, 31).length, 1)
    await sleep(1)
  }
  assertHolds(index, live)
  assert.ok(index.status().pending < 3100)
})

test('is rebuilt when a tenth of its rows is dead', async () => {
  await using index = createPdqIndex()
  const rows = freshRows(20_000)
  await index.load(
    (async function* () {
      yield toBatch(rows)
    })(),
  )
  index.remove(Uint32Array.from(rows.slice(0, 15_000), (row) => row.signalId))
  await until(() => index.status().rebuilds === 1)
  assertHolds(index, new Map(rows.slice(15_000).map((row) => [row.signalId, row])))
  assert.equal(index.status().pending, 0)
})

test('can be disposed of in the middle of a rebuild', async () => {
  let exits = 0
  const index = createPdqIndex({
    pendingMax: 100,
    onRebuildWorker: (worker) => worker.once('exit', () => (exits += 1)),
    onRebuildFailed: () => assert.fail('a rebuild that was stopped did not fail'),
  })
  index.add(toBatch(freshRows(5000)))
  assert.ok(index.status().rebuilding)
  await index[Symbol.asyncDispose]()
  assert.equal(exits, 1)
})

const attachedThread = `
  const { parentPort, workerData } = require('node:worker_threads')
  import(workerData.module).then(({ attachPdqIndex }) => {
    const index = attachPdqIndex(workerData.share)
    parentPort.on('message', (query) => parentPort.postMessage(index.search(query, 31)))
  })`

test('another thread sees adds, removals and rebuilt memories with its next search', async () => {
  const live = new Map<number, ModelRow>()
  await using index = createPdqIndex({ pendingMax: 400 })
  change(index, live)
  const share = index.share()
  const worker = new Worker(attachedThread, {
    eval: true,
    workerData: { share, module: new URL('./pdq-share.ts', import.meta.url).href },
    transferList: [share.port],
  })
  const ask = (hash: Uint8Array) =>
    new Promise<{ signalId: number }[]>((resolve) => {
      worker.once('message', resolve)
      worker.postMessage(hash)
    })
  for (let round = 0; index.status().rebuilds < 5; round++) {
    change(index, live)
    const [row] = [...live.values()].slice(-1)
    assert.deepEqual(
      (await ask(row!.hash)).map((hit) => hit.signalId),
      [row!.signalId],
    )
    index.remove(Uint32Array.of(row!.signalId))
    live.delete(row!.signalId)
    assert.deepEqual(await ask(row!.hash), [])
  }
  // More than one block: the memory grows after the thread has attached.
  const many = freshRows(70_000)
  const last = many[69_999]!
  index.add(toBatch(many))
  assert.deepEqual(
    (await ask(last.hash)).map((hit) => hit.signalId),
    [last.signalId],
  )
  await worker.terminate()
})
