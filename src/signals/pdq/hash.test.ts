import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { pdqHash } from './hash.ts'
import { rgbOf } from './vectors/pixels.ts'

type Vector = {
  family: string
  width: number
  height: number
  sha256OfRgb: string
  quality: number
  /** Absent where frequencies tie at the median and rounding decides. */
  hash?: string
}

const long = process.env['BLOBWATCH_TEST_LONG'] === '1'
const megapixelsMax = long ? Infinity : 4
const { vectors } = JSON.parse(
  readFileSync(new URL('./vectors/synthetic-vectors.json', import.meta.url), 'utf8'),
) as { vectors: Vector[] }

test('equals the C++ reference to the last bit on every synthetic picture', (t) => {
  const chosen = vectors.filter((v) => v.width * v.height <= megapixelsMax * 1e6)
  for (const vector of chosen) {
    const name = `${vector.family} ${vector.width}x${vector.height}`
    const rgb = rgbOf(vector.family, vector.width, vector.height)
    assert.equal(createHash('sha256').update(rgb).digest('hex'), vector.sha256OfRgb, name)
    const pdq = pdqHash(rgb, vector.width, vector.height, 3)
    assert.equal(pdq.quality, vector.quality, name)
    if (vector.hash !== undefined) assert.equal(pdq.hash, vector.hash, name)
  }
  t.diagnostic(`${chosen.length} of ${vectors.length} vectors ran`)
})

test('gives a grey picture the hash of the same picture in three equal channels', () => {
  const grey = rgbOf('octaves', 200, 120).filter((_, i) => i % 3 === 0)
  const rgb = Buffer.from(
    Uint8Array.from({ length: grey.length * 3 }, (_, i) => grey[Math.floor(i / 3)]!),
  )
  assert.deepEqual(pdqHash(grey, 200, 120, 1), pdqHash(rgb, 200, 120, 3))
})

test('gives quality 0 to a picture with a side below 5 pixels', () => {
  assert.deepEqual(pdqHash(rgbOf('pixels', 4, 90), 4, 90, 3), { hash: '0'.repeat(64), quality: 0 })
})

test('refuses pixels that do not fill the picture', () => {
  assert.throws(() => pdqHash(Buffer.alloc(299), 10, 10, 3), TypeError)
})
