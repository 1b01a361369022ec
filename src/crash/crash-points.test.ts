// The service is killed at every named place, started again, and everything has to be there, once.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { crashPoints } from '../telemetry/crash-point.ts'
import { startCrashWorld } from '../testing/crash-world.ts'

const isLong = process.env['BLOBWATCH_TEST_LONG'] === '1'
const world = await startCrashWorld()
after(() => world[Symbol.asyncDispose]())

/** A person's commands, the keepers of heads, or a service of other settings pass these. */
const elsewhere = [
  'withdraw:before',
  'withdraw:after',
  'import-stage:after',
  'import-apply:before',
  'import-apply:after',
  'import-hma:before',
  'import-hma:after',
  // With an exchange: src/roles/fetch-exchanges.test.ts.
  'exchange-page:before',
  'exchange-page:after',
  'keep-head:before',
  'keep-head:after',
  'key-set:before',
  'key-set:moved',
  'key-set:resealed',
  'erase:before',
  'erase:after',
  // Once an account: src/ledger/account-keys.test.ts.
  'account-keys:before',
  'account-keys:after',
  // With a vault: src/crash/evidence.test.ts.
  'evidence:planned',
  'evidence:stored',
  'evidence:removed',
  'note:after',
]
const counts = isLong ? [1, 2, 3] : [1]

for (const name of crashPoints.filter((point) => !elsewhere.includes(point))) {
  for (const count of counts) {
    test(`killed at ${name} the ${count}. time, loses nothing and does nothing twice`, async () => {
      const doomed = world.start(`${name}:${count}`)
      await world.post(3, 2)
      // Five posts may be one batch: a later pass of the place needs later batches.
      const end = doomed.ended()
      for (let more = 0; more < (count > 1 ? 20 : 0); more += 1) {
        const waited = await Promise.race([sleep(500).then(() => true), end.then(() => false)])
        if (!waited) break
        await world.post(1, 1)
      }
      // One that lives on would do the work of the next.
      await end.finally(() => doomed.kill('SIGKILL')).catch(() => undefined)
      assert.deepEqual(await end, { code: null, signal: 'SIGKILL' }, doomed.output())
      await world.expireLeases()
      const next = world.start()
      await world.leads(next)
      await world.done(next)
      next.kill('SIGTERM')
      assert.deepEqual(await next.ended(), { code: 0, signal: null }, next.output())
      await world.check()
    })
  }
}
