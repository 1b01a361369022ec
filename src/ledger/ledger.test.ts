import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { FatalError, UsageError } from '../domain/errors.ts'
import { entryBytesMax } from './tree/tiles.ts'
import { commitment, leafHash, makeEntry, noHash } from './entry.ts'
import type { EntryFields } from './entry.ts'
import { createDataKey, generateDataKey } from './seal.ts'
import { createVerifier } from '../verifier/verify-stored.ts'
import type { OpenValue, StoredEntry } from './read-ledger.ts'

const seed = 20261121
const size = 24
const salt = Buffer.alloc(32, 7)

const fields: EntryFields = {
  log: 'test/log',
  seq: 0,
  atMs: 0,
  prev: noHash,
  type: 'note',
  idem: 'x',
  actor: { kind: 'system' },
  pub: {},
  com: {},
}

/** An honest log. Even entries plan an action, odd ones record its result and keep a value. */
function honestLog(): { entries: StoredEntry[]; head: { size: number; hash: string } } {
  const entries: StoredEntry[] = []
  let prev = noHash
  for (let seq = 0; seq < size; seq += 1) {
    const entry = makeEntry({
      ...fields,
      seq,
      atMs: 1_700_000_000_000 + seq * 1000,
      prev,
      type: seq % 2 === 0 ? 'action.intent' : 'action.result',
      idem: `fact ${seq}`,
      pub: { action: seq >> 1, text: 'ä€😀', list: [seq, null, true] },
      com: seq % 2 === 0 ? {} : { account: commitment('account', salt, `value ${seq}`) },
    })
    prev = entry.hash
    entries.push({ seq, bytes: entry.bytes, hash: Buffer.from(entry.hash, 'hex') })
  }
  return { entries, head: { size, hash: prev } }
}

const honest = honestLog()
const openValue: OpenValue = (seq) => ({ salt, value: `value ${seq}` })

function faultsOf(entries: StoredEntry[], open: OpenValue = openValue): number {
  const verifier = createVerifier({ log: 'test/log' })
  verifier.add(entries, open)
  return verifier.end(honest.head).faults.length
}

/** The stored hash is made to fit, as somebody with the database would. */
function rehashed(entry: StoredEntry): StoredEntry {
  return { ...entry, hash: Buffer.from(leafHash(entry.bytes), 'hex') }
}

test('an honest log verifies, a page at a time or all at once', () => {
  assert.equal(faultsOf(honest.entries), 0)
  const verifier = createVerifier()
  for (const entry of honest.entries) verifier.add([entry], openValue)
  const { root, ...report } = verifier.end(honest.head)
  assert.match(root, /^[0-9a-f]{64}$/)
  assert.deepEqual(report, {
    entries: size,
    head: honest.head.hash,
    faults: [],
    gaps: [],
    openIntents: 0,
    commitments: { opened: size / 2, erased: 0 },
  })
})

const at = fc.integer({ min: 0, max: size - 1 })
const tampering: Record<string, fc.Arbitrary<StoredEntry[]>> = {
  'a flipped bit': fc
    .tuple(at, fc.nat(), fc.integer({ min: 0, max: 7 }), fc.boolean())
    .map(([index, offset, bit, refit]) => {
      const bytes = Buffer.from(honest.entries[index]!.bytes)
      bytes[offset % bytes.length]! ^= 1 << bit
      const changed = { ...honest.entries[index]!, bytes }
      return honest.entries.with(index, refit ? rehashed(changed) : changed)
    }),
  'a flipped bit of a stored hash': fc
    .tuple(at, fc.integer({ min: 0, max: 255 }))
    .map(([index, bit]) => {
      const hash = Buffer.from(honest.entries[index]!.hash)
      hash[bit >> 3]! ^= 1 << (bit & 7)
      return honest.entries.with(index, { ...honest.entries[index]!, hash })
    }),
  'a changed field': fc.tuple(at, fc.integer({ min: 100, max: 999 })).map(([index, action]) => {
    const document = JSON.parse(honest.entries[index]!.bytes.toString()) as {
      pub: { action: number }
    }
    document.pub.action = action
    const bytes = Buffer.from(JSON.stringify(document))
    return honest.entries.with(index, rehashed({ ...honest.entries[index]!, bytes }))
  }),
  'a deleted entry': at.map((index) => honest.entries.toSpliced(index, 1)),
  'a deleted entry with the rest renumbered': at.map((index) =>
    honest.entries.toSpliced(index, 1).map((entry, seq) => ({ ...entry, seq })),
  ),
  'an inserted entry': fc
    .tuple(at, at)
    .map(([index, from]) =>
      honest.entries
        .toSpliced(index, 0, honest.entries[from]!)
        .map((entry, seq) => ({ ...entry, seq })),
    ),
  'two swapped entries': fc
    .tuple(at, at)
    .filter(([one, two]) => one !== two)
    .map(([one, two]) =>
      honest.entries
        .with(one, honest.entries[two]!)
        .with(two, honest.entries[one]!)
        .map((entry, seq) => ({ ...entry, seq })),
    ),
  'a truncated log': at.map((length) => honest.entries.slice(0, length)),
  'a rewritten tail': at.map((index) => {
    let prev = index === 0 ? noHash : honest.entries[index - 1]!.hash.toString('hex')
    return honest.entries.map((entry, seq) => {
      if (seq < index) return entry
      const made = makeEntry({ ...fields, seq, prev, atMs: 1_800_000_000_000, idem: `new ${seq}` })
      prev = made.hash
      return { seq, bytes: made.bytes, hash: Buffer.from(made.hash, 'hex') }
    })
  }),
}

for (const [name, tampered] of Object.entries(tampering)) {
  test(`${name} is found`, () => {
    fc.assert(
      fc.property(tampered, (entries) => {
        assert.ok(faultsOf(entries) > 0)
      }),
      { numRuns: 500, seed },
    )
  })
}

test('a kept value that was changed, and a fact recorded twice, are found', () => {
  assert.ok(faultsOf(honest.entries, () => ({ salt, value: 'other' })) > 0)
  assert.equal(
    faultsOf(honest.entries, () => undefined),
    0,
    'an erased value is not a fault',
  )
  const verifier = createVerifier()
  let prev = noHash
  for (const seq of [0, 1]) {
    const entry = makeEntry({ ...fields, seq, prev })
    prev = entry.hash
    verifier.add([{ seq, bytes: entry.bytes, hash: Buffer.from(entry.hash, 'hex') }])
  }
  assert.deepEqual(
    verifier.end(undefined).faults.map((fault) => fault.seq),
    [1],
  )
})

const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'grapheme' }),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value')),
    fc.dictionary(fc.string({ unit: 'grapheme' }), tie('value')),
  ),
})).value

test('the bytes do not depend on the order of keys, and read back as what they were made of', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), json), (pub) => {
      const reversed = Object.fromEntries(Object.entries(pub).reverse())
      const entry = makeEntry({ ...fields, pub })
      assert.deepEqual(makeEntry({ ...fields, pub: reversed }), entry)
      const document = JSON.parse(entry.bytes.toString()) as { pub: unknown }
      assert.deepEqual(document.pub, JSON.parse(JSON.stringify(pub)))
      const verifier = createVerifier()
      verifier.add([{ seq: 0, bytes: entry.bytes, hash: Buffer.from(entry.hash, 'hex') }])
      assert.deepEqual(verifier.end({ size: 1, hash: entry.hash }).faults, [])
    }),
    { numRuns: 1000, seed },
  )
})

test('what two programs could write differently never becomes an entry', () => {
  const values = [
    1.5,
    Number.NaN,
    2 ** 53,
    '\ud800',
    undefined,
    10n,
    { a: ['\udc00'] },
    { '\ud800': 1 },
  ]
  for (const value of values)
    assert.throws(() => makeEntry({ ...fields, pub: { value } }), FatalError)
  const text = 'x'.repeat(entryBytesMax)
  assert.throws(() => makeEntry({ ...fields, pub: { text } }), FatalError)
})

test('a commitment opens with its own field, salt and value only', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (field, value, other) => {
      const made = commitment(field, salt, value)
      assert.equal(commitment(field, salt, value), made)
      if (other !== value) assert.notEqual(commitment(field, salt, other), made)
      if (other !== field) assert.notEqual(commitment(other, salt, value), made)
      assert.notEqual(commitment(field, Buffer.alloc(32, 8), value), made)
    }),
    { numRuns: 500, seed },
  )
  assert.throws(() => commitment('a', Buffer.alloc(31), 'b'), TypeError)
})

test('a sealed value opens with its key and its place only', () => {
  const key = createDataKey(generateDataKey())
  fc.assert(
    fc.property(fc.uint8Array(), fc.string(), fc.nat(), (plain, context, position) => {
      const sealed = Buffer.from(key.seal(context, plain), 'hex')
      assert.deepEqual(key.open(context, sealed), Buffer.from(plain))
      assert.throws(() => key.open(`${context}.`, sealed), FatalError)
      const broken = Buffer.from(sealed)
      broken[position % broken.length]! ^= 1
      assert.throws(() => key.open(context, broken), FatalError)
      assert.throws(() => key.open(context, sealed.subarray(0, 20)), FatalError)
    }),
    { numRuns: 300, seed },
  )
  const sealed = Buffer.from(key.seal('a', randomBytes(8)), 'hex')
  assert.throws(() => createDataKey(generateDataKey()).open('a', sealed), FatalError)
  assert.throws(() => createDataKey('zz'), UsageError)
})
