import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Decoder } from './decoder.ts'
import * as hostile from './fixtures/hostile.ts'

const count = process.env['BLOBWATCH_TEST_LONG'] === '1' ? 20_000 : 300

test('gives every damaged picture an outcome and never loses a child over one', async (t) => {
  await using decoder = await Decoder.start({ warn: () => {}, imagesPerChildMax: count })
  const seeds = [
    await hostile.picture('jpeg', 90, 70),
    await hostile.picture('png', 90, 70),
    await hostile.picture('webp', 90, 70),
    await hostile.picture('gif', 90, 70),
    await hostile.progressiveJpeg(),
    await hostile.animatedWebp(),
    hostile.interlacedPng(64),
  ]
  const next = hostile.numbers(20_261_121)
  const tally: Record<string, number> = {}
  for (let i = 0; i < count; i++) {
    const bytes = hostile.mutated(seeds[i % seeds.length]!, next)
    const outcome = await decoder.decode(bytes, new AbortController().signal)
    const end = outcome.kind === 'failed' ? outcome.reason : outcome.malformed ? 'malformed' : 'ok'
    tally[end] = (tally[end] ?? 0) + 1
    assert.notEqual(end, 'decoder-crash', `mutation ${i}`)
  }
  t.diagnostic(JSON.stringify(tally))
})
