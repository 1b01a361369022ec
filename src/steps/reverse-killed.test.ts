// A reversal killed between two batches and inside one: it goes on where it was, loses nothing and doubles nothing.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../db/client.ts'
import { silentLog } from '../testing/database.ts'
import { createWorld, didOf } from '../testing/world.ts'
import type { World } from '../testing/world.ts'
import { previewReversal, runReversal, startReversal } from './reverse.ts'

const src = join(import.meta.dirname, '..')
const accounts = 5
const lock = 42

/** Two actions for each account, and a reversal that has only been started. */
async function started(t: Parameters<typeof createWorld>[0]) {
  const world = await createWorld(t)
  await world.bank('BAD')
  const content = await world.content('BAD', 'one')
  const dids = Array.from({ length: accounts }, (_, n) => didOf(n))
  await world.sight(dids.map((did) => ({ did, bytes: 'one', rkey: 'a' })))
  await world.settle()
  const { db, principal } = world
  const nowMs = world.clock()
  const scope = { content, as: { content } }
  const preview = await previewReversal(db, { scope, nowMs })
  const input = { scope, disables: true, preview, principal, nowMs }
  return { world, reversal: (await startReversal(db, input)).reversal }
}

/** A process that runs the reversal, three actions a batch. */
function runElsewhere(world: World, reversal: number, crash?: { point: string; count: number }) {
  const { principal } = world
  const script = `
    import { connect } from ${JSON.stringify(join(src, 'db/client.ts'))}
    import { runReversal } from ${JSON.stringify(join(src, 'steps/reverse.ts'))}
    import { armCrashPoint } from ${JSON.stringify(join(src, 'telemetry/crash-point.ts'))}
    const log = { debug() {}, info() {}, warn() {}, error() {} }
    const address = ${JSON.stringify(world.database.appAddress)}
    const db = connect(address, { max: 1, applicationName: 'doomed', log })
    ${crash ? `armCrashPoint(${JSON.stringify(crash.point)}, ${crash.count})` : ''}
    const input = { reversal: ${reversal}, disables: true, principal: ${principal}, batch: 3 }
    await runReversal(db, { ...input, clock: () => ${world.clock()} })
    await db.end()`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = once(child, 'exit').then(([code, signal]) => (signal ?? code) as string | number)
  return { child, ended }
}

/** Ends it here, and looks: each action undone once, the content disabled once, the ledger whole. */
async function goOnAndLook(world: World, reversal: number): Promise<void> {
  const { db, principal, clock } = world
  const run = await runReversal(db, { reversal, disables: true, principal, clock, batch: 3 })
  assert.equal(run.ended, true)
  await world.refreshBanks()
  await world.settle()
  assert.deepEqual(world.pds.takenDown(), [])
  const undos = await db<{ undoes: number }[]>`select undoes from action where not applied`
  assert.equal(undos.length, accounts * 2)
  assert.equal(new Set(undos.map((row) => row.undoes)).size, accounts * 2)
  const [kept] = await db<{ n: number }[]>`
    select count(*) as n from reversal_action where outcome = 'reversing' and undo is not null`
  assert.equal(kept?.n, accounts * 2)
  const { documents, faults, openIntents } = await world.ledger()
  assert.deepEqual([faults, openIntents], [[], 0])
  const of = (type: string) => documents.filter((entry) => entry.type === type)
  assert.deepEqual([of('reversal.ended').length, of('content.set').length], [1, 1])
}

// The first statement disables the content, four undo what it caused.
for (const point of ['withdraw:before', 'withdraw:after'])
  for (const count of [1, 2, 4, 5])
    test(`killed at ${point} the ${count}. time, it goes on where it was`, async (t) => {
      const { world, reversal } = await started(t)
      const { ended } = runElsewhere(world, reversal, { point, count })
      assert.equal(await ended, 'SIGKILL')
      await goOnAndLook(world, reversal)
    })

for (const fate of ['is written all the same', 'is lost with its connection'] as const)
  test(`killed inside a batch that ${fate}, it goes on where it was`, async (t) => {
    const { world, reversal } = await started(t)
    const { owner, ownerAddress, superuserAddress } = world.database
    await owner.unsafe(`
      create function wait_for_test() returns trigger language plpgsql as
        'begin perform pg_advisory_xact_lock_shared(${lock}); return new; end';
      create trigger waits after insert on reversal_action for each row execute function wait_for_test()`)
    const options = { max: 1, applicationName: 'test holder', log: silentLog }
    const holder = connect(ownerAddress, options)
    const admin = connect(superuserAddress, options)
    t.after(() => Promise.all([holder.end({ timeout: 1 }), admin.end({ timeout: 1 })]))
    await holder`select pg_advisory_lock(${lock})`
    const { child, ended } = runElsewhere(world, reversal)
    const inside = async () =>
      (
        await admin`select pid from pg_stat_activity where application_name like 'doomed%' and datname = current_database()`
      ).length > 0
    const waiting = async () =>
      (
        await admin`select from pg_locks where locktype = 'advisory' and objid = ${lock} and not granted`
      ).length > 0
    while (!(await waiting())) await sleep(20)
    child.kill('SIGKILL')
    assert.equal(await ended, 'SIGKILL')
    if (fate === 'is lost with its connection')
      await admin`
        select pg_terminate_backend(pid) from pg_stat_activity
        where application_name like 'doomed%' and datname = current_database()`
    await holder`select pg_advisory_unlock(${lock})`
    while (await inside()) await sleep(20)
    const [position] = await world.db<{ through: number }[]>`select through from reversal`
    assert.equal(position?.through, fate === 'is written all the same' ? 3 : 0)
    await goOnAndLook(world, reversal)
  })
