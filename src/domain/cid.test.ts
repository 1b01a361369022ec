import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { blobCidOf, blobDigest, digestOf, recordCidOf } from './cid.ts'

const runs = { numRuns: 500, seed: 20261121 }
const digests = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex'))

test('knows the CID of "hello world" that everybody knows', () => {
  const digest = createHash('sha256').update('hello world').digest('hex')
  const cid = 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'
  assert.equal(blobCidOf(digest), cid)
  assert.equal(blobDigest(cid), digest)
})

test('a digest and its CID are two spellings of one thing', () => {
  fc.assert(
    fc.property(digests, (digest) => {
      assert.equal(blobDigest(blobCidOf(digest)), digest)
      assert.equal(digestOf(recordCidOf(digest)), digest)
      assert.equal(blobDigest(recordCidOf(digest)), undefined, 'a record is not a blob')
    }),
    runs,
  )
})

test('anything but CIDv1 raw sha2-256 has no blob digest, whatever the text', () => {
  const others = [
    '',
    'bafkrei',
    'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG',
    'bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a',
    `${blobCidOf('ab'.repeat(32))}a`,
    ' bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e',
  ]
  for (const cid of others) assert.equal(blobDigest(cid), undefined, cid)
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.equal(blobDigest(text), undefined)
    }),
    runs,
  )
})

test('refuses to make a CID of anything but 64 hex digits', () => {
  for (const digest of ['', 'ab', 'AB'.repeat(32), 'zz'.repeat(32), 'ab'.repeat(33)])
    assert.throws(() => blobCidOf(digest), TypeError)
})
