import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { connect } from '../db/client.ts'
import type { Bank } from '../domain/bank.ts'
import { RetryableError } from '../domain/errors.ts'
import type { BankIndex, IndexChange, IndexStatus } from '../domain/signal-batch.ts'
import { createBankIndex } from '../matching/bank-index.ts'
import { createLinearMatcher } from '../matching/linear-matcher.ts'
import { silentLog, testDatabase } from '../testing/database.ts'
import { createBankBook } from './bank-book.ts'
import type { BankBook } from './bank-book.ts'
import { addContent, bankNamed, removeContent, setContent } from './bank-store.ts'
import {
  nowMs,
  clock,
  start,
  openBook,
  anotherConnection,
  between,
  cutOff,
  found,
  makeBank,
  add,
  addPdq,
  setDistance,
  importMany,
  removeMany,
  snapshot,
  eventually,
  sha256,
  pdqNear,
  seeded,
} from './bank-book-in-test.ts'

describe('the bank book', () => {
  test('matches, when refresh returns, what another connection changed before', async (t) => {
    const { database, book } = await start(t)
    const other = anotherConnection(t, database)
    await makeBank(other, 'A')
    const content = await add(other, 'A', ['one'])
    assert.deepEqual(await found(book, 'one'), [])
    await book.refresh()
    assert.deepEqual(await found(book, 'one'), [content])
    assert.equal(book.banks().get((await bankNamed(other, 'A')).id)?.name, 'A')
    await removeContent(other, { bank: 'A', content, principal: 1, nowMs })
    await book.refresh()
    assert.deepEqual(await found(book, 'one'), [])
  })

  test('follows what is disabled, enabled, widened and narrowed', async (t) => {
    const { db, book } = await start(t)
    await makeBank(db, 'A')
    const content = await addPdq(db, 'A', 'picture')
    const disable = (disableUntilTs: number) =>
      setContent(db, { bank: 'A', content, principal: 1, nowMs, change: 'set', disableUntilTs })
    const seen = async (bits: number) => {
      await book.refresh()
      const pdq = { hash: pdqNear('picture', bits), quality: 100 }
      const { matches } = await book.matcher.match({ sha256: sha256('x'), pdq })
      return matches.map((match) => match.distance)
    }
    assert.deepEqual(await seen(20), [20])
    await disable(0)
    assert.deepEqual(await seen(20), [])
    await disable(nowMs / 1000 + 60)
    assert.deepEqual(await seen(20), [])
    await disable(nowMs / 1000 - 60)
    assert.deepEqual(await seen(20), [20])
    await disable(1)
    assert.deepEqual(await seen(20), [20])
    await setDistance(db, 'A', 19)
    assert.deepEqual(await seen(20), [])
    await setDistance(db, 'A', 40)
    assert.deepEqual(await seen(40), [40])
    assert.deepEqual(await seen(41), [])
  })

  test('reads exactly what was there, with the bank of each content and what is disabled', async (t) => {
    const { database, db } = await start(t)
    for (const name of ['A', 'B']) await makeBank(db, name)
    await importMany(database.owner, { bank: 'A', contents: 20_000, named: 'a' })
    await importMany(database.owner, { bank: 'B', contents: 20_000, named: 'b', type: 'pdq' })
    const single = await add(db, 'A', ['single', 'double'])
    const off = await add(db, 'B', ['off'])
    const set = { bank: 'B', content: off, principal: 1, nowMs }
    await setContent(db, { ...set, change: 'set', disableUntilTs: 0 })
    const gone = await add(db, 'B', ['gone'])
    await removeContent(db, { bank: 'B', content: gone, principal: 1, nowMs })

    const book = await openBook(t, db)
    const { signals } = book.status().index as IndexStatus
    assert.deepEqual([signals.sha256, signals.pdq], [20_003, 20_000])
    const banks = async (text: string) => {
      const digest = sha256(text)
      const { matches } = await book.matcher.match({
        sha256: digest,
        pdq: { hash: digest, quality: 100 },
      })
      return matches.map((match) => book.banks().get(match.bankId)?.name)
    }
    for (const text of ['a 1', 'a 16383', 'a 16384', 'a 20000']) {
      assert.deepEqual(await banks(text), ['A'], text)
    }
    for (const text of ['b 1', 'b 13000', 'b 20000']) assert.deepEqual(await banks(text), ['B'])
    assert.deepEqual(await found(book, 'single'), [single])
    assert.deepEqual(await found(book, 'double'), [single])
    assert.deepEqual(await found(book, 'off'), [])
    assert.deepEqual(await found(book, 'gone'), [])
  })

  test('loses nothing that changes while everything is read', async (t) => {
    const { database, db } = await start(t)
    await makeBank(db, 'A')
    await importMany(database.owner, { bank: 'A', contents: 40_000, named: 'a' })
    const before = await add(db, 'A', ['before'])
    let added = 0
    const createIndex = () =>
      between(createLinearMatcher({ clock }), {
        // With the first page in hand and others still to be read.
        onFirstBatch: async () => {
          await removeContent(db, { bank: 'A', content: before, principal: 1, nowMs })
          added = await add(db, 'A', ['meanwhile'])
        },
      })
    const book = await openBook(t, db, createIndex)
    assert.ok(added > 0)
    assert.deepEqual(await found(book, 'meanwhile'), [added])
    assert.deepEqual(await found(book, 'before'), [])
    assert.equal((await found(book, 'a 40000')).length, 1)
  })

  test('an import of 50,000 is there whole when the index says so, and nothing of it twice', async (t) => {
    const { database, db } = await start(t)
    await makeBank(db, 'A')
    const applied: IndexChange[] = []
    const createIndex = () =>
      between(createLinearMatcher({ clock }), { onApply: (change) => applied.push(change) })
    const book = await openBook(t, db, createIndex)
    const generation = await importMany(database.owner, { bank: 'A', contents: 50_000, named: 'a' })
    applied.length = 0
    await book.refresh()
    const rows = (change: IndexChange) => change.added.reduce((sum, batch) => sum + batch.count, 0)
    assert.equal(
      applied.reduce((sum, change) => sum + rows(change), 0),
      50_000,
    )
    assert.ok(applied.every((change) => rows(change) <= 4_096))
    assert.deepEqual(
      applied.map((change) => change.generation),
      [...applied.slice(1).map(() => generation - 1), generation],
    )
    assert.equal(book.status().index?.signals.sha256, 50_000)

    const last = await removeMany(database.owner, 'A')
    applied.length = 0
    await book.refresh()
    assert.ok(applied.every((change) => change.removedSignalIds.length <= 4_096))
    assert.equal(book.status().index?.signals.sha256, 0)
    assert.equal(book.status().generation, last)
  })

  test('goes on where it was when an import is cut off, and takes in what came after it', async (t) => {
    const { database, db } = await start(t)
    await makeBank(db, 'A')
    let pages = 0
    let rows = 0
    const createIndex = () =>
      between(createLinearMatcher({ clock }), {
        onApply: ({ added }) => {
          pages += 1
          if (pages === 4) throw new RetryableError('cut off')
          rows += added.reduce((sum, batch) => sum + batch.count, 0)
        },
      })
    const book = await openBook(t, db, createIndex)
    const generation = await importMany(database.owner, { bank: 'A', contents: 30_000, named: 'a' })
    pages = 0
    await assert.rejects(book.refresh(), /cut off/)
    assert.equal(book.status().generation, generation - 1)
    const content = await add(db, 'A', ['after'])
    const first = (await found(book, 'a 1'))[0] as number
    await removeContent(db, { bank: 'A', content: first, principal: 1, nowMs })
    await book.refresh()
    assert.deepEqual(await found(book, 'after'), [content])
    assert.deepEqual(await found(book, 'a 1'), [])
    assert.equal((await found(book, 'a 30000')).length, 1)
    assert.equal(rows, 30_001)
    assert.equal(book.status().index?.signals.sha256, 30_000)
    assert.equal(book.status().behindSinceMs, undefined)
  })

  test('catches up after its connections were cut and banks changed meanwhile', async (t) => {
    const { database, db } = await start(t)
    const cut = connect(database.appAddress, {
      max: 4,
      applicationName: 'cut off',
      log: silentLog,
    })
    t.after(() => cut.end({ timeout: 1 }))
    await makeBank(db, 'A')
    const book = await openBook(t, cut)
    const contents: number[] = []
    for (let round = 0; round < 3; round += 1) {
      contents.push(await add(db, 'A', [`round ${round}`, 'shared']))
      const refreshed = Promise.allSettled([book.refresh(), book.refresh()])
      await cutOff(t, database, 'cut off')
      await refreshed
    }
    await eventually(() => book.refresh())
    assert.deepEqual(await found(book, 'shared'), contents)
    assert.equal(book.status().index?.signals.sha256, 6)
  })

  test('reads everything in the next look when the first one was cut off', async (t) => {
    const { database, db } = await start(t)
    await makeBank(db, 'A')
    await importMany(database.owner, { bank: 'A', contents: 40_000, named: 'a' })
    const own = connect(database.appAddress, { max: 2, applicationName: 'cut', log: silentLog })
    t.after(() => own.end({ timeout: 1 }))
    let loads = 0
    let cut = 0
    const createIndex = () =>
      between(createLinearMatcher({ clock }), {
        onFirstBatch: async () => {
          loads += 1
          if (loads === 1) cut = await cutOff(t, database, 'cut')
        },
      })
    const book = createBankBook({ db: own, clock, log: silentLog, createIndex })
    t.after(() => book[Symbol.asyncDispose]())
    await assert.rejects(book.refresh())
    assert.ok(cut > 0)
    assert.equal(book.status().index, undefined)
    await eventually(() => book.refresh())
    assert.equal(book.status().index?.signals.sha256, 40_000)
  })

  test('reads everything anew when the database is an older one, and answers from before meanwhile', async (t) => {
    const { database, db, warned, log } = await start(t)
    await makeBank(db, 'A')
    const kept = await add(db, 'A', ['kept'])
    let whileLoading: number[] = []
    const indexes: BankIndex[] = []
    const createIndex = () => {
      const index = between(createLinearMatcher({ clock }), {
        onFirstBatch: async () => {
          if (indexes.length < 2) return
          whileLoading = await found(book, 'lost')
          assert.equal(book.status().loading, true)
        },
      })
      indexes.push(index)
      return index
    }
    const book: BankBook = await openBook(t, db, createIndex, log)
    const before = await snapshot(database.owner)
    const lost = await add(db, 'A', ['lost'])
    await book.refresh()
    await before.restore()
    await book.refresh()
    assert.deepEqual(whileLoading, [lost])
    assert.deepEqual(await found(book, 'lost'), [])
    assert.deepEqual(await found(book, 'kept'), [kept])
    assert.deepEqual(warned, ['banks-replaced'])
    assert.equal(book.status().loading, false)
  })

  test('is not deceived by a restored database that has as many changes again', async (t) => {
    const { database, db, book, warned } = await start(t)
    await makeBank(db, 'A')
    const before = await snapshot(database.owner)
    const lost = await add(db, 'A', ['lost'])
    await book.refresh()
    await before.restore()
    const later = nowMs + 1000
    const signals = [{ type: 'sha256' as const, value: sha256('new') }]
    await addContent(db, { bank: 'A', signals, principal: 1, nowMs: later })
    await book.refresh()
    assert.deepEqual(await found(book, 'lost'), [])
    assert.deepEqual(await found(book, 'new'), [lost])
    assert.deepEqual(warned, ['banks-replaced'])
  })

  test('keeps every kind of index the same through random changes', async (t) => {
    const { db } = await start(t)
    const dataDir = await mkdtemp(join(tmpdir(), 'blobwatch-bank-book-'))
    t.after(() => rm(dataDir, { recursive: true, force: true }))
    const layouts = [{ kind: 'memory' }, { kind: 'file', dataDir }] as const
    const books = [await openBook(t, db)]
    for (const layout of layouts)
      books.push(await openBook(t, db, () => createBankIndex({ clock, layout })))
    const names = ['A', 'B']
    for (const name of names) await makeBank(db, name)
    const live: { bank: string; content: number }[] = []
    const random = seeded('random changes')
    for (let round = 0; round < 40; round += 1) {
      const bank = names[random(2)] as string
      const picked = live[random(Math.max(live.length, 1))]
      const what = picked === undefined ? 0 : random(5)
      if (picked === undefined || what < 2) {
        const near = pdqNear(`picture ${random(4)}`, random(12))
        const signals = [
          { type: 'pdq' as const, value: near, quality: 100 },
          { type: 'md5' as const, value: sha256(`md5 ${random(6)}`).slice(0, 32) },
        ]
        const { content } = await addContent(db, { bank, signals, principal: 1, nowMs })
        live.push({ bank, content })
      } else if (what === 2) {
        await removeContent(db, { ...picked, principal: 1, nowMs })
        live.splice(live.indexOf(picked), 1)
      } else if (what === 3) {
        const set = { change: 'set' as const, disableUntilTs: random(2) }
        await setContent(db, { ...picked, principal: 1, nowMs, ...set })
      } else {
        await setDistance(db, bank, random(64))
      }
      const answers: unknown[] = []
      for (const book of books) {
        await book.refresh()
        const md5 = sha256(`md5 ${round % 6}`).slice(0, 32)
        const pdq = { hash: pdqNear(`picture ${round % 4}`, 20), quality: 100 }
        answers.push(await book.matcher.match({ sha256: sha256('x'), md5, pdq }))
      }
      assert.deepEqual(answers[1], answers[0], `round ${round}`)
      assert.deepEqual(answers[2], answers[0], `round ${round}`)
    }
  })

  test('looks again for those who came after the look of the others', async (t) => {
    const { database, db, book } = await start(t)
    await makeBank(db, 'A')
    const content = await add(db, 'A', ['one'])
    const superuser = { max: 1, applicationName: 'test admin', log: silentLog }
    const locker = connect(database.superuserAddress, superuser)
    t.after(() => locker.end({ timeout: 1 }))
    // The first run has looked, and then waits for the contents.
    await locker.unsafe('begin; lock table blobwatch.bank_content in access exclusive mode')
    const first = book.refresh()
    await eventually(async () => {
      const waiting = await database.owner`select from pg_locks where not granted`
      assert.equal(waiting.length, 1)
    })
    await database.owner`
      with head as (update bank_head set generation = generation + 1),
      changed as (update bank set policy = policy || '{"pdqDistanceMax": 12}', policy_version = 2)
      insert into bank_change (generation, op, bank, principal, at)
      select generation + 1, 'bank.set', 1, 1, now() from bank_head`
    const later = [book.refresh(), book.refresh()]
    await locker.unsafe('rollback')
    await Promise.all(later)
    const { policy } = book.banks().get((await bankNamed(db, 'A')).id) as Bank
    assert.equal(policy.pdqDistanceMax, 12)
    await first
    assert.deepEqual(await found(book, 'one'), [content])
  })

  test('passes over a signal that is not of its type, and keeps the others', async (t) => {
    const { database, db } = await start(t)
    await makeBank(db, 'A')
    const content = await add(db, 'A', ['one'])
    await database.owner`insert into bank_signal (content, type, value, added_generation)
      values (${content}, 'sha256', '\\x0102', 1), (${content}, 'tmk', '\\x0102', 1)`
    const book = await openBook(t, db)
    assert.deepEqual(await found(book, 'one'), [content])
    assert.equal(book.status().index?.signals.sha256, 1)
  })

  test('keeps what it knows while the database is away, and says since when', async (t) => {
    const { database, db } = await start(t)
    await makeBank(db, 'A')
    const content = await add(db, 'A', ['one'])
    const own = connect(database.appAddress, { max: 1, applicationName: 'own', log: silentLog })
    const book = await openBook(t, own)
    await own.end({ timeout: 0 })
    await assert.rejects(book.refresh())
    assert.deepEqual(await found(book, 'one'), [content])
    assert.equal(book.status().lookedAtMs, nowMs)
  })
})

test('without an index a lookup fails, and may be tried again', async (t) => {
  const { app } = await testDatabase(t)
  const createIndex = () => createLinearMatcher({ clock })
  await using book = createBankBook({ db: app, clock, log: silentLog, createIndex })
  await assert.rejects(book.matcher.match({ sha256: sha256('x') }), RetryableError)
  assert.equal(book.status().index, undefined)
})
