// What every evidence store promises, run for each by its own test.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { PermanentError } from '../domain/errors.ts'
import type { EvidenceStore } from '../domain/ports.ts'
import { newObjectName } from './object-name.ts'

const signal = new AbortController().signal
export const contractBytesMax = 300_000

/** `open` gives a store with `contractBytesMax` on the same place each time. */
export function evidenceStoreContract(name: string, open: () => EvidenceStore): void {
  describe(`${name} as an evidence store`, () => {
    test('gives back what was put, also through another store on the same place', async () => {
      for (const size of [0, 1, 65_536, contractBytesMax]) {
        const bytes = randomBytes(size)
        const object = newObjectName()
        await open().put(object, bytes, signal)
        assert.equal(await open().has(object, signal), size)
        assert.deepEqual(Buffer.from((await open().get(object, signal)) ?? ''), bytes)
      }
    })

    test('has and gets nothing where nothing was put', async () => {
      const object = newObjectName()
      assert.equal(await open().has(object, signal), undefined)
      assert.equal(await open().get(object, signal), undefined)
    })

    test('put again is the newer bytes, and not a second object', async () => {
      const object = newObjectName()
      const store = open()
      await store.put(object, randomBytes(5000), signal)
      await store.put(object, Buffer.from('newer'), signal)
      assert.equal(Buffer.from((await store.get(object, signal)) ?? '').toString(), 'newer')
      await store.remove(object, signal)
      assert.equal(await store.get(object, signal), undefined)
    })

    test('remove is safe to repeat and removes nothing else', async () => {
      const [gone, stays] = [newObjectName(), newObjectName()]
      const store = open()
      await store.put(gone, Buffer.from('a'), signal)
      await store.put(stays, Buffer.from('b'), signal)
      for (let times = 0; times < 3; times += 1)
        assert.deepEqual(await store.remove(gone, signal), { versionsKept: false })
      assert.equal(await store.has(gone, signal), undefined)
      assert.equal(await store.has(stays, signal), 1)
    })

    test('refuses more bytes than an object may have, and keeps nothing of them', async () => {
      const object = newObjectName()
      const tooMany = randomBytes(contractBytesMax + 1)
      await assert.rejects(open().put(object, tooMany, signal), PermanentError)
      assert.equal(await open().has(object, signal), undefined)
    })

    test('takes no name but one of ours', async () => {
      const store = open()
      const good = newObjectName()
      const bad = [
        '',
        '..',
        `../${good}`,
        `${good}/x`,
        `${good}.age`,
        good.toUpperCase(),
        `${good}\0`,
        `${good.slice(2)}/.`,
      ]
      for (const object of bad) {
        await assert.rejects(store.put(object, Buffer.from('x'), signal), TypeError, object)
        await assert.rejects(store.get(object, signal), TypeError, object)
        await assert.rejects(store.has(object, signal), TypeError, object)
        await assert.rejects(store.remove(object, signal), TypeError, object)
      }
    })

    test('many at once do not disturb each other', async () => {
      const store = open()
      const objects = Array.from({ length: 20 }, () => ({
        object: newObjectName(),
        bytes: randomBytes(2000),
      }))
      await Promise.all(objects.map(({ object, bytes }) => store.put(object, bytes, signal)))
      const got = await Promise.all(objects.map(({ object }) => store.get(object, signal)))
      assert.deepEqual(
        got.map((bytes) => Buffer.from(bytes ?? '').toString('hex')),
        objects.map(({ bytes }) => bytes.toString('hex')),
      )
    })
  })
}
