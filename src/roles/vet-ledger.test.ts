import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RetryableError } from '../domain/errors.ts'
import type { Anchor } from '../ledger/anchor/anchor.ts'
import { newestCheckpoint, recoverLedger } from '../steps/checkpoints.ts'
import { principalId } from '../steps/withdraw.ts'
import { toHex } from '../ledger/bytes.ts'
import { createCheckpointer } from './checkpoint.ts'
import { optionsOf, signal, vet } from './checkpoint-in-test.ts'
import { ledgerInTest, logInTest } from './ledger-in-test.ts'
import { LedgerRefusedError } from './vet-ledger.ts'

describe('a leader', () => {
  const holds = (size: number, root?: Uint8Array): Anchor => ({
    kind: 'witness',
    who: 'w.example',
    everyMs: 0,
    newest: async () => ({ size, ...(root && { root }) }),
    submit: async () => ({ kind: 'failed', who: 'w.example', reason: 'not asked' }),
  })

  test('appends to a ledger that is the one signed, longer or not', async (t) => {
    const ledger = await ledgerInTest(t)
    await ledger.grow(2)
    assert.equal((await vet(ledger)).size, 2)
    await createCheckpointer(await ledger.lead(), optionsOf(ledger)).round(signal)
    assert.equal((await vet(ledger)).size, 2)
    await ledger.grow(300)
    assert.equal((await vet(ledger, [holds(302), holds(1)])).size, 302)
  })

  test('refuses a database that was set back to any size, and one whose entries are others', async (t) => {
    const ledger = await ledgerInTest(t)
    await createCheckpointer(await ledger.grow(600), optionsOf(ledger)).round(signal)
    for (const size of [599, 513, 512, 511, 257, 256, 1, 0]) {
      await ledger.setBack(size)
      await assert.rejects(vet(ledger), (error) => {
        assert.ok(error instanceof LedgerRefusedError)
        assert.match(error.message, new RegExp(`has ${size} entries .* has signed 600`))
        return true
      })
    }
    // Another history of the same length.
    await ledger.grow(600)
    await assert.rejects(vet(ledger), /are not those that its signer has signed/)
  })

  test('refuses what a witness knows to be longer or another, also when the signer was set back too', async (t) => {
    const ledger = await ledgerInTest(t)
    await ledger.grow(5)
    await assert.rejects(vet(ledger, [holds(6)]), /w\.example holds 6/)
    await assert.rejects(
      vet(ledger, [holds(4, new Uint8Array(32))]),
      /are not those that w\.example holds/,
    )
    const away: Anchor = {
      ...holds(1),
      newest: async () => Promise.reject(new RetryableError('away')),
    }
    assert.equal((await vet(ledger, [away])).size, 5)
  })

  test('refuses when the signer knows nothing of a ledger that was signed', async (t) => {
    const ledger = await ledgerInTest(t)
    const other = await ledgerInTest(t)
    await createCheckpointer(await ledger.grow(5), optionsOf(ledger)).round(signal)
    const forgot = { ...ledger, signer: { ...other.signer, head: async () => undefined } }
    await assert.rejects(vet(forgot), /the signer knows nothing of/)
  })

  test('after a recovery goes on under another name; the database from before is refused for ever', async (t) => {
    const ledger = await ledgerInTest(t)
    const { app } = ledger.database
    await createCheckpointer(await ledger.grow(20), optionsOf(ledger)).round(signal)
    await ledger.setBack(12)
    const head = await ledger.lead()
    const signed = await ledger.signer.head(logInTest)
    const done = await recoverLedger(app, {
      head,
      log: `${logInTest}/recovered-2`,
      previousSize: 20,
      previousRoot: toHex(signed!.root),
      principal: await principalId(app, { kind: 'person', name: 'tester', nowMs: Date.now() }),
      reason: 'a disk was lost',
      nowMs: Date.now(),
    })
    assert.ok(done.labelSeq > 1_700_000_000_000)
    const grown = await ledger.grow(3)
    assert.equal(grown.log, `${logInTest}/recovered-2`)
    const [entry] = await app<{ doc: { type: string; log: string; pub: object } }[]>`
      select convert_from(bytes, 'UTF8')::jsonb as doc from ledger_entry where seq = 12`
    assert.equal(entry?.doc.type, 'log.recovered')
    assert.equal(entry.doc.log, `${logInTest}/recovered-2`)
    assert.deepEqual(entry.doc.pub, {
      previousLog: logInTest,
      previousSize: 20,
      previousRoot: toHex(signed!.root),
      size: 12,
      labelSeq: done.labelSeq,
    })
    await createCheckpointer(await vet(ledger), optionsOf(ledger)).round(signal)
    assert.equal((await newestCheckpoint(app))?.origin, `${logInTest}/recovered-2`)
    await ledger.superuser(`update ledger_head set log = '${logInTest}'`)
    await assert.rejects(vet(ledger), /goes on as .*recovered-2/)
  })
})
