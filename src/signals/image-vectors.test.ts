import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Decoder } from './decoder.ts'

type Vector = { file: string; reference: { fullSize: { hash: string; quality: number } } }

// Pictures under somebody else's copyright: read where they lie, never part of this repository.
const folder =
  process.env['BLOBWATCH_PDQ_IMAGES'] ?? join(import.meta.dirname, '../../../shared/data/pdq')
const list = join(folder, 'image-vectors.json')

test('equals the reference to the last bit on real picture files', async (t) => {
  if (!existsSync(list)) return t.skip(`no picture vectors at ${folder} (BLOBWATCH_PDQ_IMAGES)`)
  const vectors = JSON.parse(readFileSync(list, 'utf8')) as Vector[]
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
