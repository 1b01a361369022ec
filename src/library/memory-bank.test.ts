import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hash, openHasher, openMemoryBank, pdqDistance } from '../index.ts'
import type { BankItem, Signals } from '../index.ts'
import { canaryPicture, cleanPicture, recompressed } from '../testing/canary.ts'

test('finds a recompressed picture in a bank in memory, and not another picture', async () => {
  const bytes = await canaryPicture({ seed: 5, width: 400, format: 'png' })
  await using hasher = await openHasher({ slots: 1, warn: () => {} })
  const known = await hasher.hash(bytes)
  assert.deepEqual([known.media, known.format, known.unscannable], ['image', 'png', undefined])
  assert.match(known.cid, /^bafkrei/)
  await using bank = await openMemoryBank(itemsOf('canary', known.signals))
  const again = await hasher.hash(await recompressed(bytes, 60), { contentType: 'image/jpeg' })
  const matches = await bank.match(again.signals)
  assert.deepEqual(
    matches.map(({ id, type }) => [id, type]),
    [['canary', 'pdq']],
  )
  assert.equal(matches[0]!.distance, pdqDistance(known.signals.pdq!.hash, again.signals.pdq!.hash))
  const other = await hasher.hash(await cleanPicture(9))
  assert.deepEqual(await bank.match(other.signals), [])
})

test('a signal is found once it was added, not after it was removed, and again when it came back', async () => {
  const value = 'a'.repeat(64)
  const signals: Signals = {
    sha256: '0'.repeat(64),
    pdq: { hash: flipped(value, 10), quality: 90 },
  }
  await using bank = await openMemoryBank([], { pdqDistanceMax: 10 })
  const found = async () => (await bank.match(signals)).map(({ id, distance }) => [id, distance])
  assert.deepEqual(await found(), [])
  bank.add([{ id: 'one', type: 'pdq', value }])
  bank.add([{ id: 'two', type: 'pdq', value: flipped(value, 3) }])
  assert.deepEqual(await found(), [
    ['one', 10],
    ['two', 7],
  ])
  assert.deepEqual(
    (await bank.match(signals, { pdq: 8 })).map(({ id }) => id),
    ['two'],
  )
  bank.remove(['one', 'never there'])
  assert.deepEqual([bank.size, await found()], [1, [['two', 7]]])
  bank.add([{ id: 'one', type: 'pdq', value }])
  assert.equal((await found()).length, 2)
})

test('refuses wrong items by their place, adds none of them and repeats no value', async () => {
  await using bank = await openMemoryBank()
  const good: BankItem = { id: 'a', type: 'md5', value: '0'.repeat(32) }
  for (const value of ['ab', 'g'.repeat(32), 'A'.repeat(32)]) {
    assert.throws(() => bank.add([good, { ...good, value }]), {
      name: 'TypeError',
      message: 'item 1: md5 has 32 lowercase hex digits',
    })
  }
  assert.equal(bank.size, 0)
  await assert.rejects(bank.match({ sha256: 'ab' }), /^TypeError: sha256 has 64 lowercase/)
  await assert.rejects(openMemoryBank([], { pdqDistanceMax: 65 }), /0 to 64/)
})

test('hashes one file and leaves nothing running', async () => {
  const { signals, media, unscannable } = await hash(new Uint8Array([1, 2, 3]))
  assert.deepEqual([media, unscannable, signals.pdq], ['other', undefined, undefined])
  const torn = await hash(new Uint8Array([1]), { contentType: 'image/png' })
  assert.equal(torn.unscannable, 'unsupported-format')
  await assert.rejects(hash(new Uint8Array(1), { signal: AbortSignal.abort() }), /abort/i)
})

function itemsOf(id: string, { sha256, pdq }: Signals): BankItem[] {
  return [
    { id, type: 'sha256', value: sha256 },
    { id, type: 'pdq', value: pdq!.hash },
  ]
}

/** The first `bits` bits turned over. */
function flipped(hex: string, bits: number): string {
  const mask = (1n << BigInt(bits)) - 1n
  return (BigInt(`0x${hex}`) ^ (mask << BigInt(256 - bits))).toString(16).padStart(64, '0')
}
