import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { blobCidOf, blobDigest, recordCidOf } from '../../domain/cid.ts'
import { digestOfCid } from './blob-names.ts'

const hex = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((b) => Buffer.from(b).toString('hex'))

test('reads any blob CID as the parser does', () => {
  fc.assert(fc.property(hex, (digest) => assert.equal(digestOfCid(blobCidOf(digest)), digest)))
})

test('takes no spelling for a blob CID that the parser does not', () => {
  const at = fc.nat({ max: 58 })
  const letter = fc.constantFrom(
    'a',
    'b',
    'z',
    '2',
    '7',
    '8',
    '9',
    'A',
    '0',
    '=',
    '.',
    ' ',
    '\u{e9}',
  )
  fc.assert(
    fc.property(hex, at, letter, (digest, place, put) => {
      const cid = blobCidOf(digest)
      const odd = cid.slice(0, place) + put + cid.slice(place + 1)
      const read = digestOfCid(odd)
      if (read !== undefined && read !== createHash('sha256').update(odd).digest('hex'))
        assert.equal(read, blobDigest(odd))
    }),
  )
})

test('knows a CID of another kind by its text, as it is kept', () => {
  const cid = recordCidOf('ab'.repeat(32))
  assert.equal(digestOfCid(cid), createHash('sha256').update(cid).digest('hex'))
  assert.equal(digestOfCid('bafkreibad'), undefined)
  assert.equal(digestOfCid(''), undefined)
})
