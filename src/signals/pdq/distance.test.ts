import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { packPdq, packedDistance, pdqDistance } from './distance.ts'

const hash = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex'))

test('counts the bits that differ', () => {
  fc.assert(
    fc.property(hash, hash, (a, b) => {
      const bits = (BigInt(`0x${a}`) ^ BigInt(`0x${b}`)).toString(2).replaceAll('0', '')
      assert.equal(pdqDistance(a, b), bits.length)
    }),
  )
})

test('is a distance: zero to itself, the same both ways, never longer by a detour', () => {
  fc.assert(
    fc.property(hash, hash, hash, (a, b, c) => {
      assert.equal(pdqDistance(a, a), 0)
      assert.equal(pdqDistance(a, b), pdqDistance(b, a))
      assert.ok(pdqDistance(a, c) <= pdqDistance(a, b) + pdqDistance(b, c))
    }),
  )
})

test('reads hashes from the middle of an array of many', () => {
  fc.assert(
    fc.property(hash, hash, (a, b) => {
      const many = Uint32Array.from([...packPdq(a), ...packPdq(b)])
      assert.equal(packedDistance(packPdq(a), many, 0, 8), pdqDistance(a, b))
    }),
  )
})

test('refuses what is not 64 lowercase hex digits', () => {
  for (const bad of ['', 'f'.repeat(63), 'F'.repeat(64), 'g'.repeat(64)])
    assert.throws(() => packPdq(bad), TypeError)
})
