import assert from 'node:assert/strict'
import { test } from 'node:test'
import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { profileProblem } from '../ledger/entry.ts'
import { isCanonical } from './canonical.ts'

const isLong = process.env['BLOBWATCH_TEST_LONG'] === '1'
const numRuns = isLong ? 50_000 : 4_000
const seed = 20261129

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom(
      '\b',
      '\n',
      '\u0001',
      '\u001f',
      '"',
      '\\',
      '/',
      '\u007f',
      'é',
      '€',
      '😀',
      '\ue000',
      '\uffff',
    ),
  }),
)
const document = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium' },
    text,
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value')),
    fc.dictionary(text, tie('value')),
  ),
})).value

/** What the writer's own parts say, together. */
function libraryAccepts(bytes: Uint8Array): boolean {
  let value: unknown
  let whole: string
  try {
    whole = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    value = JSON.parse(whole)
  } catch {
    return false
  }
  return profileProblem(value) === undefined && canonicalize(value) === whole
}

test('canonical bytes of any document are accepted', () => {
  fc.assert(
    fc.property(document, (value) => {
      fc.pre(profileProblem(value) === undefined)
      assert.ok(isCanonical(Buffer.from(canonicalize(value) ?? '')))
    }),
    { numRuns, seed },
  )
})

const edits = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    take: fc.integer({ min: 0, max: 3 }),
    put: fc.oneof(
      fc.uint8Array({ maxLength: 2 }),
      fc
        .constantFrom(
          ...[
            '"',
            '\\',
            '\\u0000',
            '\\u000a',
            '\\u001F',
            '\\u001f',
            '\\/',
            '\\t',
            ' ',
            ',',
            '0',
            '-',
            '-0',
            '1.0',
            '1e3',
          ],
          ...[
            '01',
            '9007199254740992',
            '9007199254740991',
            '{}',
            '[]',
            '{"a":1,"a":2}',
            '\ufeff',
            '\ud83d\ude00',
          ],
          ...[
            '\\ud800',
            '\\u00e9',
            'null',
            'true',
            'nul',
            ':',
            '}',
            ']',
            '{"b":1,"a":2}',
            '{"\ue000":1,"😀":2}',
          ],
        )
        .map((piece) => Buffer.from(piece)),
    ),
  }),
  { minLength: 1, maxLength: 2 },
)

test('of edited bytes exactly those are accepted that the parser, the profile and the canonicaliser accept', () => {
  let accepted = 0
  fc.assert(
    fc.property(document, edits, (value, changes) => {
      let bytes = Buffer.from(canonicalize(value) ?? '')
      for (const { at, take, put } of changes) {
        const from = Math.floor(at * bytes.length)
        bytes = Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(from + take)])
      }
      const expected = libraryAccepts(bytes)
      if (expected) accepted += 1
      assert.equal(isCanonical(bytes), expected, bytes.toString())
    }),
    { numRuns: numRuns * 4, seed },
  )
  assert.ok(accepted > numRuns / 10, 'both answers occur')
})

test('what is nested deeper than the limit is refused by both', () => {
  for (const depth of [63, 64, 65, 30_000]) {
    const bytes = Buffer.from('['.repeat(depth) + ']'.repeat(depth))
    assert.equal(isCanonical(bytes), depth <= 64)
    if (depth < 1000) assert.equal(libraryAccepts(bytes), depth <= 64)
  }
})
