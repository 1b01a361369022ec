import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { RetryableError } from '../../domain/errors.ts'
import { formatCheckpoint } from '../note/checkpoint.ts'
import { formatNote } from '../note/note.ts'
import { makeSignerKey } from '../note/signer-key.ts'
import { replaceDurably } from './durable-file.ts'
import { lockFile } from './file-lock.ts'
import { headFileName } from './head-file.ts'
import { createHeadKeeper } from './head-keeper.ts'
import type { HeadKeeper } from './head-keeper.ts'
import { makeTestLog } from './log-in-test.ts'

const name = 'log.test/main'
const key = makeSignerKey(name, 'log', Buffer.alloc(32, 7))
const log = makeTestLog(name, { size: 300 })
const dir = await mkdtemp(join(tmpdir(), 'blobwatch-heads-'))
after(() => rm(dir, { recursive: true, force: true }))
let made = 0
const freshFolder = () => join(dir, `heads-${(made += 1)}`)

async function grow(keeper: HeadKeeper, old: number, size: number, of = log) {
  const request = await of.request(old, size)
  const text = formatCheckpoint(request)
  return await keeper.grow({
    ...request,
    sign: () => formatNote({ text, signatures: [key.sign(text, 0)] }),
  })
}

test('two keepers on one folder grow one head: of all that ask at once for the same step, one gets it', async () => {
  const folder = freshFolder()
  const keepers = await Promise.all([1, 2].map(() => createHeadKeeper({ folder })))
  const pick = (i: number) => keepers[i % 2] as HeadKeeper
  let own = 0
  for (const step of [1, 7, 40, 100]) {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => grow(pick(i), own, own + step + i)),
    )
    const kept = answers.flatMap((answer, i) => (answer.kind === 'kept' ? [own + step + i] : []))
    assert.equal(kept.length, 1)
    own = kept[0] as number
    assert.equal((await pick(0).head(name))?.size, own)
    assert.equal((await pick(1).head(name))?.size, own)
  }
})

test('a head that cannot be written is not signed for: the disk is full, or closed', async () => {
  const folder = freshFolder()
  const failing = (code: string) =>
    createHeadKeeper({
      folder,
      disk: { replace: () => Promise.reject(Object.assign(new Error(code), { code })) },
    })
  const sound = await createHeadKeeper({ folder })
  for (const code of ['ENOSPC', 'EROFS', 'EIO']) {
    await assert.rejects(grow(await failing(code), 0, 10), RetryableError)
    assert.equal(await sound.head(name), undefined)
  }
  assert.equal((await grow(sound, 0, 10)).kind, 'kept')
  await assert.rejects(grow(await failing('ENOSPC'), 10, 20), RetryableError)
  assert.equal((await sound.head(name))?.size, 10)
})

test('a head that was written although the disk said no is kept: growing goes on from there and never beside it', async () => {
  const folder = freshFolder()
  const late = await createHeadKeeper({
    folder,
    disk: {
      replace: async (path, text) => {
        await replaceDurably(path, text)
        throw Object.assign(new Error('EIO'), { code: 'EIO' })
      },
    },
  })
  await assert.rejects(grow(late, 0, 10), RetryableError)
  const sound = await createHeadKeeper({ folder })
  const fork = makeTestLog(name, { size: 300, forkAt: 5 })
  const refused = await grow(sound, 10, 10, fork)
  assert.equal(refused.kind === 'refused' && refused.why, 'forked')
  assert.equal((await grow(sound, 10, 10)).kind, 'kept')
  assert.equal((await grow(sound, 10, 20)).kind, 'kept')
})

test('a folder that cannot be made or locked is told, and nothing is signed', async () => {
  const file = join(dir, 'a-file')
  await writeFile(file, '')
  await assert.rejects(createHeadKeeper({ folder: join(file, 'heads') }), RetryableError)
  const folder = freshFolder()
  const keeper = await createHeadKeeper({ folder })
  await writeFile(join(folder, 'lock'), 'this is no lock, and longer than nothing'.repeat(40))
  await assert.rejects(grow(keeper, 0, 10), /cannot be locked: file is not a database/)
  assert.equal(await keeper.head(name), undefined)
})

test('a lock has one holder at a time and is free again when it is given back', async () => {
  const path = join(dir, 'one.lock')
  const first = await lockFile(path, { waitMs: 0 })
  assert.ok(first)
  assert.equal(await lockFile(path, { waitMs: 0 }), undefined)
  const waiting = lockFile(path)
  first[Symbol.dispose]()
  const second = await waiting
  assert.ok(second)
  second[Symbol.dispose]()
})

test('keeps one file and one mark a log, and leaves nothing half-written behind', async () => {
  const folder = freshFolder()
  const keeper = await createHeadKeeper({ folder })
  await grow(keeper, 0, 10)
  await grow(keeper, 10, 20)
  const file = headFileName(name)
  assert.deepEqual((await readdir(folder)).toSorted(), [file, `${file}.began`, 'lock'].toSorted())
})
