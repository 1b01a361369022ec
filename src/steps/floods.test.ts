// How floods are counted: the window, the hours before it, and who is told.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setContent } from '../banks/bank-store.ts'
import { noteContentHours } from '../roles/keep-house.ts'
import { createWorld, didOf, pdqOfBytes } from '../testing/world.ts'
import type { World } from '../testing/world.ts'
import { watchFloods } from './append.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const limits = { floodBlobs: 5, floodAccounts: 8 }

async function start(t: Parameters<typeof createWorld>[0]) {
  const world = await createWorld(t, { limits })
  await world.bank('BAD', { mode: 'observe' })
  const content = await world.content('BAD', [
    { type: 'pdq', value: pdqOfBytes('one'), quality: 100 },
  ])
  let posted = 0
  return {
    world,
    content,
    watch: () => watchFloods(world.db, { limits: world.limits, nowMs: world.clock() }),
    post: async (blobs: number, accounts = blobs): Promise<void> => {
      const from = posted
      posted += blobs
      await world.sight(
        Array.from({ length: blobs }, (_, n) => ({
          did: didOf(n % accounts),
          bytes: `one~${from + n}`,
          rkey: `r${from + n}`,
        })),
      )
      while ((await world.scanDue()) > 0);
    },
  }
}

async function hours(world: World): Promise<number[][]> {
  const rows = await world.db<{ hour: Date; blobs: number; accounts: number }[]>`
    select hour, blobs, accounts from content_hour order by hour`
  return rows.map(({ hour, blobs, accounts }) => [
    (hour.getTime() - Math.floor(world.clock() / hourMs) * hourMs) / hourMs,
    blobs,
    accounts,
  ])
}

test('a flood is told once, by whoever looks first, with the case that asks a person', async (t) => {
  const { world, content, watch, post } = await start(t)
  assert.deepEqual(await watch(), [])
  await post(5)
  assert.deepEqual(await watch(), [], 'as many as it may')
  await post(1)
  const told = (await Promise.all([watch(), watch(), watch()])).flat()
  assert.equal(told.length, 1)
  const [row] = await world.db<{ id: number }[]>`select id from case_file`
  assert.deepEqual(told, [{ content, caseNumber: row?.id }])
  assert.deepEqual(await watch(), [])
  assert.equal((await world.db`select from case_file`).length, 1)
})

test('the window slides: as many in eleven minutes are no flood', async (t) => {
  const { world, watch, post } = await start(t)
  for (let round = 0; round < 3; round += 1) {
    await post(4)
    world.advance(11 * minuteMs)
    assert.deepEqual(await watch(), [])
  }
  await post(3)
  world.advance(9 * minuteMs)
  await post(3)
  assert.equal((await watch()).length, 1)
})

test('a content that is held, removed or resumed is not held for what came before', async (t) => {
  const { world, content, watch, post } = await start(t)
  await post(6)
  assert.equal((await watch()).length, 1)
  world.advance(minuteMs)
  const { db, principal } = world
  const nowMs = world.clock()
  await setContent(db, { bank: 'BAD', content, change: 'resume', principal, nowMs })
  await world.refreshBanks()
  assert.deepEqual(await watch(), [])
  await post(5)
  assert.deepEqual(await watch(), [])
  await post(1)
  assert.equal((await watch()).length, 1, 'told anew when it is held anew')
})

test('what was set aside, and what began to match only afterwards, is no flood of that content', async (t) => {
  const { world, content, watch, post } = await start(t)
  const near = [{ type: 'pdq' as const, value: pdqOfBytes('one'), quality: 100 }]
  const quiet = await world.bank('QUIET', { mode: 'observe' })
  await world.content('QUIET', near)
  await world.bank('HARMLESS', { policy: { suppresses: [quiet] } })
  await world.content('HARMLESS', near)
  await post(9)
  world.advance(minuteMs)
  await world.bank('LATER', { mode: 'observe' })
  const later = await world.content('LATER', near)
  await world.settle()
  const [found] = await world.db`select count(*) as n from match where content = ${later}`
  assert.equal(found?.['n'], 9)
  await watch()
  const held = await world.db<{ id: number }[]>`
    select id from bank_content where held_at is not null`
  assert.deepEqual(
    held.map(({ id }) => id),
    [content],
  )
})

test('each full hour is counted once, and what is older than eight days goes', async (t) => {
  const { world, post } = await start(t)
  await post(3, 2)
  world.advance(hourMs / 2)
  await post(1)
  world.advance(hourMs / 2)
  await post(2)
  await noteContentHours(world.db, world.clock())
  assert.deepEqual(await hours(world), [[-1, 4, 2]])
  await world.database.owner`delete from decision`
  await noteContentHours(world.db, world.clock())
  assert.deepEqual(await hours(world), [[-1, 4, 2]], 'not counted again')
  world.advance(7 * 24 * hourMs)
  await noteContentHours(world.db, world.clock())
  assert.equal((await hours(world)).length, 1)
  world.advance(25 * hourMs)
  await noteContentHours(world.db, world.clock())
  assert.deepEqual(await hours(world), [])
})

test('what is usual is measured over the time that the content has been there', async (t) => {
  const { world, content, watch, post } = await start(t)
  // Two hours old, twelve blobs in each ten minutes of it: sixty are as many as it may.
  world.advance(2 * hourMs)
  await world.database.owner`
    insert into content_hour (content, hour, blobs, accounts)
    select ${content}, date_trunc('hour', ${new Date(world.clock())}::timestamptz, 'UTC') - n * interval '1 hour', 72, 72
    from generate_series(1, 2) n`
  await post(60)
  assert.deepEqual(await watch(), [])
  await post(1)
  assert.equal((await watch()).length, 1)
})

test('a sequencer of an older version, which knows no flood limits, still appends and releases', async (t) => {
  const { world, post } = await start(t)
  await world.bank('ACT')
  await world.content('ACT', 'one~0')
  await post(9)
  const { floodBlobs: _b, floodAccounts: _a, floodFactor: _f, ...older } = world.limits
  const { owner } = world.database
  const [row] = await owner<{ released: number }[]>`
    select release_actions(${owner.json(older)}, ${new Date(world.clock())}) as released`
  assert.equal(row?.released, 0, 'nothing has its entry yet')
  await owner`update action set intent_seq = 0`
  const [again] = await owner<{ released: number }[]>`
    select release_actions(${owner.json(older)}, ${new Date(world.clock())}) as released`
  assert.equal(again?.released, 2)
})
