import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { callStep } from '../db/client.ts'
import { createExchange } from '../exchanges/exchange-store.ts'
import { parseRead } from '../ledger/find-entries.ts'
import { readEntries, readHead } from '../ledger/read-ledger.ts'
import { sumActions } from '../reports/actions.ts'
import { complianceCsv } from '../reports/compliance-csv.ts'
import { complianceText } from '../reports/compliance-text.ts'
import type { ComplianceReport } from '../reports/compliance.ts'
import { sumCounts } from '../reports/counts.ts'
import { newestAnchored } from '../reports/checkpoint.ts'
import { addEntry, emptyTally } from '../reports/tally.ts'
import type { Period } from '../reports/tally.ts'
import { receiveAppeal, resolveAppeal } from '../steps/appeal.ts'
import { applyPage, claimExchanges, endExchange } from '../steps/exchange.ts'
import { decideCase, setPaused } from '../steps/withdraw.ts'
import { alice, bob, carol, createWorld, digestOfBytes } from '../testing/world.ts'
import type { World } from '../testing/world.ts'
import { gatherCompliance } from './compliance.ts'
import { noteCounts } from './keep-house.ts'

const hourMs = 3_600_000
const period: Period = {
  from: new Date('2026-11-21T00:00:00Z'),
  to: new Date('2026-11-22T00:00:00Z'),
}

/** A day with an act, a hold that was wrong, a pause, an appeal and a takedown that took 30 minutes. */
async function busyDay(t: Parameters<typeof createWorld>[0]): Promise<World> {
  const world = await createWorld(t)
  const { principal } = world
  const now = () => ({ principal, nowMs: world.clock() })
  await world.bank('SECRET_LIST', { mode: 'act' })
  await world.bank('SPAM', { class: 'open', mode: 'hold' })
  await world.content('SECRET_LIST', 'one')
  await world.content('SPAM', 'two')
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'a' },
    { did: bob, bytes: 'two', rkey: 'b' },
    { did: bob, bytes: 'clear', rkey: 'c' },
    { did: carol, bytes: 'dim clear', rkey: 'd' },
  ])
  await world.scanDue()
  await world.sequence()
  world.advance(hourMs / 2)
  await setPaused(world.db, { scope: 'all', on: true, reason: 'erin wants it', ...now() })
  await setPaused(world.db, { scope: 'all', on: false, ...now() })
  await world.settle()
  const heldCase = await world.db<{ id: number }[]>`select id from case_file where state = 'open'`
  await receiveAppeal(world.db, {
    caseNumber: heldCase[0]?.id ?? 0,
    note: 'erin heard it from alice.example.com',
    receivedMs: world.clock() - 24 * hourMs,
    ...now(),
  })
  await decideCase(world.db, { caseNumber: heldCase[0]?.id ?? 0, verb: 'release', ...now() })
  await resolveAppeal(world.db, {
    caseNumber: heldCase[0]?.id ?? 0,
    outcome: 'upheld',
    ...now(),
  })
  await world.settle()
  world.advance(2 * hourMs)
  await noteCounts(world.db, world.clock())
  await world.sequence()
  return world
}

const gather = (world: World, of: Period = period) =>
  gatherCompliance(world.db, { period: of, nowMs: world.clock() })

function writtenOf(report: ComplianceReport): string {
  return [complianceText(report), complianceCsv(report), JSON.stringify(report)].join('\n')
}

describe('a compliance report', () => {
  test('tells how fresh an exchange is and what it brought, without its name', async (t) => {
    const world = await createWorld(t)
    const nowMs = world.clock()
    const author = { principal: world.principal, nowMs }
    await createExchange(world.db, { name: 'PARTNER', api: 'listed', config: {}, ...author })
    const [claimed] = await claimExchanges(world.db, { apis: ['listed'], limit: 1, nowMs })
    assert.ok(claimed)
    const signals = [{ type: 'sha256' as const, value: digestOfBytes('one') }]
    await applyPage(world.db, {
      ...{ claimed, pages: 0, checkpoint: '1', more: false, askedAtMs: nowMs },
      ...{ rows: [{ k: 'a', s: signals, t: [] }], left: {}, ...author },
    })
    await endExchange(world.db, { claimed, ok: true, nextAtMs: nowMs, ...author })
    await world.sequence()
    world.advance(hourMs)
    const report = await gather(world)
    assert.deepEqual(report.lists.freshness, [
      {
        ...{ bank: 'b1', source: null, lastImport: new Date(nowMs), ageSeconds: 3600 },
        waiting: false,
      },
    ])
    assert.deepEqual(
      report.lists.imported.map(({ bank, added, removed }) => [bank, added, removed]),
      [['b1', 1, 0]],
    )
    assert.doesNotMatch(writtenOf(report), /PARTNER|No list was ever/)
  })

  test('adds up, and says what was matched, decided, done, overturned and appealed', async (t) => {
    const world = await busyDay(t)
    const report = await gather(world)
    assert.equal(report.holds, true)
    assert.deepEqual(report.completeness.missing, [])
    const { total } = report.completeness
    assert.deepEqual(
      [total.seen, total.clear, total.matched, total.unscannable, total.open, total.sightings],
      [4, 2, 2, 0, 0, 4],
    )
    assert.equal(total.lowQuality, 1)
    assert.deepEqual(
      report.matches.byBank.map(({ bank, name, decisions }) => [bank, name, decisions]),
      [
        ['b1', null, 1],
        ['b2', 'SPAM', 1],
      ],
    )
    assert.deepEqual(
      report.decisions.map(({ outcome, reason }) => `${outcome} ${reason}`),
      ['acted exact', 'held bank-hold'],
    )
    const [held, blob, record] = report.actions
    assert.deepEqual([held?.kind, held?.superseded], ['only held', 2])
    assert.deepEqual(
      [blob?.kind, blob?.planned, blob?.done, blob?.openAtEnd],
      ['takedown-blob', 1, 1, 0],
    )
    assert.deepEqual([record?.kind, record?.done], ['takedown-record', 1])
    assert.deepEqual(report.people.errorRate, { right: 0, wrong: 1, rate: 1 })
    assert.equal(report.people.errorRateByBank[0]?.name, 'SPAM')
    assert.equal(report.people.timeToDecision?.median, 1800)
    assert.deepEqual(
      [report.appeals.received, report.appeals.upheld, report.appeals.openNow],
      [1, 1, 0],
    )
    assert.equal(report.appeals.timeToAnswer?.median, 24 * 3600)
  })

  test('measures takedowns over every single one, and does not say zero for what does not exist', async (t) => {
    const report = await gather(await busyDay(t))
    const takedown = report.timeliness.find(
      (row) => row.to === 'takedown' && row.from === 'sighting',
    )
    assert.deepEqual(takedown?.spread, { count: 2, median: 1800, p95: 1800 })
    assert.equal(takedown?.group, 'by itself')
    assert.match(complianceText(report), /decision to report: no reporting programme is configured/)
  })

  test('names nobody, no restricted bank and nothing that was said', async (t) => {
    const report = await gather(await busyDay(t))
    const text = writtenOf(report)
    for (const word of ['did:', 'erin', 'SECRET_LIST', 'example.com', 'at://', 'app.bsky'])
      assert.ok(!text.includes(word), word)
    assert.match(text, /p1/)
    assert.match(text, /b2 SPAM/)
  })

  test('is computed again from nothing but the entries', async (t) => {
    const world = await busyDay(t)
    const report = await gather(world)
    const tally = emptyTally()
    const size = (await readHead(world.db))?.size ?? 0
    for await (const page of readEntries(world.db, { from: 0, to: size }))
      for (const entry of page.map(parseRead)) addEntry(tally, entry, period)
    assert.equal(tally.entries, report.ledger.entries)
    assert.deepEqual(
      sumCounts(tally.hours, {
        period,
        nowMs: world.clock(),
        beganMs: report.ledger.began?.getTime() ?? 0,
        sources: ['firehose', 'webhook'],
      }),
      report.completeness,
    )
    assert.deepEqual(sumActions(tally, new Map()), report.actions)
  })

  test('of a part takes kinds and openings of before it from tables, and says so', async (t) => {
    const world = await createWorld(t)
    await world.bank('SPAM', { class: 'open', mode: 'hold' })
    await world.content('SPAM', 'one')
    await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
    await world.settle()
    await decideCase(world.db, {
      caseNumber: 1,
      verb: 'confirm',
      principal: world.principal,
      nowMs: world.clock(),
    })
    await world.sequence()
    world.advance(hourMs)
    await world.settle()
    await decideCase(world.db, {
      caseNumber: 1,
      verb: 'overturn',
      principal: world.principal,
      nowMs: world.clock(),
    })
    await world.settle()
    const from = new Date('2026-11-21T13:00:00Z')
    const report = await gather(world, { from, to: period.to })
    const done = report.actions.filter((row) => !row.undo)
    assert.deepEqual(
      done.map(({ kind, planned, done }) => [kind, planned, done]),
      [
        ['takedown-blob', 0, 1],
        ['takedown-record', 0, 1],
      ],
    )
    assert.deepEqual(
      report.actions.filter((row) => row.undo).map(({ planned, done }) => [planned, done]),
      [
        [1, 1],
        [1, 1],
      ],
    )
    assert.equal(report.people.errorRateByBank[0]?.wrong, 1)
    assert.equal(report.people.errorRateByType[0]?.type, 'sha256')
  })

  test('names the hours of an outage that was too long to be counted, and those counted late', async (t) => {
    const world = await createWorld(t)
    await world.sequence()
    world.advance(hourMs * 3)
    await noteCounts(world.db, world.clock())
    await world.sequence()
    world.advance(hourMs * 40)
    await noteCounts(world.db, world.clock())
    await world.sequence()
    const report = await gather(world, { from: period.from, to: new Date('2026-11-24T00:00:00Z') })
    const missing = report.completeness.missing.filter((one) => one.source === 'firehose')
    assert.deepEqual(
      missing.map(({ from, hours }) => [from.toISOString(), hours]),
      [['2026-11-21T15:00:00.000Z', 16]],
    )
    const late = report.completeness.late.filter((one) => one.source === 'firehose')
    assert.deepEqual(
      late.map(({ hours }) => hours),
      [1, 22],
    )
    assert.equal(report.holds, true)
    assert.match(complianceText(report), /HOURS WITHOUT A COUNT: 48/)
    assert.match(complianceText(report), /The period is not over/)
  })

  test('does not hold when an entry says what does not add up', async (t) => {
    const world = await createWorld(t)
    await world.sequence()
    await callStep(world.db, 'note_fact_v1', {
      type: 'counts',
      idem: 'forged',
      now: new Date(world.clock()),
      pub: {
        source: 'firehose',
        from: '2026-11-21T13:00:00Z',
        to: '2026-11-21T14:00:00Z',
        seen: 9,
        blobs: 9,
        clear: 8,
      },
    })
    await world.sequence()
    const report = await gather(world)
    assert.equal(report.holds, false)
    assert.match(complianceText(report), /THE SUM DOES NOT HOLD/)
  })

  test('finds the count of an hour also when it was written after the period', async (t) => {
    const world = await busyDay(t)
    const noon = { from: new Date('2026-11-21T12:00:00Z'), to: new Date('2026-11-21T13:00:00Z') }
    const report = await gather(world, noon)
    assert.equal(report.completeness.total.seen, 4)
    assert.deepEqual(report.completeness.missing, [])
    const { documents } = await world.ledger()
    const before = documents.filter((entry) => entry.type !== 'counts')
    assert.equal(report.ledger.entries, before.length, 'and nothing else of after it')
  })

  test('of a log without entries is a report too', async (t) => {
    const world = await createWorld(t)
    const report = await gather(world)
    assert.equal(report.ledger.entries, 0)
    assert.match(complianceText(report), /Nothing matched/)
  })

  test('knows the newest anchored checkpoint where there are any', async (t) => {
    const world = await createWorld(t)
    const { owner } = world.database
    const [table] = await owner`select to_regclass('blobwatch.ledger_checkpoint') as there`
    if (table?.['there'] === null) {
      assert.equal(await newestAnchored(world.db), undefined)
      await owner`create table blobwatch.ledger_checkpoint (size bigint primary key, origin text not null,
        note text not null, at timestamptz not null, witnesses integer not null, anchored_at timestamptz)`
      await owner`grant select on blobwatch.ledger_checkpoint to blobwatch_app`
    }
    assert.equal(await newestAnchored(world.db), undefined)
    await owner`insert into ledger_checkpoint (size, origin, note, at, witnesses, anchored_at) values
      (5, 'test/log', 'x', '2026-11-21T13:00Z', 2, '2026-11-21T13:01Z'), (9, 'test/log', 'x', '2026-11-21T14:00Z', 0, null)`
    assert.equal((await newestAnchored(world.db))?.size, 5)
    assert.match(complianceText(await gather(world)), /size 5 of test\/log.*witnesses: 2/)
  })
})
