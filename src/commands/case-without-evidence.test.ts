import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateIdentity, identityToRecipient } from 'age-encryption'
import { alice, createWorld } from '../testing/world.ts'
import { commandLine } from './run-in-test.ts'

test('a case from before the vault is confirmed only by somebody who says that nothing was kept', async (t) => {
  const recipient = async () => identityToRecipient(await generateIdentity())
  // The case is opened while there is no vault.
  const world = await createWorld(t)
  const blobwatch = await commandLine(world.database)
  const env = {
    BLOBWATCH_EVIDENCE_RECIPIENTS: await recipient(),
    BLOBWATCH_EVIDENCE_SERVICE_RECIPIENT: await recipient(),
    BLOBWATCH_EVIDENCE_DIR: `${blobwatch.dir}/vault`,
  }
  await world.bank('BAD', { mode: 'act', policy: { preserve: true } })
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  const refused = await blobwatch(['case', 'confirm', '1'], { env })
  assert.equal(refused.code, 2)
  assert.match(refused.err, /nothing was kept of 1 blob in case 1/)
  const said = await blobwatch(['case', 'confirm', '1', '--without-evidence'], { env })
  assert.equal(said.code, 0, said.err)
  await world.sequence()
  const [entry] = await world.db<{ pub: object }[]>`
    select convert_from(bytes, 'UTF8')::jsonb->'pub' as pub from ledger_entry
    where convert_from(bytes, 'UTF8')::jsonb->>'type' = 'evidence.missed'`
  assert.deepEqual(entry?.pub, { case: 1, reason: 'confirmed-without', blobs: 1 })
})

test('where no bank asks for evidence, or there is no vault, nobody is asked', async (t) => {
  const world = await createWorld(t)
  const blobwatch = await commandLine(world.database)
  await world.bank('BAD', { mode: 'hold' })
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  assert.equal((await blobwatch(['case', 'confirm', '1'])).code, 0)
})
