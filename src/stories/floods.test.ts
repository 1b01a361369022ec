// A content that matches far more than it may: held within seconds, whoever settles, and one case tells a person.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setContent } from '../banks/bank-store.ts'
import { decideCase } from '../steps/withdraw.ts'
import { bob, createWorld, didOf, digestOfBytes, pdqOfBytes } from '../testing/world.ts'
import type { World } from '../testing/world.ts'

const limits = { floodBlobs: 25, floodAccounts: 50 }
const near = (bytes: string) => [{ type: 'pdq' as const, value: pdqOfBytes(bytes), quality: 100 }]

async function count(world: World, what: string): Promise<number> {
  const [row] = await world.db.unsafe<{ n: number }[]>(`select count(*) as n from ${what}`)
  return row?.n ?? 0
}

async function heldContents(world: World): Promise<number[]> {
  const rows = await world.db<{ id: number }[]>`
    select id from bank_content where held_at is not null order by id`
  return rows.map(({ id }) => id)
}

/** So many different pictures that look like `name`, each of the next of so many accounts. */
async function wave(world: World, name: string, blobs: number, accounts = blobs): Promise<void> {
  await world.sight(
    Array.from({ length: blobs }, (_, n) => ({
      did: didOf(n % accounts),
      bytes: `${name}~${n}`,
      rkey: `${name}${n}`,
    })),
  )
}

async function floodEntries(world: World) {
  const { documents, faults } = await world.ledger()
  assert.deepEqual(faults, [])
  return documents.filter(({ type }) => type === 'content.held').map(({ pub }) => pub)
}

test('a poisoned signal matches 500 blobs of 400 accounts while four workers settle: it is held within 5 seconds, few actions leave, one case asks a person', async (t) => {
  const world = await createWorld(t, { limits })
  await world.bank('BAD', { policy: { perceptual: 'act' } })
  const poisoned = await world.content('BAD', near('one'))
  await world.content('BAD', 'fine')
  await wave(world, 'one', 500, 400)
  const workers = new Set(['first', 'second', 'third', 'fourth'])
  const work = async (name: string) => {
    while ((await world.scanDue()) > 0) await world.actDue()
    workers.delete(name)
  }
  const leader = async () => {
    while (workers.size > 0) {
      await world.sequence()
      world.advance(200)
    }
  }
  await Promise.all([...[...workers].map(work), leader()])
  await world.settle()

  assert.ok(world.pds.sets.length <= 50, `${world.pds.sets.length} takedowns`)
  assert.deepEqual(await heldContents(world), [poisoned])
  const [held] = await world.db<{ held_at: Date }[]>`
    select held_at from bank_content where id = ${poisoned}`
  const [tooMany] = await world.db<{ at: Date }[]>`
    select at from decision order by at, id offset ${limits.floodBlobs} limit 1`
  const lateMs = (held?.held_at.getTime() ?? 0) - (tooMany?.at.getTime() ?? 0)
  assert.ok(lateMs <= 5000, `${lateMs} ms`)

  assert.equal(await count(world, 'decision'), 500, 'everything is decided and recorded')
  assert.equal(await count(world, `match where content = ${poisoned} and set_aside is null`), 500)
  assert.equal(await count(world, "blob where verdict = 'matched'"), 500)
  const open = await world.db<{ reason: string; blobs: number }[]>`
    select c.reason, (select count(*) from case_blob b where b.case_file = c.id) as blobs
    from case_file c where c.state = 'open'`
  assert.equal(open.length, 1, 'told once')
  assert.equal(open[0]?.reason, 'flood')
  assert.equal(
    await count(world, 'decision d join case_file c on c.id = d.case_file'),
    500,
    'each decision names a case that is there',
  )
  const waiting = await count(
    world,
    `action a join decision d on d.id = a.decision join case_blob b on b.blob_cid = d.blob_cid
     join case_file c on c.id = b.case_file where a.state = 'held' and c.state <> 'open'`,
  )
  assert.equal(waiting, 0, 'nothing waits outside of it')
  const [entry, ...more] = await floodEntries(world)
  assert.equal(more.length, 0)
  assert.deepEqual([entry?.['content'], entry?.['reason']], [poisoned, 'flood'])

  const before = world.pds.sets.length
  await world.sight([{ did: bob, bytes: 'fine', rkey: 'b' }])
  await world.settle()
  assert.equal(world.pds.sets.length, before + 2)
  assert.ok(world.pds.takenDown().includes(`${bob} ${digestOfBytes('fine')}`), 'others go on')
})

test('what waits in the case of a flood leaves when a person confirms it, and is undone when they do not agree', async (t) => {
  for (const verb of ['confirm', 'release'] as const) {
    const world = await createWorld(t, { limits })
    await world.bank('BAD', { policy: { perceptual: 'act' } })
    await world.content('BAD', near('one'))
    await wave(world, 'one', 10)
    await world.settle()
    assert.equal(world.pds.takenDown().length, 20)
    world.advance(1000)
    await wave(world, 'one', 60)
    await world.settle()
    assert.equal(world.pds.takenDown().length, 20)
    const [flood] = await world.db<{ id: number }[]>`
      select id from case_file where reason = 'flood' and state = 'open'`
    const { principal } = world
    await decideCase(world.db, {
      caseNumber: flood?.id ?? 0,
      verb,
      principal,
      nowMs: world.clock(),
    })
    await world.settle()
    // The first ten were posted again, so they are in the case too.
    assert.equal(world.pds.takenDown().length, verb === 'confirm' ? 120 : 0)
    assert.deepEqual((await world.ledger()).faults, [])
  }
})

test('a content that always matches much is not held at its usual, and is held beyond it', async (t) => {
  const world = await createWorld(t, { limits: { ...limits, actionsPerContent: 100_000 } })
  await world.bank('BAD', { mode: 'observe' })
  const content = await world.content('BAD', near('one'))
  world.advance(8 * 24 * 3600_000)
  // 20 blobs of 30 accounts in ten minutes, hour after hour: five times that is 100 and 150.
  await world.database.owner`
    insert into content_hour (content, hour, blobs, accounts)
    select ${content}, date_trunc('hour', ${new Date(world.clock())}::timestamptz, 'UTC') - n * interval '1 hour', 120, 180
    from generate_series(1, 168) n`
  await wave(world, 'one', 100)
  await world.settle()
  assert.deepEqual(await heldContents(world), [])
  await world.sight([{ did: didOf(1), bytes: 'one~one more', rkey: 'x' }])
  await world.settle()
  assert.deepEqual(await heldContents(world), [content])
  const [entry] = await floodEntries(world)
  const { case: caseNumber, ...facts } = entry ?? {}
  assert.equal(typeof caseNumber, 'number')
  assert.deepEqual(facts, {
    content,
    reason: 'flood',
    seconds: 600,
    blobs: 101,
    accounts: 100,
    blobsMax: 100,
    accountsMax: 150,
    blobsUsual: '20.00',
    accountsUsual: '30.00',
  })
})

test('many accounts with one picture are a flood too, and one account with many is counted by its pictures', async (t) => {
  const world = await createWorld(t, { limits })
  await world.bank('BAD', { mode: 'hold' })
  const contents = [
    await world.content('BAD', near('one')),
    await world.content('BAD', near('two')),
  ]
  await world.sight(
    Array.from({ length: 51 }, (_, n) => ({ did: didOf(n), bytes: 'one', rkey: 'a' })),
  )
  await wave(world, 'two', 25, 1)
  await world.settle()
  assert.deepEqual(await heldContents(world), [contents[0]])
  await wave(world, 'two', 26, 1)
  await world.settle()
  assert.deepEqual(await heldContents(world), contents)
})

test('where nothing is done by itself a flood holds the content too, and what comes after waits in its case', async (t) => {
  for (const settings of [
    { mode: 'hold' as const },
    { mode: 'act' as const, policy: { perceptual: 'hold' as const } },
    { mode: 'observe' as const },
  ]) {
    const world = await createWorld(t, { limits })
    await world.bank('BAD', settings)
    const content = await world.content('BAD', near('one'))
    await wave(world, 'one', 30)
    await world.settle()
    assert.deepEqual(await heldContents(world), [content], settings.mode)
    world.advance(1000)
    await wave(world, 'one', 50)
    await world.settle()
    const [flood] = await world.db<{ blobs: number; events: string }[]>`
      select (select count(*) from case_blob b where b.case_file = c.id) as blobs,
        (select string_agg(e.note, '') from case_event e where e.case_file = c.id) as events
      from case_file c where c.reason = 'flood' and c.state = 'open'`
    assert.equal(flood?.blobs, settings.mode === 'observe' ? 0 : 20)
    assert.match(flood.events, /^content \d+ matched 30 blobs of 30 accounts in ten minutes/)
    assert.equal(world.pds.sets.length, 0)
  }
})

test('a content that a person lets go on acts again, counted anew, and is held anew', async (t) => {
  const world = await createWorld(t, { limits: { ...limits, actionsPerContent: 1000 } })
  await world.bank('BAD', { policy: { perceptual: 'act' } })
  const content = await world.content('BAD', near('one'))
  await wave(world, 'one', 30)
  await world.settle()
  assert.deepEqual(await heldContents(world), [content])
  assert.equal(world.pds.sets.length, 0)
  world.advance(60_000)
  const { db, principal } = world
  const resume = { bank: 'BAD', content, change: 'resume' as const, principal }
  await setContent(db, { ...resume, nowMs: world.clock() })
  await world.refreshBanks()
  await wave(world, 'one~again', 25)
  await world.settle()
  assert.deepEqual(await heldContents(world), [])
  assert.equal(world.pds.sets.length, 50, 'both takedowns of each new post')
  world.advance(60_000)
  await world.sight([{ did: bob, bytes: 'one~last', rkey: 'z' }])
  await world.settle()
  assert.deepEqual(await heldContents(world), [content])
  assert.equal(world.pds.sets.length, 50)
  assert.equal((await floodEntries(world)).length, 2)
  assert.equal(await count(world, "case_file where reason = 'flood' and state = 'open'"), 2)
})

test('what a pass over stored signals finds is no flood, nor is what a person has decided', async (t) => {
  const world = await createWorld(t, { limits })
  await world.bank('BAD')
  await wave(world, 'one', 60)
  await world.settle()
  await world.content('BAD', near('one'))
  await world.settle()
  assert.equal(await count(world, "decision where outcome = 'held'"), 60)
  assert.deepEqual(await heldContents(world), [])
  await world.content('BAD', 'two')
  await world.sight([{ did: bob, bytes: 'two', rkey: 'a' }])
  await world.settle()
  const [acted] = await world.db<{ id: number }[]>`select id from case_file where state = 'acted'`
  const { principal } = world
  await decideCase(world.db, {
    caseNumber: acted?.id ?? 0,
    verb: 'confirm',
    principal,
    nowMs: world.clock(),
  })
  world.advance(1000)
  await world.sight(
    Array.from({ length: 80 }, (_, n) => ({ did: didOf(n), bytes: 'two', rkey: 'b' })),
  )
  await world.settle()
  assert.equal(await count(world, "decision where reason = 'case-confirmed'"), 80)
  assert.deepEqual(await heldContents(world), [])
})
