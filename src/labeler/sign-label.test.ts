import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decode } from '@atproto/lex-cbor'
import { P256Keypair, Secp256k1Keypair, verifySignature } from '@atproto/crypto'
import * as fc from 'fast-check'
import { isLabelValue, labelValueBytesMax } from './label-value.ts'
import { createLabelSigner, generateLabelKey, verifyLabel } from './sign-label.ts'

const did = 'did:plc:ewvi7nxzyoun6zhxrhs64oiz'
const label = {
  uri: 'at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post/3k',
  val: 'spam',
  neg: false,
  cts: '2026-11-21T05:00:00.000Z',
}
/** The order of the curve: s and order - s both satisfy the equation, only the lower one is allowed. */
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

const anyLabel = fc.record(
  {
    uri: fc.constantFrom(
      label.uri,
      'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa',
      'at://did:web:a.b/c.d.e/%_é',
    ),
    cid: fc.constantFrom('bafyreia', 'bafyreib'),
    val: fc.string({ minLength: 1, maxLength: 128 }).filter(isLabelValue),
    neg: fc.boolean(),
    cts: fc
      .date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true })
      .map((at) => at.toISOString()),
    exp: fc.constantFrom('2030-01-01T00:00:00Z', '2031-01-01T00:00:00+02:00'),
  },
  { requiredKeys: ['uri', 'val', 'neg', 'cts'] },
)

describe('a signed label', async () => {
  const key = await generateLabelKey()
  const signer = await createLabelSigner({ did, keyHex: key.keyHex })

  test('verifies with the key of the signer and no other', async () => {
    const other = await generateLabelKey()
    await fc.assert(
      fc.asyncProperty(anyLabel, async (input) => {
        const signed = await signer.sign(input)
        assert.equal(signed.src, did)
        assert.equal(signed.keyDid, key.keyDid)
        assert.equal(signed.sig.length, 64)
        assert.ok(BigInt(`0x${signed.sigHex.slice(64)}`) <= order / 2n, 'low S')
        assert.equal(await verifyLabel(signed, key.keyDid), true)
        assert.equal(await verifyLabel(signed, other.keyDid), false)
      }),
      { numRuns: 50 },
    )
  })

  test('fails when any field is changed, added or left out', async () => {
    const changes = fc.constantFrom<Record<string, unknown>>(
      { src: 'did:plc:zzzzzzzzzzzzzzzzzzzzzzzz' },
      { uri: 'at://did:plc:other/a.b.c/d' },
      { cid: 'bafyreiother' },
      { cid: undefined },
      { val: 'other' },
      { neg: true },
      { neg: false },
      { cts: '2026-11-21T05:00:00Z' },
      { exp: '2032-01-01T00:00:00Z' },
      { exp: undefined },
    )
    await fc.assert(
      fc.asyncProperty(anyLabel, changes, async (input, change) => {
        const signed = await signer.sign(input)
        const [[name, value]] = Object.entries(change) as [[string, unknown]]
        fc.pre((signed as Record<string, unknown>)[name] !== value)
        assert.equal(await verifyLabel({ ...signed, ...change }, key.keyDid), false)
      }),
      { numRuns: 100 },
    )
  })

  test('fails with the high-S twin of its signature', async () => {
    const signed = await signer.sign(label)
    const high = (order - BigInt(`0x${signed.sigHex.slice(64)}`)).toString(16).padStart(64, '0')
    const twin = { ...signed, sigHex: signed.sigHex.slice(0, 64) + high }
    assert.equal(await verifyLabel(twin, key.keyDid), false)
    assert.equal(await verifyLabel({ ...signed, sigHex: '' }, key.keyDid), false)
    assert.equal(await verifyLabel(signed, 'did:key:nonsense'), false)
  })

  test('is the same bytes each time', async () => {
    assert.deepEqual(await signer.sign(label), await signer.sign(label))
  })

  test('covers the bytes that the specification names, in canonical order', async () => {
    // Built by hand from DAG-CBOR's rules: keys by length, then by bytes; absent fields absent.
    const text = (value: string): Buffer => {
      const bytes = Buffer.from(value)
      const head = bytes.length < 24 ? [0x60 + bytes.length] : [0x78, bytes.length]
      return Buffer.concat([Buffer.from(head), bytes])
    }
    const bytes = Buffer.concat([
      Buffer.from([0xa6]),
      ...[text('cts'), text(label.cts), text('neg'), Buffer.from([0xf5])],
      ...[text('src'), text(did), text('uri'), text(label.uri), text('val'), text('spam')],
      ...[text('ver'), Buffer.from([1])],
    ])
    assert.deepEqual(Object.keys(decode<Record<string, never>>(bytes)), [
      'cts',
      'neg',
      'src',
      'uri',
      'val',
      'ver',
    ])
    const { sig } = await signer.sign({ ...label, neg: true })
    assert.equal(await verifySignature(key.keyDid, bytes, sig), true)
    // `neg: false` is not written at all: a map of five, without the key and its value.
    const negAt = bytes.indexOf(text('neg'))
    const five = Buffer.concat([bytes.subarray(0, negAt), bytes.subarray(negAt + 5)])
    five[0] = 0xa5
    const positive = await signer.sign(label)
    assert.equal(await verifySignature(key.keyDid, five, positive.sig), true)
  })
})

test('verifies labels of services that sign with P-256', async () => {
  const keypair = await P256Keypair.create()
  const signer = await createLabelSigner({ did, keyHex: (await generateLabelKey()).keyHex })
  const ours = await signer.sign(label)
  assert.equal(await verifyLabel(ours, keypair.did()), false)
})

test('refuses a label whose form is wrong, without repeating it', async () => {
  const signer = await createLabelSigner({ did, keyHex: (await generateLabelKey()).keyHex })
  const values = [
    '',
    'a b',
    'a,b',
    'a;b',
    "a'b",
    'a"b',
    'a\nb',
    'a\u0000',
    'x'.repeat(129),
    'é'.repeat(65),
  ]
  for (const val of values) {
    await assert.rejects(signer.sign({ ...label, val }), { name: 'PermanentError' })
  }
  for (const val of ['x'.repeat(labelValueBytesMax), 'é'.repeat(64), '!hide', 'graphic-media']) {
    await signer.sign({ ...label, val })
  }
  for (const wrong of [
    { uri: '' },
    { uri: 'https://a.b/c' },
    { cts: 'now' },
    { cts: '2026-11-21' },
  ]) {
    await assert.rejects(signer.sign({ ...label, ...wrong }), { name: 'PermanentError' })
  }
})

test('refuses a key that is none and never shows it', async () => {
  const order64 = order.toString(16)
  for (const keyHex of ['', 'zz', 'ab'.repeat(31), 'g'.repeat(64), '0'.repeat(64), order64]) {
    await assert.rejects(createLabelSigner({ did, keyHex }), (error: Error) => {
      assert.equal(error.name, 'UsageError')
      assert.ok(keyHex === '' || !error.message.includes(keyHex))
      assert.equal(error.cause, undefined)
      return true
    })
  }
  await assert.rejects(createLabelSigner({ did: 'nobody', keyHex: 'ab'.repeat(32) }), {
    name: 'UsageError',
  })
})

test('a generated key is the key that signs', async () => {
  const { keyHex, keyDid } = await generateLabelKey()
  assert.match(keyHex, /^[0-9a-f]{64}$/)
  assert.equal((await Secp256k1Keypair.import(keyHex)).did(), keyDid)
})
