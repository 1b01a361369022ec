import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Turn } from '../../domain/variant.ts'
import { plainGrid } from './grid.ts'
import { pdqHash, pdqHashes } from './hash.ts'
import { loadKernel } from './kernel.ts'
import { rgbOf } from './vectors/pixels.ts'

type Vector = {
  family: string
  width: number
  height: number
  sha256OfRgb: string
  quality: number
  /** Absent where frequencies tie at the median and rounding decides. */
  hash?: string
  /** By the reference's names; absent for the same reason. */
  dihedral?: Record<string, string>
}

const turnNames: Record<string, Turn> = {
  original: 'original',
  rotate90: 'rot90',
  rotate180: 'rot180',
  rotate270: 'rot270',
  flipX: 'flip',
  flipY: 'mirror',
  flipPlus1: 'transpose',
  flipMinus1: 'transverse',
}

const long = process.env['BLOBWATCH_TEST_LONG'] === '1'
const megapixelsMax = long ? Infinity : 4
const { vectors } = JSON.parse(
  readFileSync(new URL('./vectors/synthetic-vectors.json', import.meta.url), 'utf8'),
) as { vectors: Vector[] }
const chosen = vectors.filter((v) => v.width * v.height <= megapixelsMax * 1e6)

for (const [name, gridOf] of [
  ['TypeScript', plainGrid],
  ['the kernel', loadKernel()],
] as const) {
  test(`equals the C++ reference to the last bit on every synthetic picture, by ${name}`, (t) => {
    for (const vector of chosen) {
      const { family, width, height } = vector
      const name = `${family} ${width}x${height}`
      const rgb = rgbOf(family, width, height)
      assert.equal(createHash('sha256').update(rgb).digest('hex'), vector.sha256OfRgb, name)
      const pdq = pdqHash(rgb, width, height, 3, gridOf)
      assert.equal(pdq.quality, vector.quality, name)
      if (vector.hash !== undefined) assert.equal(pdq.hash, vector.hash, name)
    }
    t.diagnostic(`${chosen.length} of ${vectors.length} vectors ran`)
  })

  test(`equals the reference from all eight sides, by ${name}`, (t) => {
    let compared = 0
    for (const { family, width, height, dihedral = {} } of chosen) {
      const picture = { pixels: rgbOf(family, width, height), width, height, channels: 3 as const }
      const area = { left: 0, top: 0, width, height }
      const { hashes } = pdqHashes({ picture, area, onWhite: false }, gridOf)
      for (const [theirs, hash] of Object.entries(dihedral)) {
        const ours = hashes.find(({ turn }) => turn === turnNames[theirs])
        assert.equal(ours?.hash, hash, `${family} ${width}x${height} ${theirs}`)
        compared += 1
      }
    }
    t.diagnostic(`${compared} hashes compared`)
  })

  test(`gives a grey picture the hash of the same picture in three equal channels, by ${name}`, () => {
    const grey = rgbOf('octaves', 201, 120).filter((_, i) => i % 3 === 0)
    const rgb = Uint8Array.from({ length: grey.length * 3 }, (_, i) => grey[Math.floor(i / 3)]!)
    assert.deepEqual(pdqHash(grey, 201, 120, 1, gridOf), pdqHash(rgb, 201, 120, 3, gridOf))
  })

  test(`leaves a fourth channel out, by ${name}`, () => {
    const rgb = rgbOf('octaves', 201, 120)
    const rgba = Uint8Array.from({ length: 201 * 120 * 4 }, (_, i) =>
      i % 4 === 3 ? i % 251 : rgb[Math.floor(i / 4) * 3 + (i % 4)]!,
    )
    assert.deepEqual(pdqHash(rgba, 201, 120, 4, gridOf), pdqHash(rgb, 201, 120, 3, gridOf))
  })
}

test('gives quality 0 to a picture with a side below 5 pixels', () => {
  assert.deepEqual(pdqHash(rgbOf('pixels', 4, 90), 4, 90, 3), { hash: '0'.repeat(64), quality: 0 })
})

test('refuses pixels that do not fill the picture', () => {
  assert.throws(() => pdqHash(Buffer.alloc(299), 10, 10, 3), TypeError)
})
