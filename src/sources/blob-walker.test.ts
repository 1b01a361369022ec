import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decode, encode } from '@atproto/lex-cbor'
import { parseCid, type LexValue } from '@atproto/lex-data'
import * as fc from 'fast-check'
import { blobRef, rawCid } from '../testing/relay-frames.ts'
import { blobRefsIn, carriesBlob, walkLimits } from './blob-walker.ts'
import { mayCarryBlob } from './commit-ops.ts'

const cid = rawCid('a picture').toString()
const json = { $type: 'blob', ref: { $link: cid }, mimeType: 'image/png', size: 9 }

const shapes: Record<string, unknown> = {
  'a decoded reference': blobRef('a picture', 'image/png'),
  'raw JSON': json,
  'a link as text': { ...json, ref: cid },
  'a DAG-JSON link': { ...json, ref: { '/': cid } },
  'a reference with extra keys': { ...json, alt: 'x', extra: { deep: [1] } },
  'a reference without mimeType and size': { $type: 'blob', ref: { $link: cid } },
  'the legacy shape': { cid, mimeType: 'image/png' },
  'the legacy shape with extra keys': { cid, mimeType: 'image/png', size: -1 },
  'another multibase of the same CID': { ...json, ref: { $link: base58(cid) } },
}

describe('blobRefsIn', () => {
  for (const [name, blob] of Object.entries(shapes)) {
    it(`finds ${name}`, () => {
      const { refs, truncated } = blobRefsIn({ $type: 'com.example.thing', a: [{ b: blob }] })
      assert.deepEqual(
        refs.map((ref) => ref.cid),
        [cid],
      )
      assert.equal(truncated, false)
    })
  }

  it('finds a blob put anywhere in any structure, as JSON and as CBOR', () => {
    const blobs = fc.constantFrom(...Object.values(shapes))
    const places = fc.array(fc.oneof(fc.constant('list' as const), fc.string()), { maxLength: 30 })
    fc.assert(
      fc.property(blobs, places, lexValues(), (blob, path, other) => {
        const record = path.reduce<unknown>(
          (inner, key) => (key === 'list' ? [other, inner] : { a: other, ...own(key, inner) }),
          blob,
        )
        assert.ok(carriesBlob(record, cid))
        const block = encode(record as LexValue)
        assert.ok(carriesBlob(decode(block), cid))
        assert.ok(mayCarryBlob(block))
      }),
      { numRuns: 500 },
    )
  })

  it('finds nothing where there is no blob', () => {
    fc.assert(
      fc.property(fc.object({ maxDepth: 6 }), (record) => {
        assert.deepEqual(blobRefsIn(record), { refs: [], truncated: false })
      }),
    )
    const links = { record: { $link: cid }, cid, notBlob: { $type: 'image', ref: { $link: cid } } }
    assert.deepEqual(blobRefsIn(links).refs, [])
    assert.deepEqual(blobRefsIn(null).refs, [])
  })

  it('finds a blob that a CBOR key __proto__ made into a prototype', () => {
    const hidden = Buffer.concat([
      Buffer.from([0xa1, 0x69]),
      Buffer.from('__proto__'),
      encode({ embed: blobRef('a picture') }),
    ])
    const record = decode(hidden)
    assert.deepEqual(Object.keys(record as object), [])
    assert.ok(carriesBlob(record, cid))
    assert.ok(carriesBlob(JSON.parse(`{"__proto__":${JSON.stringify(json)}}`), cid))
  })

  it('names each CID once and keeps the first claimed mimeType', () => {
    const { refs } = blobRefsIn([json, { ...json, mimeType: 'text/html' }, blobRef('another')])
    assert.equal(refs.length, 2)
    assert.ok(refs.some((ref) => ref.cid === rawCid('another').toString()))
  })

  it('keeps a reference whose CID cannot be fetched, in characters that a database takes', () => {
    const odd = [
      'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG',
      'not a\u0000cid \ud800',
      'x'.repeat(500),
    ]
    const { refs } = blobRefsIn(odd.map((ref) => ({ $type: 'blob', ref })))
    assert.deepEqual(refs.map((ref) => ref.cid).toSorted(), [
      odd[0],
      'not?a?cid??',
      'x'.repeat(128),
    ])
  })

  it('ends on a cycle', () => {
    const record: Record<string, unknown> = { blob: json }
    record.self = [record, { record }]
    assert.deepEqual(blobRefsIn(record), {
      refs: [{ cid, mimeType: 'image/png' }],
      truncated: false,
    })
  })

  it('says when depth, width or number of blobs met a limit', () => {
    let deep: unknown = json
    for (let depth = 0; depth <= walkLimits.depthMax; depth += 1) deep = [deep]
    assert.deepEqual(blobRefsIn(deep), { refs: [], truncated: true })
    assert.equal(
      blobRefsIn(Array.from({ length: walkLimits.nodesMax + 1 }, () => 0)).truncated,
      true,
    )
    const many = Array.from({ length: walkLimits.refsMax + 1 }, (_, i) => blobRef(`blob ${i}`))
    const { refs, truncated } = blobRefsIn(many)
    assert.deepEqual([refs.length, truncated], [walkLimits.refsMax, true])
    assert.equal(blobRefsIn(many.slice(1)).truncated, false)
  })
})

function lexValues() {
  return fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.constant(rawCid('some other link')),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.string(), tie('value'), { maxKeys: 4 }),
    ),
  })).value
}

/** An own property whatever the key, `__proto__` too. */
function own(key: string, value: unknown): Record<string, unknown> {
  return Object.fromEntries([[key, value]])
}

function base58(text: string): string {
  const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
  let rest = BigInt(`0x${Buffer.from(parseCid(text).bytes).toString('hex')}`)
  let encoded = ''
  for (; rest > 0n; rest /= 58n) encoded = alphabet.charAt(Number(rest % 58n)) + encoded
  return `z${encoded}`
}
