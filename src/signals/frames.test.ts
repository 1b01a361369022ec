import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { variants } from '../domain/variant.ts'
import { parseOutcome, parseReady, type DecodeOutcome } from './decode-answer.ts'
import { AnswerReader, answerBytesMax, frameHeader } from './frames.ts'

test('reads an answer however the pipe cuts it up', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 1, max: 40 }),
      (bytes, step) => {
        const frame = Buffer.concat([frameHeader(bytes.length), bytes])
        const reader = new AnswerReader()
        for (let at = 0; at < frame.length; at += step) {
          const read = reader.push(frame.subarray(at, at + step))
          if (at + step < frame.length) assert.equal(read.kind, 'more')
          else assert.deepEqual(read, { kind: 'frame', bytes: Buffer.from(bytes) })
        }
      },
    ),
  )
})

test('breaks off at an answer that is too long and at bytes after the answer', () => {
  assert.equal(new AnswerReader().push(frameHeader(answerBytesMax + 1)).kind, 'broken')
  assert.equal(new AnswerReader().push(frameHeader(0xffffffff)).kind, 'broken')
  assert.equal(new AnswerReader().push(Buffer.alloc(answerBytesMax + 5)).kind, 'broken')
  assert.equal(
    new AnswerReader().push(Buffer.concat([frameHeader(1), Buffer.from('ab')])).kind,
    'broken',
  )
})

const good: DecodeOutcome = {
  kind: 'decoded',
  width: 640,
  height: 480,
  pdq: { hash: 'a0'.repeat(32), quality: 99 },
  variants: [
    { variant: 'mirror', hash: 'b1'.repeat(32), quality: 99 },
    { variant: 'flat+trim+rot90', hash: 'c2'.repeat(32), quality: 50 },
  ],
  animated: false,
  malformed: true,
}

test('takes an outcome from a child and nothing that only looks like one', () => {
  const parse = (value: unknown) => parseOutcome(Buffer.from(JSON.stringify(value)))
  assert.deepEqual(parse({ ...good, extra: 'dropped' }), good)
  assert.deepEqual(parse({ kind: 'failed', reason: 'corrupt' }), {
    kind: 'failed',
    reason: 'corrupt',
  })
  const bad = [
    null,
    [],
    'ok',
    { kind: 'ready' },
    { kind: 'failed', reason: 'no-pds' },
    { ...good, width: 0 },
    { ...good, width: 640.5 },
    { ...good, height: 20_001 },
    { ...good, animated: 'no' },
    { ...good, pdq: { hash: 'A0'.repeat(32), quality: 99 } },
    { ...good, pdq: { hash: 'a0'.repeat(31), quality: 99 } },
    { ...good, pdq: { hash: 'a0'.repeat(32), quality: 101 } },
  ]
  for (const value of bad) assert.equal(parse(value), undefined, JSON.stringify(value))
  assert.equal(parseOutcome(Buffer.from('{"kind":')), undefined)
})

test('takes only variants that exist, each once, in full and worth comparing', () => {
  const parse = (variants: unknown) =>
    parseOutcome(Buffer.from(JSON.stringify({ ...good, variants })))
  const one = { variant: 'mirror', hash: 'b1'.repeat(32), quality: 50 }
  const all = variants.filter((variant) => variant !== 'original')
  const full = all.map((variant) => ({ ...one, variant }))
  assert.deepEqual(parse([{ ...one, extra: 'dropped' }]), { ...good, variants: [one] })
  assert.deepEqual(parse(full), { ...good, variants: full })
  assert.ok(JSON.stringify({ ...good, variants: full }).length < answerBytesMax)
  const bad = [
    undefined,
    {},
    'mirror',
    [null],
    [{ ...one, variant: 'original' }],
    [{ ...one, variant: 'constructor' }],
    [{ ...one, hash: 'b1' }],
    [{ ...one, quality: 49 }],
    [one, one],
    [...full, one],
  ]
  for (const value of bad) assert.equal(parse(value), undefined, JSON.stringify(value))
})

test('believes that a child is ready only in its own words', () => {
  const parse = (value: unknown) => parseReady(Buffer.from(JSON.stringify(value)))
  assert.deepEqual(parse({ kind: 'ready', kernel: false }), { kind: 'ready', kernel: false })
  for (const value of [null, 'ready', { kind: 'ready' }, { kind: 'ready', kernel: 1 }, good])
    assert.equal(parse(value), undefined, JSON.stringify(value))
})

test('never throws on what a child sends', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
      parseOutcome(Buffer.from(text))
    }),
  )
})
