import assert from 'node:assert/strict'
import { test } from 'node:test'
import sharp, { type Sharp } from 'sharp'
import { turns, variants as variantNames, type Variant } from '../../domain/variant.ts'
import { pdqDistance } from './distance.ts'
import { plainGrid } from './grid.ts'
import { pdqHash } from './hash.ts'
import { lookAt } from './looks.ts'
import type { Picture } from './picture.ts'
import { rgbOf } from './vectors/pixels.ts'

type Step = (picture: Sharp) => Sharp

/** What turns a picture, as somebody would do it before uploading. */
const turners: Record<(typeof turns)[number], Step[]> = {
  original: [],
  mirror: [(picture) => picture.flop()],
  flip: [(picture) => picture.flip()],
  rot180: [(picture) => picture.rotate(180)],
  rot90: [(picture) => picture.rotate(90)],
  rot270: [(picture) => picture.rotate(270)],
  transpose: [(picture) => picture.rotate(90), (picture) => picture.flop()],
  transverse: [(picture) => picture.rotate(270), (picture) => picture.flop()],
}

/** A soft picture: 300 x 200 unless told. */
function soft(width = 300, height = 200): Sharp {
  return sharp(rgbOf('octaves', width, height), { raw: { width, height, channels: 3 } })
}

/** Each step ends in pixels, so that sharp does the next one on its result and not in an order of its own. */
async function after(picture: Sharp, ...steps: Step[]): Promise<Picture> {
  let { data, info } = await picture.raw().toBuffer({ resolveWithObject: true })
  for (const step of steps) {
    const { width, height, channels } = info
    const next = step(sharp(data, { raw: { width, height, channels } }))
    ;({ data, info } = await next.raw().toBuffer({ resolveWithObject: true }))
  }
  const { width, height, channels } = info
  return { pixels: data, width, height, channels: channels as Picture['channels'] }
}

function hashOf({ pixels, width, height, channels }: Picture): string {
  return pdqHash(pixels, width, height, channels).hash
}

function variantOf(picture: Picture, name: Variant): string {
  const { pdq, variants } = lookAt(picture, plainGrid)
  if (name === 'original') return pdq.hash
  return variants.find(({ variant }) => variant === name)?.hash ?? '0'.repeat(64)
}

test('names a turn by what was done to the picture, and undoes it', async () => {
  for (const [turn, steps] of Object.entries(turners)) {
    // At 64 x 64 the blur is one pixel wide and has no side of its own.
    const small = soft(64, 64)
    const upload = await after(small, ...steps)
    assert.equal(variantOf(upload, turn as Variant), hashOf(await after(small)), turn)
  }
})

test('undoes a turn of a larger picture to within a few bits: the blur leans to one side', async (t) => {
  const original = hashOf(await after(soft(800, 500)))
  const distances: Record<string, number> = {}
  for (const [turn, steps] of Object.entries(turners)) {
    const upload = await after(soft(800, 500), ...steps)
    distances[turn] = pdqDistance(variantOf(upload, turn as Variant), original)
    const others = turns.filter((other) => other !== turn)
    for (const other of others)
      assert.ok(pdqDistance(variantOf(upload, other), original) > 60, `${turn} as ${other}`)
  }
  t.diagnostic(JSON.stringify(distances))
  // A box of an even width, here 4 rows, averages one row more above its middle than below.
  assert.ok(Math.max(...Object.values(distances)) <= 12)
})

const bordered: Step = (picture) =>
  picture.extend({ top: 30, bottom: 30, left: 45, right: 45, background: 'black' })

test('finds a picture in a border, also when both were turned together', async () => {
  const original = hashOf(await after(soft()))
  const framed = await after(soft(), bordered)
  assert.equal(variantOf(framed, 'trim'), original)
  assert.ok(pdqDistance(variantOf(framed, 'original'), original) > 31)
  const turned = await after(soft(), bordered, ...turners.mirror)
  assert.equal(variantOf(turned, 'trim+mirror'), original)
})

/** Half of the picture is transparent and hides other colours than it seems to have. */
async function halfTransparent(): Promise<{ hidden: Picture; seen: Picture }> {
  const hidden = await after(soft().ensureAlpha())
  hidden.pixels.forEach((_, i) => {
    if (i % 4 === 3 && (i >> 2) % 300 < 150) hidden.pixels[i] = (i >> 2) % 90 < 45 ? 0 : 90
  })
  const raw = { width: 300, height: 200, channels: 4 as const }
  const seen = await after(sharp(hidden.pixels, { raw }).flatten({ background: 'white' }))
  return { hidden, seen }
}

test('looks at a transparent picture both bare and on white', async () => {
  const { hidden, seen } = await halfTransparent()
  const bare = hashOf(await after(soft()))
  assert.equal(variantOf(hidden, 'original'), bare)
  assert.ok(pdqDistance(variantOf(hidden, 'flat'), hashOf(seen)) <= 2)
  assert.ok(pdqDistance(variantOf(hidden, 'flat'), bare) > 31)
})

test('has no view on white of a picture that is opaque, or that looks the same on white', async () => {
  for (const alpha of [1, 0.5]) {
    const { variants } = lookAt(await after(soft().ensureAlpha(alpha)), plainGrid)
    assert.ok(
      variants.every(({ variant }) => !variant.startsWith('flat')),
      `alpha ${alpha}`,
    )
  }
})

test('looks inside a transparent border that hides noise', async () => {
  const size = { width: 400, height: 260 }
  const pixels = await after(
    sharp(rgbOf('pixels', 400, 260), { raw: { ...size, channels: 3 } }).ensureAlpha(0),
    (noise) =>
      noise.composite([
        { input: rgbOf('octaves', 300, 200), raw: { width: 300, height: 200, channels: 3 } },
      ]),
  )
  // Compositing over transparent noise keeps no colour of it: put the noise back where nothing shows.
  const noise = rgbOf('pixels', 400, 260)
  pixels.pixels.forEach((_, i) => {
    if (i % 4 === 3 && pixels.pixels[i] === 0)
      pixels.pixels.set(noise.subarray((i >> 2) * 3, (i >> 2) * 3 + 3), i - 3)
  })
  const original = hashOf(await after(soft()))
  assert.equal(variantOf(pixels, 'flat+trim'), original)
  assert.equal(variantOf(pixels, 'trim'), '0'.repeat(64))
})

test('lists each hash once, under names that exist, plainest first', async () => {
  const { hidden } = await halfTransparent()
  for (const picture of [hidden, await after(soft(), bordered)]) {
    const { pdq, variants } = lookAt(picture, plainGrid)
    const hashes = [pdq.hash, ...variants.map(({ hash }) => hash)]
    assert.equal(new Set(hashes).size, hashes.length)
    const places = variants.map(({ variant }) => variantNames.indexOf(variant))
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    )
    assert.ok(places.every((place) => place > 0))
  }
})

test('has no variants of a picture that shows nothing, but those of what its border surrounds', async () => {
  const grey = { create: { width: 300, height: 200, channels: 3 as const, background: 'grey' } }
  assert.deepEqual(lookAt(await after(sharp(grey)), plainGrid).variants, [])
  const raw = { width: 48, height: 32, channels: 3 as const }
  const faint = sharp(rgbOf('octaves', 48, 32), { raw }).linear(0.2, 100)
  const border = { top: 26, bottom: 26, left: 39, right: 39, background: '#7e7e7e' }
  const { pdq, variants } = lookAt(await after(faint, (one) => one.extend(border)), plainGrid)
  assert.ok(pdq.quality < 50, String(pdq.quality))
  assert.ok(variants.every(({ variant }) => variant.startsWith('trim')))
})
