import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HashOutcome } from '../domain/ports.ts'
import type { DecodeOutcome } from './decode-answer.ts'
import { Decoder } from './decoder.ts'
import * as hostile from './fixtures/hostile.ts'
import { createHasher } from './hasher.ts'
import { pdqHash } from './pdq/hash.ts'
import { rgbOf } from './pdq/vectors/pixels.ts'

const pdq = { hash: '5a'.repeat(32), quality: 77 }
const variants = [{ variant: 'mirror' as const, hash: 'a5'.repeat(32), quality: 77 }]
const decoded = {
  kind: 'decoded' as const,
  width: 10,
  height: 10,
  pdq,
  variants,
  animated: false,
  malformed: false,
}

function hash(
  bytes: Uint8Array,
  outcome: DecodeOutcome = decoded,
  contentType?: string,
): Promise<HashOutcome> {
  const hasher = createHasher({ decoder: { decode: async () => outcome } })
  const { signal } = new AbortController()
  return hasher.hash({ bytes, signal, ...(contentType === undefined ? {} : { contentType }) })
}

test('gives digests of anything, also of nothing', async () => {
  const empty = await hash(Buffer.alloc(0), decoded, 'image/jpeg')
  assert.equal(empty.unscannable, 'empty')
  assert.deepEqual(empty.signals, {
    sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    md5: 'd41d8cd98f00b204e9800998ecf8427e',
    sha1: 'da39a3ee5e6b4b0d3255bfef95601890afd80709',
  })
})

test('joins digests, PDQ and its variants for a picture', async () => {
  const outcome = await hash(await hostile.picture('png'))
  assert.deepEqual([outcome.media, outcome.format], ['image', 'png'])
  assert.deepEqual(outcome.signals.pdq, pdq)
  assert.deepEqual(outcome.signals.variants, variants)
  assert.ok(!('unscannable' in outcome))
})

test('keeps the digests and passes the reason on when a picture does not decode', async () => {
  const outcome = await hash(await hostile.picture('jpeg'), { kind: 'failed', reason: 'corrupt' })
  assert.equal(outcome.unscannable, 'corrupt')
  assert.equal(outcome.signals.pdq, undefined)
  assert.equal(outcome.signals.sha1?.length, 40)
})

test('blames a picture for a crash only when a second child crashes too', async () => {
  const crash: DecodeOutcome = { kind: 'failed', reason: 'decoder-crash' }
  const outcomes: DecodeOutcome[] = [crash, decoded, crash, crash]
  const hasher = createHasher({ decoder: { decode: async () => outcomes.shift() ?? crash } })
  const input = { bytes: await hostile.picture('png'), signal: new AbortController().signal }
  assert.equal((await hasher.hash(input)).unscannable, undefined)
  assert.equal((await hasher.hash(input)).unscannable, 'decoder-crash')
})

test('never calls a moving picture complete, whoever saw it move', async () => {
  const png = hostile.animatedPng(await hostile.picture('png'))
  for (const outcome of [
    await hash(png),
    await hash(hostile.gifOfFrames(2), { ...decoded, animated: true }),
  ]) {
    assert.equal(outcome.unscannable, 'animated')
    assert.deepEqual(outcome.signals.pdq, pdq)
  }
})

test('has a reason for every picture or video it does not look into', async () => {
  const cases: [string, string | undefined, HashOutcome['unscannable']][] = [
    ['\0\0\0\x20ftypheic', undefined, 'unsupported-format'],
    ['<svg xmlns="http://www.w3.org/2000/svg">', 'text/plain', 'unsupported-format'],
    ['\0\0\0\x20ftypisom', 'image/jpeg', 'unsupported-video'],
    ['who knows', 'Image/PNG; x=y', 'unsupported-format'],
    ['%PDF-1.7', 'image/png', 'unsupported-format'],
    ['who knows', 'video/mp4', 'unsupported-video'],
    ['who knows', 'text/plain', undefined],
    ['%PDF-1.7', undefined, undefined],
  ]
  for (const [text, type, reason] of cases) {
    const outcome = await hash(Buffer.from(text, 'latin1'), decoded, type)
    assert.equal(outcome.unscannable, reason, `${text} ${type}`)
    assert.equal(outcome.signals.pdq, undefined)
  }
})

test('joins sniffing, digests and the sandboxed decoder', async () => {
  await using decoder = await Decoder.start({ slots: 1, warn: () => {} })
  const hasher = createHasher({ decoder })
  const { signal } = new AbortController()
  const png = await hostile.picture('png', 160, 120)
  const whole = await hasher.hash({ bytes: png, signal })
  assert.deepEqual(whole.signals.pdq, pdqHash(rgbOf('octaves', 160, 120), 160, 120, 3))
  assert.equal(whole.unscannable, undefined)
  const bomb = await hasher.hash({ bytes: hostile.interlacedPng(16_000), signal })
  assert.equal(bomb.unscannable, 'too-many-pixels')
  const torn = await hasher.hash({ bytes: png.subarray(0, 20), signal })
  assert.equal(torn.unscannable, 'corrupt')
})
