import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RetryableError } from '../domain/errors.ts'
import { createWorld } from '../testing/world.ts'
import { noteAndWait } from './note-and-wait.ts'

function noteOf(idem: string) {
  return {
    step: 'note_fact_v1',
    payload: { type: 'test', pub: { n: 1 }, now: new Date() },
    idem,
    signal: new AbortController().signal,
  }
}

test('returns what the step answered once there is an entry, and not before', async (t) => {
  const world = await createWorld(t)
  let isOver = false
  const noted = noteAndWait(world.db, noteOf('a')).finally(() => (isOver = true))
  while ((await world.database.owner`select from ledger_intake where idem = 'a'`).length === 0);
  assert.equal(isOver, false)
  await world.sequence()
  assert.deepEqual(await noted, [{ result: 'noted' }])
  const { documents } = await world.ledger()
  assert.equal(documents.filter(({ type }) => type === 'test').length, 1)
})

test('throws when no entry comes in time or the caller stops, and the note stays', async (t) => {
  const world = await createWorld(t)
  const input = noteOf('b')
  await assert.rejects(noteAndWait(world.db, { ...input, waitMs: 150 }), RetryableError)
  const signal = AbortSignal.abort()
  await assert.rejects(noteAndWait(world.db, { ...input, idem: 'c', signal }), RetryableError)
  await world.sequence()
  const { documents } = await world.ledger()
  assert.equal(documents.filter(({ type }) => type === 'test').length, 2)
})

test('a step that refuses is not waited for', async (t) => {
  const world = await createWorld(t)
  const step = 'note_evidence_read_v1'
  const payload = {
    evidence: 7,
    verb: 'opened',
    principal: world.principal,
    reason: 'x',
    now: new Date(),
  }
  await assert.rejects(
    noteAndWait(world.db, { ...noteOf('d'), step, payload }),
    /there is no evidence 7/,
  )
})
