import assert from 'node:assert/strict'
import { copyFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { createStoryPart, firstRows, valueOf } from './file-cases.ts'
import { decodeHeader, encodeHeader, headerBytes } from './file-header.ts'
import { createDraft, openStored } from './file-store.ts'

const folder = await mkdtemp(join(tmpdir(), 'blobwatch-test-store-'))
after(() => rm(folder, { recursive: true, force: true }))
const path = join(folder, 'md5.index')

test('a header reads as it was written, and not for another type', () => {
  const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
  fc.assert(
    fc.property(u32, fc.maxSafeNat(), fc.nat(30), u32, (rows, generation, bucketBits, word) => {
      const header = {
        type: 'sha256' as const,
        generation,
        rows,
        bucketBits,
        hashKey: [word, rows] as const,
        dataBytes: generation,
        dataCrc: word,
      }
      assert.deepEqual(decodeHeader(encodeHeader(header), 'sha256'), header)
      assert.equal(decodeHeader(encodeHeader(header), 'sha1'), undefined)
    }),
    { numRuns: 100 },
  )
})

test('takes no file for an index that is cut, changed, of another type or not there', async () => {
  await using part = createStoryPart(folder, 'md5', { generation: () => 5 })
  assert.equal(await part.reopen(), undefined)
  await part.load(firstRows('md5'))
  const whole = await readFile(path)
  await using other = createStoryPart(folder, 'md5', { generation: () => 5 })
  const reopened = async (bytes: Uint8Array) => {
    await writeFile(path, bytes)
    return await other.reopen()
  }
  assert.equal(await reopened(whole), 5)
  for (const at of [0, 8, 12, 24, 33, 60, headerBytes, headerBytes + 1000, whole.length - 1]) {
    const changed = Buffer.from(whole)
    changed[at]! ^= 4
    assert.equal(await reopened(changed), undefined, `byte ${at}`)
  }
  for (const length of [0, 10, headerBytes, whole.length - 1])
    assert.equal(await reopened(whole.subarray(0, length)), undefined, `${length} bytes`)
  assert.equal(await reopened(Buffer.concat([whole, Buffer.of(0)])), undefined)
  await copyFile(path, join(folder, 'sha1.index'))
  assert.equal(await openStored(folder, 'sha1'), undefined)
  assert.equal((await part.search(valueOf('md5', 7), 0)).length, 1)
})

test('a file that is cut while it is in use is an error, not an answer', async () => {
  for (const type of ['md5', 'pdq'] as const) {
    await using part = createStoryPart(folder, type, { generation: () => 1 })
    await part.load(firstRows(type))
    await truncate(join(folder, `${type}.index`), headerBytes)
    await assert.rejects(async () => await part.search(valueOf(type, 7), 0), /ended early/)
  }
})

test('a draft that is given up leaves the file there was and no other', async () => {
  const draft = await createDraft(folder, 'clip')
  await draft.write(Buffer.alloc(100))
  await draft.discard()
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith('clip')),
    [],
  )
})
