import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { testDatabase } from '../testing/database.ts'
import { applyPage, claimExchanges, endExchange } from '../steps/exchange.ts'
import { principalId } from '../steps/withdraw.ts'
import { commandLine } from './run-in-test.ts'

const database = await testDatabase()
const run = await commandLine(database)
const manifest = join(run.dir, 'listed.json')
await writeFile(
  manifest,
  JSON.stringify({
    ...{ blobwatch: 1, kind: 'exchange', name: 'listed', version: '1', command: ['true'] },
  }),
)
const env = { BLOBWATCH_PLUGINS: manifest }
const exchange = (...words: string[]) => run(['exchange', ...words], { env })

type Listed = { exchanges: Record<string, unknown>[] }
async function listed(): Promise<Record<string, unknown>> {
  const [first] = ((await exchange('list', '--json')).json() as Listed).exchanges
  return first ?? assert.fail('there is none')
}

async function doctorSays(settings: Record<string, string> = env): Promise<string> {
  const words = ['doctor', '--only', 'banks', '--offline', '--json']
  const { checks } = (await run(words, { env: settings })).json() as {
    checks: { id: string; level: string; line: string }[]
  }
  const found = checks.find(({ id }) => id === 'exchanges')
  return `${found?.level}: ${found?.line}`
}

test('an exchange is made with its bank, switched off and on, and fetched when a person says so', async () => {
  assert.match((await exchange('list')).out, /There is no exchange: exchange create NAME/)
  assert.equal(await doctorSays(), 'skip: no exchange is set up')
  const unknown = await exchange('create', 'LIST', '--api', 'ncmec')
  assert.deepEqual([unknown.code, unknown.err.includes('it names listed')], [2, true])
  const wrong = await exchange('create', 'a b', '--api', 'listed')
  assert.equal(wrong.code, 2)
  const made = await exchange('create', 'LIST', '--api', 'listed', '--json')
  assert.deepEqual(
    [made.code, made.json()],
    [0, { name: 'LIST', api: 'listed', class: 'restricted', enabled: true }],
  )
  const twice = await exchange('create', 'LIST', '--api', 'listed')
  assert.deepEqual([twice.code, twice.err], [2, 'Bank already exists'])
  const { state, nextFetchAt } = await listed()
  assert.deepEqual([state, nextFetchAt], ['new', null])
  assert.match((await run(['bank', 'list'])).out, /LIST.*observe.*restricted/)
  assert.match((await run(['exchange', 'list'])).out, /no plug-in here is called listed/)
  assert.match(await doctorSays(), /^ok: 1 exchange, 0 of them off/)
  assert.match(await doctorSays({}), /^note: 1 exchange of 1 not fetched: no plug-in/)
  const broken = { BLOBWATCH_PLUGINS: join(run.dir, 'not-there.json') }
  assert.match(await doctorSays(broken), /^FAIL: .*cannot be read/)

  assert.match((await exchange('disable', 'LIST')).out, /^exchange LIST is off/)
  assert.equal((await listed())['state'], 'off')
  const off = await exchange('fetch', 'LIST')
  assert.deepEqual([off.code, /exchange enable LIST/.test(off.err)], [2, true])
  assert.equal((await exchange('enable', 'LIST')).code, 0)
  const asked = await exchange('fetch', 'LIST', '--allow-deletions', '--json')
  assert.deepEqual(asked.json(), { name: 'LIST', allowDeletions: true, fromStart: false })
  for (const verb of ['enable', 'disable', 'fetch'])
    assert.equal((await exchange(verb, 'NOT_THERE')).code, 2, verb)
})

test('the list shows what came of it, and what a person has to do', async () => {
  const db = database.app
  const nowMs = Date.now()
  const principal = await principalId(db, { kind: 'system', name: 'blobwatch', nowMs })
  const [claimed] = await claimExchanges(db, { apis: ['listed'], limit: 1, nowMs })
  assert.ok(claimed)
  assert.match((await exchange('list')).out, /is being fetched/)
  const { pages } = claimed
  await applyPage(db, {
    ...{ claimed, pages, checkpoint: 'x', more: false, askedAtMs: nowMs },
    rows: [
      {
        k: 'a',
        s: [{ type: 'md5', value: '0cc175b9c0f1b6a831c399e269772661' }],
        t: ['red'],
      },
    ],
    ...{ left: { 'unknown-type': 3 }, principal, nowMs },
  })
  const end = { claimed, nextAtMs: nowMs + 60_000, principal, nowMs }
  await endExchange(db, { ...end, ok: false, reason: 'too-many-deletions' })
  const { out } = await exchange('list')
  assert.match(out, /held: it would delete too much \(exchange fetch LIST --allow-deletions\)/)
  assert.match(out, /never .* 1 .* 3 unknown-type/)
  assert.match(await doctorSays(), /^warn: 1 exchange held/)
  await database.owner`update exchange set fetch_reason = 'timeout'`
  assert.match(await doctorSays(), /^warn: 1 exchange of 1 failing/)
  assert.match((await exchange('list')).out, /failed once: timeout/)
  await database.owner`
    update exchange set fetch_reason = null, failures = 0, succeeded_at = now() - interval '61 minutes'`
  assert.match(await doctorSays(), /^warn: 1 exchange of 1 not fetched for long/)
  assert.ok(!out.includes('0cc175b9'))
})

test('an open one may have a label, and no list may be called as an exchange is', async () => {
  assert.equal((await exchange('create', 'SPAM', '--api', 'listed', '--class', 'open')).code, 0)
  const set = await run(['bank', 'set', 'SPAM', '--label', 'spam', '--actions', 'label'])
  assert.equal(set.code, 0, set.err)
  assert.match((await run(['bank', 'show', 'SPAM'])).out, /class +open, confidential/)
  const file = join(run.dir, 'exchange.csv')
  await writeFile(file, 'id,md5\na,0cc175b9c0f1b6a831c399e269772661\n')
  const list = await run(['bank', 'import', 'SPAM', file])
  assert.deepEqual(
    [list.code, list.err],
    [2, 'a list is not called exchange: name it with --source'],
  )
  assert.equal((await exchange('remove', 'SPAM', '--with-bank')).code, 0)
})

test('what is removed takes its bank with it, when that was said', async () => {
  const unsaid = await exchange('remove', 'LIST')
  assert.deepEqual([unsaid.code, /--with-bank/.test(unsaid.err)], [2, true])
  assert.equal((await exchange('remove', 'LIST', '--with-bank')).code, 0)
  assert.match((await exchange('list')).out, /There is no exchange/)
  assert.match((await run(['bank', 'list'])).out, /There is no bank yet/)
  assert.equal((await exchange('remove', 'LIST', '--with-bank')).code, 2)
})
