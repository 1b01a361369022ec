// The service under what happens on a bad day: killed at any moment, stopped and woken, its connections cut.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startCrashWorld } from '../testing/crash-world.ts'
import type { Service } from '../testing/crash-world.ts'

const isLong = process.env['BLOBWATCH_TEST_LONG'] === '1'
const seed = Number(process.env['BLOBWATCH_TEST_SEED'] ?? 20261121)
const world = await startCrashWorld()
after(() => world[Symbol.asyncDispose]())

/** Between a kill while a call is under way and the next look, the PDS may have answered nobody: set twice at most. */
const setsMax = 2

test('killed at random moments, loses nothing and does nothing for good twice', async (t) => {
  const rounds = isLong ? 50 : 5
  const random = mulberry(seed)
  t.diagnostic(`seed ${seed}, ${rounds} rounds`)
  for (let round = 0; round < rounds; round += 1) {
    const doomed = world.start()
    await world.post(2, 1)
    await sleep(random() * 2500)
    doomed.kill('SIGKILL')
    await doomed.ended()
    await world.expireLeases()
    await spareTheThirdCrash()
  }
  const last = world.start()
  await world.leads(last)
  await world.done(last)
  await world.check(setsMax)
  last.kill('SIGTERM')
  assert.deepEqual(await last.ended(), { code: 0, signal: null }, last.output())
})

/** A picture that was in hand at three kills is given up as the cause of them, rightly: on a slow machine it never is. */
async function spareTheThirdCrash(): Promise<void> {
  const twice = await world.admin`
    select from blobwatch.job where kind = 'scan' and crashes + (lease_until is not null)::integer >= 2`
  if (twice.length === 0) return
  const service = world.start()
  await world.leads(service)
  await world.done(service)
  service.kill('SIGTERM')
  await service.ended()
}

test('told to stop under load, it ends in order within ten seconds and leaves no lease behind', async () => {
  const service = world.start()
  await world.leads(service)
  await world.post(4, 2)
  service.kill('SIGTERM')
  assert.deepEqual(await service.ended(10_000), { code: 0, signal: null }, service.output())
  const leases = await world.admin`
    select from blobwatch.job where lease_until is not null
    union all select from blobwatch.action where state = 'sending'`
  assert.equal(leases.length, 0)
  const next = world.start()
  await world.leads(next)
  await world.done(next)
  await world.check(setsMax)
  next.kill('SIGTERM')
  await next.ended()
})

test('told to stop while Postgres says nothing, it ends within ten seconds all the same', async () => {
  const service = world.start()
  await world.leads(service)
  const backends = await world.admin<{ pid: number }[]>`
    select pid from pg_stat_activity
    where datname = current_database() and application_name ~ ${` ${service.pid}$`}`
  for (const { pid } of backends) process.kill(pid, 'SIGSTOP')
  try {
    service.kill('SIGTERM')
    assert.deepEqual(await service.ended(12_000), { code: 75, signal: null }, service.output())
  } finally {
    for (const { pid } of backends) process.kill(pid, 'SIGCONT')
  }
})

test('its connections to Postgres cut again and again, nothing is lost; where it cannot go on it ends with 70 and is started again', async (t) => {
  let service = world.start()
  let restarts = 0
  await world.leads(service)
  const cuts = isLong ? 200 : 6
  const posting = world.post(4, 2)
  for (let cut = 0; cut < cuts; cut += 1) {
    await sleep(300)
    await world.admin`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name ~ ${` ${service.pid}$`}`
    if (service.isAlive()) continue
    service = await startAgain(service)
    restarts += 1
  }
  await posting
  await sleep(1000)
  if (!service.isAlive()) service = await startAgain(service)
  // A claim whose answer was lost is held by nobody.
  await world.expireLeases()
  await world.done(service)
  await world.check(setsMax)
  t.diagnostic(`${cuts} cuts, ${restarts} restarts`)
  service.kill('SIGTERM')
  assert.deepEqual(await service.ended(), { code: 0, signal: null }, service.output())
})

test('of two processes one leads; when it is stopped the other takes over, and when it wakes it writes nothing', async (t) => {
  const rounds = isLong ? 5 : 1
  const first = world.start()
  await world.leads(first)
  const second = world.start()
  await world.post(2, 1)
  await world.done(first)
  assert.ok((await world.leaders()).every((leader) => leader.pid === first.pid))
  let [leading, waiting] = [first, second]
  for (let round = 0; round < rounds; round += 1) {
    leading.kill('SIGSTOP')
    await world.leads(waiting)
    await world.expireLeases()
    const fences = await epochs()
    await world.post(2, 1)
    await world.done(waiting)
    leading.kill('SIGCONT')
    await world.post(2, 1)
    await world.done(waiting)
    // On a machine that is short of time the lead may move once more, by the lock and with a new fence; never without.
    const isSame = JSON.stringify(await epochs()) === JSON.stringify(fences)
    const leaders = await world.leaders()
    if (isSame) assert.ok(leaders.every((leader) => leader.pid === waiting.pid))
    else t.diagnostic('the lead moved once more')
    await world.check(setsMax)
    ;[leading, waiting] = [waiting, leading]
  }
  t.diagnostic(`${rounds} rounds`)
  for (const service of [first, second]) {
    service.kill('SIGTERM')
    assert.deepEqual(await service.ended(), { code: 0, signal: null }, service.output())
  }
})

/** Crash-only: what nobody caught ends the process with 70, and its supervisor starts it again. */
async function startAgain(service: Service): Promise<Service> {
  assert.deepEqual(await service.ended(), { code: 70, signal: null }, service.output())
  return world.start()
}

async function epochs(): Promise<unknown> {
  return [
    ...(await world.admin`
      select epoch from blobwatch.cursor union all select epoch from blobwatch.ledger_head`),
  ].map((row) => row['epoch'])
}

function mulberry(start: number): () => number {
  let state = start | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
