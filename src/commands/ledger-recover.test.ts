import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCheckpointer } from '../roles/checkpoint.ts'
import { ledgerInTest, logInTest } from '../roles/ledger-in-test.ts'
import { openLeadSession } from '../roles/lead-session.ts'
import { lockKeys } from '../service-locks.ts'
import { silentLog } from '../testing/database.ts'
import { commandLine } from './run-in-test.ts'

const { signal } = new AbortController()

test('a database that lost signed entries goes on only when somebody says so, and why', async (t) => {
  const ledger = await ledgerInTest(t)
  const { database } = ledger
  const blobwatch = await commandLine(database)
  const env = {
    BLOBWATCH_DATA_DIR: ledger.dataDir,
    BLOBWATCH_LOG_NAME: logInTest,
    BLOBWATCH_DATA_KEY: '11'.repeat(32),
  }
  const recover = (...more: string[]) => blobwatch(['ledger', 'recover', ...more], { env })
  const sign = async () =>
    createCheckpointer(await ledger.lead(), {
      db: database.app,
      signer: ledger.signer,
      anchors: [],
      policy: undefined,
      clock: Date.now,
      log: { warn() {}, info() {} },
      onSigned: () => undefined,
    }).round(signal)
  await ledger.grow(20)
  await sign()
  assert.match((await recover()).out, /nothing has to be recovered/)

  await ledger.setBack(12)
  const told = await recover()
  assert.equal(told.code, 0)
  assert.match(told.out, /has 12 entries .* has signed 20/)
  assert.match(told.out, /8 signed entries are missing here/)
  assert.equal((await recover('--yes')).code, 2, 'a reason is needed')
  const { json } = await recover('--json')
  assert.deepEqual(
    { ...(json() as object), why: '' },
    { recovered: false, why: '', size: 12, signed: 20, lost: 8, next: `${logInTest}/recovered-2` },
  )
  const [before] = await database.app<{ log: string }[]>`select log from ledger_head`
  assert.equal(before?.log, logInTest, 'so far nothing was changed')

  const done = await recover('--reason', 'a disk was lost', '--yes')
  assert.equal(done.code, 0, done.err)
  assert.match(done.out, /goes on as .*recovered-2/)
  assert.match(done.out, /ledger key --recovered 2/)
  await ledger.grow(1)
  await sign()
  assert.match((await recover()).out, /nothing has to be recovered/)
  const verified = await blobwatch(['ledger', 'verify'], { env })
  assert.notEqual(verified.code, 1, verified.out)
  assert.match(verified.out, /12 to 19 of .* are lost/)

  // A second loss gets the next name, also when the database comes from before the first recovery.
  await ledger.setBack(5)
  await ledger.superuser(`update ledger_head set log = '${logInTest}'`)
  const again = await recover('--json')
  assert.equal((again.json() as { next: string }).next, `${logInTest}/recovered-3`)
})

test('beside a service that leads the ledger nothing is recovered', async (t) => {
  const ledger = await ledgerInTest(t)
  await ledger.grow(1)
  const blobwatch = await commandLine(ledger.database)
  await using session = await openLeadSession(ledger.database.appAddress, {
    applicationName: 'test leader',
    log: silentLog,
  })
  // The leader's session is kept awake, as a leader does.
  const awake = setInterval(() => void session.sql`select 1`.catch(() => undefined), 1000)
  t.after(() => clearInterval(awake))
  await session.sql`select pg_advisory_lock(${lockKeys.ledger})`
  const refused = await blobwatch(['ledger', 'recover'], {
    env: {
      BLOBWATCH_DATA_DIR: ledger.dataDir,
      BLOBWATCH_LOG_NAME: logInTest,
      BLOBWATCH_DATA_KEY: '11'.repeat(32),
    },
  })
  assert.equal(refused.code, 75)
  assert.match(refused.err, /a running service leads the ledger/)
  clearInterval(awake)
})
