import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBell } from '../queue/bell.ts'
import { leadLedger } from '../steps/append.ts'
import type { Fact } from '../steps/note-facts.ts'
import { testDatabase } from '../testing/database.ts'
import { createRecorder } from './recorder.ts'
import { createDataKey, generateDataKey } from './seal.ts'
import { createSequencer } from './sequencer.ts'

const fact = (idem: string): Fact => ({ type: 'test', idem, pub: { is: idem }, atMs: Date.now() })

test('a caller goes on when its fact is an entry, and the same fact twice is one entry', async (t) => {
  const { app: db } = await testDatabase(t)
  const [intake, appended] = [createBell(), createBell()]
  await using recorder = createRecorder({ db, clock: Date.now, intake, appended })
  const stop = new AbortController()
  const sequencer = createSequencer({
    db,
    clock: Date.now,
    dataKey: createDataKey(generateDataKey()),
    limits: {
      takedownsPerDay: 1,
      labelsPerDay: 1,
      actionsPerContent: 1,
      floodBlobs: 1_000_000,
      floodAccounts: 1_000_000,
      floodFactor: 5,
    },
    wait: (ms, signal) => intake.wait(ms, signal),
    onAppended: () => appended.ring(),
  })
  const running = sequencer.run(await leadLedger(db, 'test/recorder'), stop.signal)
  const facts = [...Array.from({ length: 50 }, (_, n) => fact(`fact ${n}`)), fact('fact 7')]
  await Promise.all(
    facts.map(async (one) => {
      await recorder.record(one)
      const entries = await db`
        select from ledger_entry where convert_from(bytes, 'UTF8')::jsonb #>> '{pub,is}' = ${one.idem}`
      assert.equal(entries.length, 1)
    }),
  )
  stop.abort()
  await running
})

test('nobody goes on while the ledger does not move, and the fact waits', async (t) => {
  const { app: db } = await testDatabase(t)
  await using recorder = createRecorder({
    db,
    clock: Date.now,
    intake: createBell(),
    appended: createBell(),
    waitMs: 50,
  })
  await assert.rejects(recorder.record(fact('waits')), /the ledger does not move/)
  assert.equal((await db`select from ledger_intake where idem = 'waits'`).length, 1)
})

test('a fact that the database refuses is refused to its caller, and the next one is taken', async (t) => {
  const { app: db } = await testDatabase(t)
  const recorder = createRecorder({
    db,
    clock: Date.now,
    intake: createBell(),
    appended: createBell(),
    waitMs: 50,
  })
  // Text of Postgres holds no NUL.
  await assert.rejects(recorder.record({ ...fact('bad'), pub: { text: '\u0000' } }))
  const next = recorder.record(fact('good'))
  next.catch(() => undefined)
  while ((await db`select from ledger_intake where idem = 'good'`).length === 0);
  await recorder[Symbol.asyncDispose]()
  await assert.rejects(next, /the process stops|does not move/)
})
