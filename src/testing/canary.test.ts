import assert from 'node:assert/strict'
import { test } from 'node:test'
import sharp from 'sharp'
import { pdqDistance } from '../signals/pdq/distance.ts'
import { pdqHash } from '../signals/pdq/hash.ts'
import { canaryPicture, cleanPicture, recompressed } from './canary.ts'

test('the same seed gives the same bytes', async () => {
  assert.deepEqual(await canaryPicture({ seed: 1 }), await canaryPicture({ seed: 1 }))
})

test('every picture is good enough for PDQ, and no two are near each other', async () => {
  const seeds = Array.from({ length: 12 }, (_, index) => index)
  const pictures = await Promise.all([
    ...seeds.map((seed) => canaryPicture({ seed, width: 320, height: 240 })),
    ...seeds.map((seed) => cleanPicture(seed, { width: 320, height: 240 })),
  ])
  const hashes = await Promise.all(pictures.map(pdqOf))
  for (const { quality } of hashes) assert.ok(quality >= 90, `quality ${quality}`)
  for (const [index, one] of hashes.entries())
    for (const two of hashes.slice(index + 1)) assert.ok(pdqDistance(one.hash, two.hash) > 60)
})

test('is the same picture for PDQ at another size, in another format and recompressed', async () => {
  const one = await canaryPicture({ seed: 3 })
  const small = await canaryPicture({ seed: 3, width: 320, height: 240, format: 'webp' })
  const { hash } = await pdqOf(one)
  for (const other of [small, await recompressed(one, 40)])
    assert.ok(pdqDistance(hash, (await pdqOf(other)).hash) <= 16)
})

async function pdqOf(bytes: Uint8Array) {
  const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true })
  return pdqHash(data, info.width, info.height, 3)
}
