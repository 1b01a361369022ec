import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseLayout } from './choose-layout.ts'

const gb = 1e9
const million = 1e6
const choose = (
  hashes: number,
  memoryBytes: number,
  lookupsPerSecond = 0.01,
  wanted: 'auto' | 'memory' | 'file' = 'auto',
) => chooseLayout({ hashes, memoryBytes, lookupsPerSecond, wanted })

test('takes memory when serving and one rebuild fit in half of it', () => {
  assert.equal(choose(0, gb).layout, 'memory')
  assert.equal(choose(1.9 * million, gb).layout, 'memory')
  assert.equal(choose(10 * million, 24 * gb, 50).layout, 'memory')
  assert.equal(choose(10 * million, 24 * gb, 50).bytesNeeded, 2.6 * gb)
})

test('takes a file on a small machine that looks little up', () => {
  const { layout, bytesNeeded, reason } = choose(10 * million, gb)
  assert.equal(layout, 'file')
  assert.ok(bytesNeeded < 100e6)
  assert.match(
    reason,
    /2\.6 GB in memory.*1\.0 GB: more than half; 0\.01 lookups\/s.*0\.00 of a core/,
  )
})

test('takes up to four fifths of memory when the file would keep a core busy', () => {
  assert.equal(choose(10 * million, 4 * gb, 2).layout, 'file')
  assert.equal(choose(10 * million, 4 * gb, 4).layout, 'memory')
  assert.match(
    choose(10 * million, 4 * gb, 4).reason,
    /4 lookups\/s of the file take 0\.30 of a core/,
  )
})

test('says so when neither suffices', () => {
  const { layout, reason } = choose(10 * million, 2 * gb, 50)
  assert.equal(layout, 'file')
  assert.match(reason, /^neither suffices: .* 3\.75 of a core; .* give it 5\.2 GB of memory/)
})

test('does as it is told, and warns when that will not end well', () => {
  assert.equal(choose(100, 24 * gb, 1, 'file').layout, 'file')
  assert.deepEqual(choose(million, gb, 1, 'memory').reason, 'memory was asked for')
  assert.match(choose(10 * million, gb, 1, 'memory').reason, /2\.6 GB.*may be killed/)
})

test('more than 30 million hashes go to a file whatever is wanted', () => {
  assert.equal(choose(30 * million, 64 * gb).layout, 'memory')
  assert.equal(choose(30 * million + 1, 64 * gb).layout, 'file')
  assert.equal(choose(30 * million + 1, 64 * gb, 1, 'memory').layout, 'file')
})
