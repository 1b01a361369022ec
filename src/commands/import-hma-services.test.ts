// An import from HMA that is killed at any moment while two services match with what it brings, and while HMA goes on
// changing: in the end both services and the database have what HMA has.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ensureRoom } from '../service-database.ts'
import { md5Of, pdqOf } from './hma-in-test.ts'
import { importInTest } from './import-hma-in-test.ts'
import type { World } from './import-hma-in-test.ts'

const main = join(import.meta.dirname, '..', 'main.ts')
const contents = 21_000
const killings = 3
/** From the start of a process to about its end, on a machine that has nothing else to do. */
const killMsMax = 4_000
/** Never changed in HMA, and not disabled: once found, always found. */
const lasting = (n: number) => n % 11 === 0 && n % 7 !== 0

test(
  'killed while services match: nothing lost, nothing twice, and the services agree',
  { timeout: 170_000 },
  async (t) => {
    const world = await importInTest(t)
    await ensureRoom(world.database.owner, Date.now())
    await fill(world, 1, contents)
    const services = [await startService(t, world), await startService(t, world)]
    const asking = services.map((service) => keepAsking(service))
    for (let n = 0; n < killings; n++) {
      await importFor(world, randomInt(500, killMsMax))
      await change(world, n)
    }
    for (const service of services) assert.equal(service.child.exitCode, null, service.output())
    assert.equal((await world.import()).code, 0)
    const last = await world.import()
    assert.equal(last.code, 0, last.err)
    assert.match((await world.import()).out, /Done\. Nothing had changed in HMA/)
    const { differences, size } = await compare(world)
    assert.deepEqual(differences, [])
    for (const service of services) await sizeIs(service, size)
    for (const one of asking) assert.deepEqual(await one.stop(), [])
    for (const service of services) await agrees(world, service)
  },
)

async function fill({ hma: { db } }: World, from: number, to: number): Promise<void> {
  if (from === 1) await db`insert into bank values (1, 'ODD', 1, null), (2, 'EVEN', 1, null)`
  await db`
    insert into bank_content (id, bank_id, disable_until_ts)
    select n, 2 - n % 2, (n % 7 > 0)::integer from generate_series(${from}::integer, ${to}::integer) n`
  await db`
    insert into content_signal (content_id, signal_type, signal_val)
    select n, 'pdq', encode(sha256(convert_to('pdq ' || n, 'UTF8')), 'hex') from generate_series(${from}::integer, ${to}::integer) n
    union all select n, 'video_md5', md5(n::text) from generate_series(${from}::integer, ${to}::integer) n`
}

/** What people and exchanges do in an HMA that goes on. */
async function change(world: World, n: number): Promise<void> {
  const { db } = world.hma
  const from = randomInt(1, contents - 500)
  await db`
    update bank_content set disable_until_ts = 1 - disable_until_ts where id between ${from} and ${from + 400} and id % 11 > 0`
  await db`delete from bank_content where id between ${from + 401} and ${from + 440} and id % 11 > 0`
  await db`
    update content_signal set signal_val = md5('again ' || signal_val)
    where content_id between ${from + 441} and ${from + 480} and content_id % 11 > 0 and signal_type = 'video_md5'`
  await fill(world, contents + n * 200 + 1, contents + (n + 1) * 200)
}

async function importFor({ run, hma }: World, killAfterMs: number): Promise<void> {
  const child = spawn(process.execPath, [main, 'import', 'hma', hma.url], {
    env: run.env,
    stdio: 'ignore',
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs)
  await once(child, 'exit')
  clearTimeout(timer)
}

type Service = { child: ChildProcess; url: string; output: () => string }

async function startService(t: TestContext, { run }: World): Promise<Service> {
  const child = spawn(process.execPath, [main, 'serve'], {
    env: {
      ...run.env,
      BLOBWATCH_DATA_KEY: '7d'.repeat(32),
      BLOBWATCH_PUBLIC_PORT: '0',
      BLOBWATCH_PRIVATE_PORT: '0',
      BLOBWATCH_HMA_PORT: '0',
      BLOBWATCH_DISK_FREE_MB_MIN: '0',
      BLOBWATCH_DECODER_SLOTS: '1',
      LOG_LEVEL: 'WARNING',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.after(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => (output += text.toString()))
  const url = () => /HMA +(http:\S+)/.exec(output)?.[1]
  while (url() === undefined) {
    assert.ok(child.exitCode === null, output)
    await sleep(50)
  }
  return { child, url: url() ?? '', output: () => output }
}

async function lookUp({ url }: Service, type: string, signal: string): Promise<string[]> {
  const answer = await fetch(`${url}/m/lookup?signal_type=${type}&signal=${signal}`)
  assert.equal(answer.status, 200)
  const found = (await answer.json()) as Record<string, { bank_content_id: number }[]>
  return Object.entries(found).flatMap(([bank, matches]) =>
    matches.map((match) => `${bank} ${match.bank_content_id}`),
  )
}

/** `stop` tells what was wrong: another content, or one that was there and is not any more. */
function keepAsking(service: Service) {
  const wrong: string[] = []
  const seen = new Set<number>()
  const end = new AbortController()
  const over = (async () => {
    while (!end.signal.aborted) {
      const n = 11 * randomInt(1, Math.floor(contents / 11))
      if (!lasting(n)) continue
      const found = await lookUp(service, 'pdq', pdqOf(n))
      const expected = `${n % 2 === 1 ? 'ODD' : 'EVEN'} ${n}`
      if (found.some((one) => one !== expected)) wrong.push(`${n}: ${found.join()}`)
      if (found.length === 0 && seen.has(n)) wrong.push(`${n} is gone`)
      if (found.length > 0) seen.add(n)
      await sleep(5)
    }
    return wrong
  })()
  over.catch(() => undefined)
  return {
    stop: () => {
      end.abort()
      return over
    },
  }
}

async function compare({ hma, database }: World) {
  const sorted = (rows: { id: number; text: string }[]) =>
    rows.map(({ id, text }) => `${id} ${text}`)
  const theirs = sorted(
    await hma.db<{ id: number; text: string }[]>`
    select c.id, c.bank_id || ' ' || c.disable_until_ts || ' ' || string_agg(s.signal_val, ' ' order by s.signal_type) as text
    from bank_content c join content_signal s on s.content_id = c.id group by c.id order by c.id`,
  )
  const ours = sorted(
    await database.owner<{ id: number; text: string }[]>`
    select c.id, h.hma_id || ' ' || c.disable_until_ts || ' ' || string_agg(encode(s.value, 'hex'), ' ' order by s.type desc) as text
    from bank_content c join hma_bank h on h.bank = c.bank join bank_signal s on s.content = c.id and s.state = 'live'
    where c.removed_at is null group by c.id, h.hma_id order by c.id`,
  )
  const both = new Set(ours)
  const missing = theirs.filter((one) => !both.has(one))
  const extra = ours.length - (theirs.length - missing.length)
  const differences = [...missing.slice(0, 5), ...(extra === 0 ? [] : [`${extra} too many`])]
  return { differences, size: theirs.length }
}

/** Signals of each type in the index: how soon is the machine's affair. */
async function sizeIs({ url }: Service, size: number): Promise<void> {
  for (;;) {
    const status = (await (await fetch(`${url}/m/index/status`)).json()) as Record<
      string,
      { size: number }
    >
    if (status['pdq']?.size === size && status['video_md5']?.size === size) return
    await sleep(50)
  }
}

/** A share of all, looked up by both signals; disabled ones are not found. */
async function agrees({ hma }: World, service: Service): Promise<void> {
  const rows = await hma.db<{ id: number; ts: number; md5: string }[]>`
    select c.id, c.disable_until_ts as ts, s.signal_val as md5
    from bank_content c join content_signal s on s.content_id = c.id and s.signal_type = 'video_md5'
    where c.id % 13 = 0 or s.signal_val <> md5(c.id::text) order by c.id`
  assert.ok(rows.some(({ ts }) => ts === 0) && rows.some(({ md5, id }) => md5 !== md5Of(id)))
  for (const { id, ts, md5 } of rows) {
    const expected = ts === 0 ? [] : [`${id % 2 === 1 ? 'ODD' : 'EVEN'} ${id}`]
    assert.deepEqual(await lookUp(service, 'pdq', pdqOf(id)), expected)
    assert.deepEqual(await lookUp(service, 'video_md5', md5), expected)
  }
}
