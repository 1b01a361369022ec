import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { noOtherTypes } from '../domain/other-type.ts'
import { benignHashes } from '../banks/benign-hashes.ts'
import { sha256Of } from '../banks/bank-in-test.ts'
import { describeAddress } from '../db/address.ts'
import type { ExchangeApis, ExchangeFetch, ExchangeUpdate } from '../domain/ports.ts'
import { createExchange, readExchange, setExchange } from '../exchanges/exchange-store.ts'
import { syncLimits } from '../exchanges/sync.ts'
import { parseManifest } from '../plugins/manifest.ts'
import { openExchangeApis } from '../service-exchanges.ts'
import { openPluginParts } from '../service-plugins.ts'
import { setCredentials } from '../api/hma/exchange-store.ts'
import { createDataKey } from '../ledger/seal.ts'
import { createLog } from '../telemetry/log.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { createTelemetry } from '../telemetry/events.ts'
import { alice, createWorld, digestOfBytes } from '../testing/world.ts'
import { exchangeInTest, gone, put, shown } from './exchange-in-test.ts'
import type { ExchangeInTest } from './exchange-in-test.ts'
import { claimFetches, fetchExchange, fetchLimits } from './fetch-exchanges.ts'

const minuteMs = 60_000
const ourKey = createDataKey('5a'.repeat(32))
const fixture = join(import.meta.dirname, '../exchanges/fixtures/listed-exchange.ts')
const main = join(import.meta.dirname, '../main.ts')

/** A programme in memory: what it answers by the number of pages that were told. */
function apisOf(answer: (at: number) => ExchangeFetch | Promise<ExchangeFetch>): ExchangeApis {
  const client = {
    fetch: async (checkpoint: unknown) => answer(Number(checkpoint ?? 0)),
    [Symbol.asyncDispose]: async () => undefined,
  }
  return new Map([['listed', () => client]])
}

function pagesOf(...pages: ExchangeUpdate[][]): ExchangeApis {
  return apisOf((at) => ({
    ...{ kind: 'updates', updates: pages[at] ?? [] },
    ...{ checkpoint: Math.min(at + 1, pages.length), more: at + 1 < pages.length },
  }))
}

function roleOf(
  { db, now: clock }: Pick<ExchangeInTest, 'db' | 'now'>,
  exchangeApis: ExchangeApis,
  stop = new AbortController(),
  dataKey = ourKey,
) {
  const lines: string[] = []
  const log = createLog({ level: 'info', destination: { write: (line) => void lines.push(line) } })
  const metrics = createMetrics({ clock })
  const telemetry = createTelemetry({ log, metrics })
  const everyMs = 15 * minuteMs
  const options = {
    ...{ db, exchangeApis, dataKey, everyMs, clock, telemetry },
    others: noOtherTypes,
    onChanged: () => undefined,
  }
  return {
    lines,
    metrics,
    stop,
    claim: () => claimFetches(options, 5),
    /** Everything that is due. Returns how many. */
    async run(): Promise<number> {
      const claimed = await claimFetches(options, 5)
      await Promise.all(claimed.map((one) => fetchExchange(one, options, stop.signal)))
      return claimed.length
    },
  }
}

async function programme(t: TestContext, told: object) {
  const dir = await mkdtemp(join(tmpdir(), 'blobwatch-listed-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  // The program is another user and reads it.
  await chmod(dir, 0o755)
  const file = join(dir, 'pages.json')
  const manifest = join(dir, 'manifest.json')
  const tell = (now: object) => writeFile(file, JSON.stringify(now))
  await tell(told)
  const text = JSON.stringify({
    ...{ blobwatch: 1, kind: 'exchange', name: 'listed', version: '1', config: { file } },
    command: [process.execPath, '--no-warnings', fixture],
    limits: { memoryMb: 1024, wallMs: 20_000 },
  })
  await writeFile(manifest, text)
  const apis = () =>
    openExchangeApis([parseManifest(text, manifest)], () =>
      openPluginParts({ clock: Date.now, warn: () => undefined }),
    )
  return { tell, manifest, dir, apis }
}

describe('a plug-in of kind exchange', { timeout: 120_000 }, () => {
  test('fills its bank page by page, and goes on where it was the next time', async (t) => {
    const world = await exchangeInTest(t)
    const pages = [
      [put('a'), put('b')],
      [gone('a'), put('c', ['c'], ['spam'])],
    ]
    const listed = await programme(t, { pages })
    const role = roleOf(world, await listed.apis())
    assert.equal(await role.run(), 1)
    assert.deepEqual(await world.items(), { b: shown('b'), c: shown('c') })
    assert.equal(await role.run(), 0)
    await listed.tell({ pages: [...pages, [put('d')]] })
    world.pass(15 * minuteMs)
    assert.equal(await role.run(), 1)
    assert.deepEqual(Object.keys(await world.items()), ['b', 'c', 'd'])
    const counted = (name: 'blobwatch_exchange_items_total' | 'blobwatch_exchange_fetches_total') =>
      role.metrics.counts(name, 'outcome', ['added', 'removed', 'up-to-date', 'failed'])
    assert.deepEqual(await counted('blobwatch_exchange_items_total'), { added: 4, removed: 1 })
    assert.equal((await counted('blobwatch_exchange_fetches_total'))['up-to-date'], 2)
  })

  test('that fails is asked again after a wait that doubles, and at once after it did well', async (t) => {
    const world = await exchangeInTest(t)
    const listed = await programme(t, { pages: [[put('a')]], does: 'refuse' })
    const role = roleOf(world, await listed.apis())
    for (const wait of [minuteMs, 2 * minuteMs, 4 * minuteMs]) {
      assert.equal(await role.run(), 1)
      world.pass(wait - 1)
      assert.equal(await role.run(), 0)
      world.pass(1)
    }
    await listed.tell({ pages: [[put('a')]], does: 'crash' })
    assert.equal(await role.run(), 1)
    const { fetchReason, failures, upToDate } = await world.here()
    assert.deepEqual([fetchReason, failures, upToDate], ['ended', 4, false])
    await listed.tell({ pages: [[put('a')]] })
    world.pass(fetchLimits.retryMs.most)
    assert.equal(await role.run(), 1)
    assert.deepEqual([(await world.here()).failures, await world.items()], [0, { a: shown('a') }])
  })

  test('is handed the credentials that were set for its api, and no others', async (t) => {
    const world = await exchangeInTest(t)
    const { db } = world
    const listed = await programme(t, { pages: [[put('a')]], token: 'of the programme' })
    const apis = await listed.apis()
    const failsWith = async (role: ReturnType<typeof roleOf>) => {
      world.pass(fetchLimits.retryMs.most)
      assert.equal(await role.run(), 1)
      return (await world.here()).fetchReason
    }
    const values = { api_token: 'of the programme' }
    assert.equal(await failsWith(roleOf(world, apis)), 'refused')
    await setCredentials(db, { api: 'other', values, dataKey: ourKey, ...world.author() })
    assert.equal(await failsWith(roleOf(world, apis)), 'refused')
    await setCredentials(db, { api: 'listed', values, dataKey: ourKey, ...world.author() })
    const strange = roleOf(world, apis, undefined, createDataKey('a5'.repeat(32)))
    assert.equal(await failsWith(strange), 'credentials')
    const role = roleOf(world, apis)
    assert.equal(await failsWith(role), null)
    assert.deepEqual(await world.items(), { a: shown('a') })
    assert.ok(!role.lines.join('').includes('of the programme'))
  })

  test('is let go when the service stops, and somebody else goes on at once', async (t) => {
    const world = await exchangeInTest(t)
    const listed = await programme(t, { pages: [[put('a')]], does: 'hang' })
    const role = roleOf(world, await listed.apis())
    const running = role.run()
    while ((await world.here()).runningSince === null) await sleep(20)
    role.stop.abort()
    await running
    const { runningSince, failures, fetchOk } = await world.here()
    assert.deepEqual([runningSince, failures, fetchOk], [null, 0, null])
    await listed.tell({ pages: [[put('a')]] })
    assert.equal(await roleOf(world, await listed.apis()).run(), 1)
    assert.deepEqual(await world.items(), { a: shown('a') })
  })

  for (const point of ['exchange-page:before:2', 'exchange-page:after:1', 'exchange-page:after:2'])
    test(`a service killed at ${point} loses nothing and takes nothing twice`, async (t) => {
      const world = await exchangeInTest(t)
      const pages = [[put('a'), put('b')], [put('b', ['new']), gone('a')], [put('c')]]
      const listed = await programme(t, { pages })
      const env = {
        BLOBWATCH_DATA_DIR: join(listed.dir, 'data'),
        BLOBWATCH_DATABASE_URL: describeAddress(world.database.appAddress),
        BLOBWATCH_DATABASE_OWNER_URL: describeAddress(world.database.ownerAddress),
        BLOBWATCH_PLUGINS: listed.manifest,
        ...{ BLOBWATCH_HMA_PORT: '0', BLOBWATCH_PUBLIC_PORT: '0', BLOBWATCH_PRIVATE_PORT: '0' },
        BLOBWATCH_DISK_FREE_MB_MIN: '0',
        BLOBWATCH_CRASH_POINT: point,
      }
      const child = spawn(process.execPath, [main, 'serve'], { env, stdio: 'ignore' })
      t.after(() => void child.kill('SIGKILL'))
      const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
      assert.equal(signal, 'SIGKILL')
      await world.database.owner`update exchange set lease_until = '-infinity'`
      assert.equal(await roleOf(world, await listed.apis()).run(), 1)
      assert.deepEqual(await world.items(), { b: shown('new'), c: shown('c') })
      const [row] = await world.db<{ pages: number; contents: number }[]>`
        select pages, (select count(*) from bank_content) as contents from exchange`
      assert.deepEqual({ ...row }, { pages: 3, contents: 4 })
    })
})

describe('the sync of exchanges', () => {
  test('is one process’s at a time, however many look', async (t) => {
    const world = await exchangeInTest(t)
    await createExchange(world.db, { name: 'OTHER', api: 'listed', config: {}, ...world.author() })
    await createExchange(world.db, { name: 'NOBODYS', api: 'ncmec', config: {}, ...world.author() })
    const apis = pagesOf([put('a')])
    const claimed = await Promise.all(Array.from({ length: 6 }, () => roleOf(world, apis).claim()))
    assert.equal(claimed.flat().length, 2)
    assert.equal(new Set(claimed.flat().map(({ bank }) => bank)).size, 2)
  })

  test('asks the programme once for each page, whoever of two services does it', async (t) => {
    const world = await exchangeInTest(t)
    const asks: number[] = []
    const apis = apisOf((at) => {
      asks.push(at)
      return { kind: 'updates', updates: [put(`i${at}`)], checkpoint: at + 1, more: at < 4 }
    })
    const services = [roleOf(world, apis), roleOf(world, apis)]
    for (let round = 0; round < 3; round += 1)
      await Promise.all(services.map((service) => service.run()))
    assert.deepEqual(asks, [0, 1, 2, 3, 4])
    assert.equal((await world.here()).fetchedItems, 5)
  })

  test('shows a fault of ours, waits, and goes on behind what came in', async (t) => {
    const world = await exchangeInTest(t)
    const { owner } = world.database
    await owner`alter table admission add constraint broken check (id < 2)`
    const role = roleOf(world, pagesOf([put('a')], [put('b')]))
    await assert.rejects(role.run())
    const { fetchReason, failures, runningSince } = await world.here()
    assert.deepEqual([fetchReason, failures, runningSince], ['internal', 1, null])
    assert.deepEqual(await world.items(), { a: shown('a') })
    await owner`alter table admission drop constraint broken`
    assert.equal(await role.run(), 0)
    world.pass(minuteMs)
    assert.equal(await role.run(), 1)
    assert.deepEqual(await world.items(), { a: shown('a'), b: shown('b') })
  })

  test('ends where it was switched off meanwhile', async (t) => {
    const world = await exchangeInTest(t)
    const off = { name: 'LIST', enabled: false, ...world.author() }
    const apis = apisOf(async (at) => {
      if (at === 1) await setExchange(world.db, off)
      return { kind: 'updates', updates: [put(`i${at}`)], checkpoint: at + 1, more: true }
    })
    assert.equal(await roleOf(world, apis).run(), 1)
    assert.deepEqual(await world.items(), { i0: shown('i0') })
    assert.equal((await world.here()).fetchEndedAt, null)
  })

  test('lets others have their turn when one has no end', async (t) => {
    const world = await exchangeInTest(t)
    let asks = 0
    const apis = apisOf((at) => {
      asks += 1
      return { kind: 'updates', updates: [], checkpoint: at + 1, more: true }
    })
    const role = roleOf(world, apis)
    assert.equal(await role.run(), 1)
    assert.equal(asks, syncLimits.pagesMax)
    const { fetchOk, upToDate } = await world.here()
    assert.deepEqual([fetchOk, upToDate], [true, false])
    assert.equal(await role.run(), 1, 'it is due again at once')
  })

  test('keeps out what a harmless picture would match, and writes no value to the log', async (t) => {
    const world = await exchangeInTest(t)
    const harmless = benignHashes[0]?.pdq ?? assert.fail()
    const item = { op: 'put' as const, id: 'secret-name', tags: ['secret-tag'] }
    const signals = [
      { type: 'pdq', value: harmless },
      { type: 'sha256', value: sha256Of('a') },
    ]
    const role = roleOf(world, pagesOf([{ ...item, signals }]))
    await role.run()
    assert.deepEqual(await world.items(), { 'secret-name': shown('a') })
    assert.deepEqual((await world.here()).leftOut, { harmless: 1 })
    const lines = role.lines.join('')
    assert.match(lines, /exchange-fetched/)
    for (const secret of [harmless, sha256Of('a'), 'secret', 'LIST'])
      assert.ok(!lines.includes(secret), secret)
  })

  test('says that it was held, and tries again later', async (t) => {
    const world = await exchangeInTest(t)
    const many = Array.from({ length: 1500 }, (_, n) => String(n))
    const role = roleOf(
      world,
      pagesOf(
        many.map((id) => put(id)),
        many.map(gone),
      ),
    )
    await role.run()
    const { fetchReason, fetchedItems, nextFetchAt } = await world.here()
    assert.deepEqual([fetchReason, fetchedItems], ['too-many-deletions', 1500])
    assert.equal(nextFetchAt?.getTime(), world.now() + minuteMs)
    assert.match(role.lines.join(''), /"state":"held"/)
  })
})

test('what came from an exchange matches a picture, those that were seen before too', async (t) => {
  const world = await createWorld(t)
  await world.sight([{ did: alice, bytes: 'early', rkey: '1' }])
  await world.settle()
  const author = { principal: world.principal, nowMs: world.clock() }
  await createExchange(world.db, { name: 'LIST', api: 'listed', config: {}, ...author })
  const known = ['early', 'late'].map((bytes) => ({
    ...{ op: 'put' as const, id: bytes, tags: [] },
    signals: [{ type: 'sha256', value: digestOfBytes(bytes) }],
  }))
  const role = roleOf({ db: world.db, now: world.clock }, pagesOf(known))
  assert.equal(await role.run(), 1)
  await world.refreshBanks()
  await world.sight([{ did: alice, bytes: 'late', rkey: '2' }])
  await world.settle()
  const matched = await world.db<{ key: string; outcome: string }[]>`
    select distinct c.source_key as key, d.outcome from match m
    join bank_content c on c.id = m.content join decision d on d.content = c.id order by 1`
  assert.deepEqual(
    matched.map(({ key, outcome }) => [key, outcome]),
    [
      ['early', 'observed'],
      ['late', 'observed'],
    ],
  )
  assert.equal(
    (await readExchange(world.db, { name: 'LIST', nowMs: world.clock() }))?.fetchOk,
    true,
  )
  assert.deepEqual((await world.ledger()).faults, [])
})
