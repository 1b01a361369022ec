import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Decoder } from './decoder.ts'
import * as hostile from './fixtures/hostile.ts'
import { createHasher } from './hasher.ts'
import { pdqDistance } from './pdq/distance.ts'
import { pdqHash } from './pdq/hash.ts'
import { rgbOf } from './pdq/vectors/pixels.ts'

const never = new AbortController().signal
const mutations = process.env['BLOBWATCH_TEST_LONG'] === '1' ? 5_000 : 150
const expected = pdqHash(rgbOf('octaves', 160, 120), 160, 120, 3)

test('hashes an AVIF in a child of its own, started when the first one comes', async () => {
  await using decoder = await Decoder.start({ slots: 1, warn: () => {} })
  await decoder.decode(await hostile.picture('png'), never)
  const [common, ...others] = decoder.pids
  assert.deepEqual(others, [])
  const outcome = await decoder.decode(await hostile.picture('avif'), never, 'avif')
  assert.ok(outcome.kind === 'decoded' && !outcome.animated && !outcome.malformed)
  assert.ok(pdqDistance(outcome.pdq.hash, expected.hash) <= 16)
  assert.equal(outcome.variants.length, 7)
  assert.equal(decoder.pids.length, 2)
  assert.equal(decoder.pids[0], common)
})

test('lets each class of children decode its own formats and nothing else', async () => {
  await using decoder = await Decoder.start({ slots: 1, warn: () => {} })
  const refused = { kind: 'failed', reason: 'unsupported-format' }
  assert.deepEqual(await decoder.decode(await hostile.picture('avif'), never, 'common'), refused)
  for (const encoding of ['png', 'jpeg', 'webp', 'gif'] as const)
    assert.deepEqual(await decoder.decode(await hostile.picture(encoding), never, 'avif'), refused)
})

test('joins sniffing and the AVIF children, and never calls a sequence or HEIC complete', async () => {
  await using decoder = await Decoder.start({ slots: 1, warn: () => {} })
  const hasher = createHasher({ decoder })
  const avif = await hostile.picture('avif')
  const still = await hasher.hash({ bytes: avif, signal: never })
  assert.deepEqual([still.media, still.format, still.unscannable], ['image', 'avif', undefined])
  assert.equal(still.signals.variants?.length, 7)
  const sequence = await hasher.hash({ bytes: hostile.claimingSequence(avif), signal: never })
  assert.equal(sequence.unscannable, 'animated')
  const heic = Buffer.from(avif)
  heic.write('heic', 8, 'latin1')
  const refused = await hasher.hash({ bytes: heic, signal: never })
  assert.equal(refused.unscannable, 'unsupported-format')
})

test('ends a hostile AVIF in a reason', async () => {
  await using decoder = await Decoder.start({ slots: 1, warn: () => {} })
  const avif = await hostile.picture('avif')
  const cases: [string, Buffer, string[]][] = [
    ['nothing but the first box', avif.subarray(0, 40), ['corrupt', 'unsupported-format']],
    ['half of it', avif.subarray(0, avif.length / 2), ['corrupt']],
    ['16000^2 by its header', hostile.claimingAvifSize(avif, 16_000, 16_000), ['too-many-pixels']],
    [
      '2^31 wide by its header',
      hostile.claimingAvifSize(avif, 2 ** 31, 64),
      ['too-many-pixels', 'corrupt'],
    ],
    ['nothing wide', hostile.claimingAvifSize(avif, 0, 0), ['corrupt']],
  ]
  for (const [name, bytes, reasons] of cases) {
    const outcome = await decoder.decode(bytes, never, 'avif')
    assert.ok(
      outcome.kind === 'failed' && reasons.includes(outcome.reason),
      `${name}: ${JSON.stringify(outcome)}`,
    )
  }
})

test('goes on decoding other pictures while an AVIF hangs, and replaces its child', async () => {
  const avif = { wallMs: 1 }
  await using decoder = await Decoder.start({ slots: 1, warn: () => {}, avif })
  const late = decoder.decode(await hostile.picture('avif', 2000, 1500), never, 'avif')
  assert.equal((await decoder.decode(await hostile.picture('png'), never)).kind, 'decoded')
  assert.deepEqual(await late, { kind: 'failed', reason: 'decoder-timeout' })
  assert.equal(decoder.pids.length, 1)
})

test('gives every damaged AVIF an outcome and never loses a child over one', async (t) => {
  await using decoder = await Decoder.start({
    warn: () => {},
    avif: { imagesPerChildMax: mutations },
  })
  const seed = await hostile.picture('avif', 90, 70)
  const next = hostile.numbers(20_261_121)
  const tally: Record<string, number> = {}
  for (let i = 0; i < mutations; i++) {
    const outcome = await decoder.decode(hostile.mutated(seed, next), never, 'avif')
    const end = outcome.kind === 'failed' ? outcome.reason : outcome.malformed ? 'malformed' : 'ok'
    tally[end] = (tally[end] ?? 0) + 1
    assert.notEqual(end, 'decoder-crash', `mutation ${i}`)
  }
  t.diagnostic(JSON.stringify(tally))
})
