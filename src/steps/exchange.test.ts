import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { sha256Of } from '../banks/bank-in-test.ts'
import { bankNamed, moveContent, setBank, setContent } from '../banks/bank-store.ts'
import { askForFetch, removeLargeExchange, setExchange } from '../exchanges/exchange-store.ts'
import { exchangeInTest, gone, put, shown } from '../roles/exchange-in-test.ts'
import type { ExchangeInTest } from '../roles/exchange-in-test.ts'
import { profileProblem } from '../ledger/entry.ts'
import { exchangeStepLimits } from './exchange.ts'

const dayMs = 24 * 3600_000

async function generation({ db }: ExchangeInTest): Promise<number> {
  const [row] = await db<{ generation: number }[]>`select generation from bank_head`
  return row?.generation ?? -1
}

async function contents({ db }: ExchangeInTest) {
  return db<{ id: number; key: string; removed: boolean; provenance: object; until: number }[]>`
    select id, source_key as key, removed_at is not null as removed, provenance, disable_until_ts as until
    from bank_content order by id`
}

describe('a page of an exchange', () => {
  test('puts, replaces and deletes items, with one generation and one entry', async (t) => {
    const world = await exchangeInTest(t)
    assert.equal((await world.fetch([put('a'), put('b', ['b', 'b2'], ['spam'])])).added, 2)
    assert.deepEqual(await world.items(), { a: shown('a'), b: shown('b', 'b2') })
    const before = await generation(world)
    const told = await world.fetch([put('a'), put('b', ['other']), gone('never'), put('c')])
    assert.deepEqual([told.added, told.removed], [2, 1])
    // One for the page, one for the pass over what was seen.
    assert.equal(await generation(world), before + 2)
    assert.deepEqual(await world.items(), {
      a: shown('a'),
      b: shown('other'),
      c: shown('c'),
    })
    await world.fetch([gone('a'), gone('b')], { checkpoint: { page: 3 } })
    assert.deepEqual(await world.items(), { c: shown('c') })

    const { fetchedItems, upToDate, fetchOk, checkpointAt } = await world.here()
    assert.deepEqual([fetchedItems, upToDate, fetchOk], [1, true, true])
    assert.equal(checkpointAt?.getTime(), world.now())
    const [, first] = await contents(world)
    assert.deepEqual(first?.provenance, { exchange: 'LIST', fetchId: 'b', tags: ['spam'] })
    const pages = (await world.notes()).filter(({ type }) => type === 'exchange.page')
    assert.deepEqual(
      pages.map(({ pub }) => [pub['added'], pub['removed'], pub['unchanged'], pub['page']]),
      [
        [2, 0, 0, 1],
        [2, 1, 1, 2],
        [0, 2, 0, 3],
      ],
    )
    for (const note of await world.notes()) {
      assert.equal(profileProblem(note.pub), undefined, note.type)
      assert.ok(!JSON.stringify(note.pub).includes(sha256Of('a')))
    }
  })

  test('told twice, or by a leader that was replaced, changes nothing', async (t) => {
    const world = await exchangeInTest(t)
    const stale = await world.claim()
    assert.ok(stale)
    assert.equal(await world.claim(), undefined, 'nobody else has it meanwhile')
    assert.equal((await world.apply(stale, [put('a')], { more: true })).outcome, 'applied')
    assert.equal((await world.apply(stale, [put('z')])).outcome, 'lost')
    const second = { pages: 1, checkpoint: '2', more: true }
    for (const pages of [0, 2])
      assert.equal((await world.apply(stale, [put('z')], { ...second, pages })).outcome, 'lost')
    world.pass(exchangeStepLimits.leaseSeconds * 1000)
    const next = await world.claim()
    assert.deepEqual([next?.checkpoint, next?.pages], ['1', 1])
    assert.ok(next)
    assert.equal((await world.apply(stale, [put('z')], second)).outcome, 'lost')
    assert.equal(await world.end(stale), false)
    assert.equal((await world.apply(next, [put('b')], second)).outcome, 'applied')
    assert.deepEqual(await world.items(), { a: shown('a'), b: shown('b') })
  })

  test('renews the lease, and says what runs and what is behind', async (t) => {
    const world = await exchangeInTest(t)
    const claimed = await world.claim()
    assert.ok(claimed)
    const started = world.now()
    world.pass(exchangeStepLimits.leaseSeconds * 1000 - 1)
    await world.apply(claimed, [], { more: true })
    world.pass(exchangeStepLimits.leaseSeconds * 1000 - 1)
    assert.equal(await world.claim(), undefined)
    const { runningSince, upToDate, fetchEndedAt, checkpointAt } = await world.here()
    assert.equal(runningSince?.getTime(), started)
    assert.deepEqual([upToDate, fetchEndedAt, checkpointAt], [false, null, null])
    await world.end(claimed, { ok: false, reason: 'timeout' })
    const after = await world.here()
    assert.deepEqual(
      [after.runningSince, after.fetchOk, after.fetchReason, after.failures],
      [null, false, 'timeout', 1],
    )
    assert.equal(await world.claim(), undefined, 'it is not due again yet')
    world.pass(60_000)
    assert.equal((await world.claim())?.failures, 1)
  })

  test('keeps out what it does not know or must not take, and counts it', async (t) => {
    const world = await exchangeInTest(t)
    const mixed = (id: string, ...signals: [string, string][]) => ({
      ...{ op: 'put' as const, id, tags: [] },
      signals: signals.map(([type, value]) => ({ type, value })),
    })
    await world.fetch([put('was', ['good'])])
    await world.fetch([
      mixed('mixed', ['sha256', sha256Of('m')], ['vpdq', 'ab'], ['sha256', sha256Of('m')]),
      mixed('hma', ['video_md5', '0cc175b9c0f1b6a831c399e269772661']),
      mixed('none', ['constructor', 'ab']),
      mixed('short', ['md5', 'ab']),
      mixed('zero', ['pdq', '0'.repeat(64)]),
      mixed('flat', ['pdq', 'ff00'.repeat(16)]),
      mixed('was', ['md5', 'd41d8cd98f00b204e9800998ecf8427e']),
    ])
    assert.deepEqual(await world.items(), { hma: ['md5 0cc175b9'], mixed: shown('m') })
    const left = {
      ...{ 'unknown-type': 2, 'bad-signal': 1, constant: 1, flat: 1, 'empty-file': 1 },
      'no-signal': 5,
    }
    assert.deepEqual((await world.here()).leftOut, left)
    const [row] = await world.db<{ result: object }[]>`
      select result from admission order by id desc limit 1`
    assert.deepEqual(row?.result, {
      ...{ contents: 2, harmless: 0, seen: null },
      refused: { constant: 1, flat: 1, 'empty-file': 1 },
    })
  })

  test('brings an item’s words up to date and leaves its content', async (t) => {
    const world = await exchangeInTest(t)
    await world.fetch([put('a', ['a'], ['old'])])
    const before = await generation(world)
    const told = await world.fetch([put('a', ['a'], ['new'])])
    assert.deepEqual([told.added, told.removed, await generation(world)], [0, 0, before])
    const [a, ...more] = await contents(world)
    assert.deepEqual(a?.provenance, { exchange: 'LIST', fetchId: 'a', tags: ['new'] })
    assert.equal(more.length, 0)
  })

  test('starts one pass for all that came in, when the fetch is over', async (t) => {
    const world = await exchangeInTest(t)
    const { bank } = await world.here()
    world.pass(60_000)
    const claimed = await world.claim()
    assert.ok(claimed)
    await world.apply(claimed, [put('a')], { more: true })
    await world.apply(claimed, [put('b')], { pages: 1, checkpoint: '2' })
    assert.deepEqual(await world.passes(), [])
    await world.end(claimed)
    assert.deepEqual(await world.passes(), [{ bank }])
    await world.fetch([put('a'), gone('b')], { checkpoint: '3' })
    assert.deepEqual(await world.passes(), [{ bank }], 'nothing more can match')
  })

  test('looks again at what a harmless picture kept from matching, when it goes', async (t) => {
    const world = await exchangeInTest(t)
    await world.fetch([put('a')])
    const { version: _, ...policy } = (await bankNamed(world.db, 'LIST')).policy
    const negative = { ...policy, suppresses: 'all' as const }
    await setBank(world.db, { name: 'LIST', policy: negative, ...world.author() })
    const before = (await world.passes()).length
    await world.fetch([gone('a')])
    assert.deepEqual((await world.passes()).slice(before), [{ all: true }])
  })

  test('leaves alone what people did with an item', async (t) => {
    const world = await exchangeInTest(t)
    const { db } = world
    await world.fetch([put('a'), put('b')])
    const [a, b] = await contents(world)
    assert.ok(a && b)
    const off = { change: 'set' as const, disableUntilTs: 0, ...world.author() }
    await setContent(db, { bank: 'LIST', content: a.id, ...off })
    await world.bank('OURS', { confidential: true })
    await moveContent(db, { bank: 'LIST', content: b.id, to: 'OURS', ...world.author() })
    const told = await world.fetch([put('a', ['new']), put('b', ['new b']), gone('b')])
    assert.deepEqual([told.added, told.removed], [1, 1])
    await world.fetch([put('b', ['new b'])])
    assert.deepEqual(await world.items(), { a: shown('new') })
    assert.deepEqual(
      (await contents(world)).map(({ key, removed, until }) => [key, removed, until]),
      [
        ['a', true, 0],
        ['b', true, 1],
        [null, false, 1],
        ['a', false, 0],
      ],
    )
  })
})

describe('an item that came with an import from HMA', () => {
  test('is the same item, and goes on from HMA’s checkpoint', async (t) => {
    const world = await exchangeInTest(t)
    const { owner } = world.database
    const { bank } = await world.here()
    const record = (fetchId: string) => ({ hma: { record: 1, exchange: 'LIST', fetchId } })
    for (const id of ['kept', 'changed', 'gone'])
      await owner`
        with c as (
          insert into bank_content (bank, provenance, created_at, source)
          values (${bank}, ${owner.json(record(id))}::jsonb, now(), 'hma') returning id)
        insert into bank_signal (content, type, value, added_generation)
        select id, 'sha256', decode(${sha256Of(id)}, 'hex'), 1 from c`
    await owner`update exchange set checkpoint = '{"since": 7}', fetched_items = 3`
    const claimed = await world.claim()
    assert.deepEqual(claimed?.checkpoint, { since: 7 })
    await world.end(claimed)
    await world.fetch([put('kept'), put('changed', ['other']), gone('gone')])
    assert.deepEqual(await world.items(), { changed: shown('other'), kept: shown('kept') })
    assert.equal((await world.here()).fetchedItems, 2)
    assert.equal((await contents(world)).length, 4, 'what is the same was not added again')
  })
})

describe('a page that takes much away', () => {
  const many = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) => String(from + n))

  test('is no more than half of what there was that day', async (t) => {
    const world = await exchangeInTest(t)
    await world.fetch(many(0, 3000).map((id) => put(id)))
    assert.equal((await world.fetch(many(0, 900).map(gone))).outcome, 'applied')
    assert.equal((await world.fetch(many(900, 1300).map(gone))).outcome, 'applied')
    assert.equal((await world.fetch(many(1300, 1600).map(gone))).outcome, 'held')
  })

  test('is held until a person allows it, and told once', async (t) => {
    const world = await exchangeInTest(t)
    await world.fetch(many(0, 2000).map((id) => put(id)))
    const half = await world.fetch(many(0, 1000).map(gone), { checkpoint: '2' })
    assert.deepEqual([half.outcome, half.removed], ['applied', 1000])
    // Of the same day, and over half of what there was.
    for (const _ of [1, 2]) {
      world.pass(60_000)
      const claimed = await world.claim()
      assert.ok(claimed)
      const held = await world.apply(claimed, [put('new'), gone('1000')], { checkpoint: '3' })
      assert.equal(held.outcome, 'held')
      await world.end(claimed, { ok: false, reason: 'too-many-deletions' })
    }
    const { fetchReason, failures, fetchedItems } = await world.here()
    assert.deepEqual([fetchReason, failures, fetchedItems], ['too-many-deletions', 2, 1000])
    assert.equal(Object.keys(await world.items()).includes('new'), false)
    const notes = (await world.notes()).filter(({ type }) => type === 'exchange.held')
    assert.equal(notes.length, 1)

    const asked = { name: 'LIST', allowDeletions: true, fromStart: false, ...world.author() }
    await askForFetch(world.db, asked)
    assert.equal((await world.fetch([gone('1000')], { checkpoint: '3' })).removed, 1)
    // The word of a person ends with the fetch.
    const again = await world.fetch([gone('1001')], { checkpoint: '4' })
    assert.equal(again.outcome, 'held')
    world.pass(dayMs)
    assert.equal((await world.fetch([gone('1001')], { checkpoint: '4' })).removed, 1)
  })
})

describe('an exchange', () => {
  test('that is switched off takes nothing more in, and is fetched at once when it is on again', async (t) => {
    const world = await exchangeInTest(t)
    const claimed = await world.claim()
    assert.ok(claimed)
    await world.apply(claimed, [put('a')], { more: true })
    const off = { name: 'LIST', enabled: false, ...world.author() }
    await setExchange(world.db, off)
    const second = { pages: 1 }
    assert.equal((await world.apply(claimed, [put('b')], second)).outcome, 'lost')
    assert.equal((await world.here()).runningSince, null)
    // What came in before is compared with what was seen.
    assert.equal((await world.passes()).length, 1)
    world.pass(dayMs)
    assert.equal(await world.claim(), undefined)
    const asked = { name: 'LIST', allowDeletions: false, fromStart: false, ...world.author() }
    await assert.rejects(askForFetch(world.db, asked), { name: 'UsageError' })
    await setExchange(world.db, { ...off, enabled: true })
    assert.equal((await world.apply(claimed, [put('b')], second)).outcome, 'lost')
    const again = await world.claim()
    assert.equal(again?.checkpoint, '1')
    assert.ok(again)
    await world.end(again)
    assert.equal(await world.claim(), undefined)
    await setExchange(world.db, off)
    await setExchange(world.db, { ...off, enabled: true })
    assert.ok(await world.claim())
  })

  test('is fetched at once when a person asks, from the beginning when they say so', async (t) => {
    const world = await exchangeInTest(t)
    await world.fetch([put('a')])
    assert.equal(await world.claim(), undefined)
    const asked = { name: 'LIST', allowDeletions: false, fromStart: false, ...world.author() }
    await askForFetch(world.db, asked)
    const running = await world.claim()
    assert.equal(running?.checkpoint, '1')
    assert.ok(running)
    // Asked while it runs: once more afterwards, and what runs is not about the beginning.
    await askForFetch(world.db, { ...asked, fromStart: true })
    assert.equal((await world.apply(running, [put('z')])).outcome, 'lost')
    assert.equal((await world.claim())?.checkpoint, null)
    assert.deepEqual(await world.items(), { a: shown('a') })
    assert.equal(await world.claim(['another']), undefined)
  })

  test('is removed with its bank, in parts where that is large', async (t) => {
    const world = await exchangeInTest(t)
    const { db } = world
    await world.fetch(Array.from({ length: 5200 }, (_, n) => put(String(n))))
    const told: number[] = []
    const onProgress = (removed: number) => void told.push(removed)
    await removeLargeExchange(db, { name: 'LIST', onProgress, ...world.author() })
    assert.deepEqual(told, [5000, 5200])
    const [left] = await db<{ live: number; exchanges: number; banks: number }[]>`
      select (select count(*) from bank_signal where state = 'live') as live, (select count(*) from exchange) as exchanges,
        (select count(*) from bank where removed_at is null) as banks`
    assert.deepEqual({ ...left }, { live: 0, exchanges: 0, banks: 0 })
    const notes = (await world.notes()).filter(({ type }) => type === 'exchange.emptied')
    assert.deepEqual(
      notes.map(({ pub }) => [pub['removed'], profileProblem(pub)]),
      [
        [5000, undefined],
        [200, undefined],
      ],
    )
    const again = { name: 'LIST', onProgress, ...world.author() }
    await assert.rejects(removeLargeExchange(db, again), { name: 'UsageError' })
  })

  test('fills a bank that is restricted, confidential and observes, until a person says more', async (t) => {
    const world = await exchangeInTest(t)
    await world.fetch([put('a')])
    const { mode, class: bankClass, confidential } = await bankNamed(world.db, 'LIST')
    assert.deepEqual([mode, bankClass, confidential], ['observe', 'restricted', true])
    await setBank(world.db, { name: 'LIST', mode: 'hold', ...world.author() })
    await world.fetch([put('b')])
    assert.equal((await bankNamed(world.db, 'LIST')).mode, 'hold')
  })
})
