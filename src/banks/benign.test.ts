import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { makeBenignHashes } from '../commands/bank-benign-write.ts'
import { turnsOfHash } from '../domain/pdq-turns.ts'
import { createBanks, startMs } from './bank-in-test.ts'
import { addContent, bankNamed } from './bank-store.ts'
import { benignHashes } from './benign-hashes.ts'
import { readBenignSet } from './benign.ts'
import { hasPictureVectors, pictureVectorsFile } from '../testing/picture-vectors.ts'

const vectors = new URL('../signals/pdq/vectors/synthetic-vectors.json', import.meta.url)
const example = 'f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22'

test('the list of harmless pictures is what its formulas make', () => {
  assert.deepEqual(benignHashes, makeBenignHashes())
})

test('a harmless picture is known turned and a little changed, and a picture of something is not', async (t) => {
  const banks = await createBanks(t)
  const set = await readBenignSet(banks.db, await banks.bank('BAD'))
  const hit = (value: string) => set.hit({ type: 'pdq', value }, 31)?.what
  const [first] = benignHashes
  assert.equal(hit(first!.pdq), first!.name)
  for (const { hash } of turnsOfHash(first!.pdq)) assert.ok(hit(hash))
  const changed = (BigInt(`0x${first!.pdq}`) ^ 0x7fffn).toString(16).padStart(64, '0')
  assert.ok(hit(changed))
  assert.equal(hit(example), undefined)
})

test('no picture of the reference vectors is near a harmless one', async (t) => {
  const banks = await createBanks(t)
  const set = await readBenignSet(banks.db, await banks.bank('BAD'))
  const hashes = [vectors, ...(hasPictureVectors ? [pictureVectorsFile] : [])].flatMap((file) =>
    readHashes(JSON.parse(readFileSync(file, 'utf8'))),
  )
  assert.ok(hashes.length > 20)
  const hits = hashes.filter((value) => set.hit({ type: 'pdq', value }, 31) !== undefined)
  assert.deepEqual(hits, [])
})

test('a bank of harmless pictures speaks for those banks that it suppresses', async (t) => {
  const banks = await createBanks(t)
  const bad = await banks.bank('BAD')
  const other = await banks.bank('OTHER')
  await banks.bank('HARMLESS', { policy: { suppresses: [bad] } })
  await banks.content('HARMLESS', [
    { type: 'pdq', value: example },
    { type: 'md5', value: '9e107d9d372bb6826bd81d3542a419d6' },
  ])
  const inBad = await readBenignSet(banks.db, bad)
  assert.deepEqual(inBad.hit({ type: 'pdq', value: example }, 31), {
    what: 'bank HARMLESS',
    distance: 0,
  })
  const md5 = { type: 'md5' as const, value: '9e107d9d372bb6826bd81d3542a419d6' }
  assert.ok(inBad.hit(md5, 31))
  const [mirrored] = turnsOfHash(example)
  assert.ok(inBad.hit({ type: 'pdq', value: mirrored!.hash }, 31))
  assert.equal((await readBenignSet(banks.db, other)).hit(md5, 31), undefined)
  await assert.rejects(
    addContent(banks.db, {
      bank: 'BAD',
      signals: [md5],
      principal: banks.principal,
      nowMs: startMs,
    }),
    /a harmless picture would match/,
  )
  assert.equal((await bankNamed(banks.db, 'HARMLESS')).policy.actions.length, 0)
})

/** Of quality 50 and more, as they stand under `hash`. */
function readHashes(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  const { hash, quality } = value as { hash?: string; quality?: number }
  if (typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash) && (quality ?? 0) >= 50) return [hash]
  return Object.values(value).flatMap(readHashes)
}
