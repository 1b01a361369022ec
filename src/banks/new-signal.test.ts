import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { noOtherTypes } from '../domain/other-type.ts'
import { turnsOfHash } from '../domain/pdq-turns.ts'
import { parseSignal, refusalOf } from './new-signal.ts'
import { hasPictureVectors, pictureVectorsFile } from '../testing/picture-vectors.ts'

const parse = (signal: Parameters<typeof parseSignal>[0]) => parseSignal(signal, noOtherTypes)

const good = 'f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22'

test('a hash that says nothing about one picture is refused with the reason', () => {
  const pdq = (value: string, quality?: number) =>
    refusalOf({ type: 'pdq', value, ...(quality !== undefined && { quality }) })
  assert.equal(pdq(good), undefined)
  assert.equal(pdq(good, 50), undefined)
  assert.equal(pdq(good, 49), 'low-quality')
  assert.equal(pdq('0'.repeat(64)), 'constant')
  assert.equal(pdq('f'.repeat(64)), 'constant')
  assert.equal(pdq(`${'0'.repeat(60)}ffff`), 'abnormal-popcount')
  assert.equal(pdq(`${'f'.repeat(60)}0000`), 'abnormal-popcount')
  assert.equal(pdq('00ff'.repeat(16)), 'flat')
  assert.equal(pdq('0123456789abcdef0f1e2d3c4b5a6978'.repeat(2)), 'periodic')
})

test('the digests of an empty file and of no file are refused', () => {
  for (const type of ['sha256', 'md5', 'sha1'] as const) {
    const value = createHash(type).update('').digest('hex')
    assert.equal(refusalOf({ type, value }), 'empty-file')
    assert.equal(refusalOf({ type, value: '0'.repeat(value.length) }), 'constant')
    const other = createHash(type).update('something').digest('hex')
    assert.equal(refusalOf({ type, value: other }), undefined)
  }
  assert.equal(refusalOf({ type: 'clip', value: '0'.repeat(128) }), 'constant')
})

test('no reference hash of quality 50 or more is refused, turned or not', () => {
  const files = [
    new URL('../signals/pdq/vectors/synthetic-vectors.json', import.meta.url),
    ...(hasPictureVectors ? [pictureVectorsFile] : []),
  ]
  const hashes = files.flatMap((file) => hashesIn(JSON.parse(readFileSync(file, 'utf8')), 0))
  assert.ok(hashes.length > 50)
  for (const value of hashes) {
    const all = [value, ...turnsOfHash(value).map(({ hash }) => hash)]
    assert.deepEqual(
      all.map((one) => refusalOf({ type: 'pdq', value: one })).filter(Boolean),
      [],
      value,
    )
  }
})

test('a value is hex of its type, in lower case afterwards', () => {
  assert.equal(parse({ type: 'pdq', value: good.toUpperCase() }).value, good)
  for (const value of ['', good.slice(1), `${good}00`, good.replace('f', 'g')])
    assert.throws(() => parse({ type: 'pdq', value }), /Invalid pdq signal: 64 hex digits/)
  assert.throws(() => parse({ type: 'pdq', value: good, quality: 20 }), /quality 20 is under/)
})

function hashesIn(value: unknown, quality: number): string[] {
  if (typeof value === 'string') return quality >= 50 && /^[0-9a-f]{64}$/.test(value) ? [value] : []
  if (typeof value !== 'object' || value === null) return []
  const own = (value as { quality?: number }).quality ?? quality
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'sha256OfRgb' ? [] : hashesIn(inner, own),
  )
}
