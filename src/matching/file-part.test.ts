import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { batchOf, createStoryPart, firstRows, lastId, liveAt, stepOf } from './file-cases.ts'
import { storyTypes, valueOf } from './file-cases.ts'
import type { StoryType } from './file-cases.ts'
import type { FilePart } from './file-part.ts'

const isLong = process.env['BLOBWATCH_TEST_LONG'] === '1'
const dir = await mkdtemp(join(tmpdir(), 'blobwatch-test-files-'))
after(() => rm(dir, { recursive: true, force: true }))
const child = fileURLToPath(new URL('file-part-child.ts', import.meta.url))

/** Each id that ever was is searched for by its value, 500 at a time. */
async function assertHolds(part: FilePart, type: StoryType, generation: number): Promise<void> {
  const live = liveAt(generation)
  assert.equal(part.status().signals, live.size)
  for (let first = 1; first <= lastId(generation); first += 500) {
    const last = Math.min(lastId(generation), first + 499)
    const hits = await part.search(batchOf(type, first, last).values, 0)
    const found = hits.map(({ signalId, query }) => [signalId, query])
    const expected = Array.from({ length: last - first + 1 }, (_, query) => [first + query, query])
    assert.deepEqual(
      found.toSorted((a, b) => a[0]! - b[0]!),
      expected.filter(([id]) => live.has(id!)),
    )
    for (const { signalId, contentId, bankId } of hits)
      assert.deepEqual([contentId, bankId], [signalId * 2, 1 + (signalId % 3)])
  }
}

for (const type of storyTypes) {
  test(`${type}: stays right while files are written one after the other`, async () => {
    let generation = 1
    const options = { generation: () => generation, pendingMax: 150 }
    await using part = createStoryPart(join(dir, `steps-${type}`), type, options)
    await part.load(firstRows(type))
    for (let n = 0; n < 30; n++) {
      const { added, removed } = stepOf(type, generation + 1)
      part.add(added)
      part.remove(removed)
      generation += 1
      if (n % 12 === 0) await assertHolds(part, type, generation)
    }
    while (part.status().rebuilding) await sleep(1)
    assert.ok(part.status().rebuilds >= 2)
    await assertHolds(part, type, generation)
  })

  test(`${type}: a write that fails leaves everything findable and is tried again`, async () => {
    const folder = join(dir, `fails-${type}`)
    const failures: unknown[] = []
    const options = {
      generation: () => 2,
      pendingMax: 20,
      retryMs: 0,
      onRebuildFailed: (error: unknown) => failures.push(error),
    }
    await using part = createStoryPart(folder, type, options)
    await part.load(firstRows(type))
    // A folder where the file should go, so that it cannot be renamed.
    await rm(join(folder, `${type}.index`))
    await mkdir(join(folder, `${type}.index`))
    const { added, removed } = stepOf(type, 2)
    part.add(added)
    while (part.status().rebuilding) await sleep(1)
    assert.equal(failures.length, 1)
    assert.equal(part.status().pending, added.count)
    await rm(join(folder, `${type}.index`), { recursive: true })
    part.remove(removed)
    while (part.status().rebuilding) await sleep(1)
    assert.equal(part.status().rebuilds, 1)
    await assertHolds(part, type, 2)
  })

  test(`${type}: many who search at the same time each get their own answer`, async () => {
    await using part = createStoryPart(join(dir, `many-${type}`), type, { generation: () => 1 })
    await part.load(firstRows(type))
    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, i) => await part.search(valueOf(type, i + 1), 0)),
    )
    assert.deepEqual(
      answers.map((hits) => hits.map(({ signalId }) => signalId)),
      answers.map((_, i) => [i + 1]),
    )
  })
}

test('a process that is killed while it writes leaves a whole file or none', async () => {
  const folder = join(dir, 'killed')
  const seen = new Set<number>()
  /** The file may lack what was removed up to here: what came after its generation is told again up to the newest. */
  let newest = 1
  for (let round = 0; round < (isLong ? 200 : 8); round++) {
    const doomed = fork(child, [folder, `${(round % 3) * 8}`], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    doomed.on('message', (generation) => (newest = Math.max(newest, Number(generation))))
    await once(doomed, 'message')
    await sleep(Math.random() * 300)
    doomed.kill('SIGKILL')
    await once(doomed, 'exit')
    for (const type of storyTypes) {
      await using part = createStoryPart(folder, type, { generation: () => 1 })
      const generation = await part.reopen()
      if (generation === undefined) continue
      seen.add(generation)
      for (let g = generation + 1; g <= newest; g++) {
        const { added, removed } = stepOf(type, g)
        part.add(added)
        part.remove(removed)
      }
      await assertHolds(part, type, newest)
    }
  }
  assert.ok(seen.size > 0, 'no process lived long enough to write a file')
  await using part = createStoryPart(folder, 'pdq', { generation: () => 1 })
  await part.load(firstRows('pdq'))
  assert.deepEqual(
    (await readdir(folder)).filter((name) => /^pdq.*tmp$/.test(name)),
    [],
  )
})
