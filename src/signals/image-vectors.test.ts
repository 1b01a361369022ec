import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  hasPictureVectors,
  pictureVectorsFile,
  pictureVectorsFolder as folder,
} from '../testing/picture-vectors.ts'
import { Decoder } from './decoder.ts'

type Vector = { file: string; reference: { fullSize: { hash: string; quality: number } } }

test('equals the reference to the last bit on real picture files', async (t) => {
  if (!hasPictureVectors) return t.skip(`no picture vectors at ${folder} (BLOBWATCH_PDQ_IMAGES)`)
  const vectors = JSON.parse(readFileSync(pictureVectorsFile, 'utf8')) as Vector[]
  const present = vectors.filter(({ file }) => existsSync(join(folder, 'images', file)))
  await using decoder = await Decoder.start({ slots: 1, warn: () => {} })
  for (const { file, reference } of present) {
    const bytes = readFileSync(join(folder, 'images', file))
    const outcome = await decoder.decode(bytes, new AbortController().signal)
    assert.ok(outcome.kind === 'decoded', file)
    assert.deepEqual(outcome.pdq, pick(reference.fullSize), file)
  }
  t.diagnostic(`${present.length} of ${vectors.length} files ran`)
})

function pick({ hash, quality }: { hash: string; quality: number }) {
  return { hash, quality }
}
