// Two services on one database, as processes of their own: what one does the other knows, what both are asked is done once,
// and what is left when one is killed is whole.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { changeKey } from '../cases/api-keys.ts'
import { blobwatchClient } from '../client/index.ts'
import { describeAddress } from '../db/address.ts'
import { blobCidOf } from '../domain/cid.ts'
import { ensureRoom } from '../service-database.ts'
import { principalId } from '../steps/withdraw.ts'
import { testDatabase } from '../testing/database.ts'
import { keyInTest } from './api-in-test.ts'

const md5Of = (text: string) => createHash('md5').update(text).digest('hex')
const cidOf = (text: string) => blobCidOf(createHash('sha256').update(text).digest('hex'))
const did = `did:plc:${'a'.repeat(24)}`
const scopes = [
  'act',
  'match:read',
  'match:distance',
  'bank:read',
  'bank:write',
  'blob:read',
] as const

const database = await testDatabase()
const { owner } = database
const dir = await mkdtemp(join(tmpdir(), 'blobwatch-two-'))
const children = new Set<ChildProcess>()
after(async () => {
  for (const child of children) {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
  await rm(dir, { recursive: true, force: true })
})

/** A process; its URL is on its first screen. */
async function startService(): Promise<{ url: string; kill: () => Promise<void> }> {
  const main = join(import.meta.dirname, '..', 'main.ts')
  const child = spawn(process.execPath, [main, 'serve'], {
    env: {
      BLOBWATCH_DATA_DIR: dir,
      BLOBWATCH_DATABASE_URL: describeAddress(database.appAddress),
      BLOBWATCH_DATABASE_OWNER_URL: describeAddress(database.ownerAddress),
      BLOBWATCH_DATA_KEY: '7d'.repeat(32),
      BLOBWATCH_WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
      BLOBWATCH_PLC_URL: 'http://127.0.0.1:9',
      BLOBWATCH_PUBLIC_PORT: '0',
      BLOBWATCH_PRIVATE_PORT: '0',
      BLOBWATCH_DISK_FREE_MB_MIN: '0',
      BLOBWATCH_DECODER_SLOTS: '1',
      BLOBWATCH_API_REQUESTS_PER_SECOND: '10000',
      LOG_LEVEL: 'WARNING',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => (output += text.toString()))
  const url = () => /private +(http:\S+)/.exec(output)?.[1]
  while (url() === undefined) {
    assert.ok(child.exitCode === null, output)
    await sleep(50)
  }
  return {
    url: url() ?? '',
    async kill() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

describe('two services on one database', { timeout: 90_000 }, () => {
  let one: Awaited<ReturnType<typeof startService>>
  let two: Awaited<ReturnType<typeof startService>>
  let key: string
  let person: number

  before(async () => {
    await ensureRoom(owner, Date.now())
    one = await startService()
    two = await startService()
    key = await keyInTest(database, [...scopes])
    person = await principalId(database.app, { kind: 'person', name: 'tester', nowMs: Date.now() })
  })

  const client = ({ url }: { url: string }) => blobwatchClient({ baseUrl: url, key, retries: 0 })
  const post = (
    { url }: { url: string },
    path: string,
    { body, headers = {} }: { body: unknown; headers?: Record<string, string> },
  ) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
  const review = (id: string) => ({
    ...{ action_id: id, action_type: 'review' as const },
    content_id: `${did}/${cidOf(id)}`,
  })
  const count = async (table: string): Promise<number> => {
    const [row] = await owner.unsafe<{ n: number }[]>(`select count(*) as n from ${table}`)
    return row?.n ?? 0
  }
  /** Asks until the answer is as it should be: how soon is the machine's affair. */
  async function until(ask: () => Promise<boolean>): Promise<void> {
    while (!(await ask())) await sleep(50)
  }

  test('do once what both are asked at the same moment', async () => {
    const ids = Array.from({ length: 20 }, (_, n) => `both-${n}`)
    const before = await count('sighting')
    const answers = await Promise.all(
      ids.flatMap((id) => [client(one).action(review(id)), client(two).action(review(id))]),
    )
    assert.equal(new Set(answers.map((answer) => answer.action_id)).size, 20)
    for (const id of ids) {
      const mine = answers.filter((answer) => answer.action_id === id)
      assert.deepEqual(mine[0], mine[1])
    }
    assert.equal(await count(`api_action where action_id like 'both-%'`), 20)
    assert.equal((await count('sighting')) - before, 20)
    assert.equal(
      (await post(one, '/api/v1/banks', { body: { name: 'B', class: 'open' } })).status,
      201,
    )
    for (let n = 0; n < 10; n++) {
      const content = {
        body: { signals: [{ type: 'md5', value: md5Of(`content ${n}`) }] },
        headers: { 'idempotency-key': `content-${n}` },
      }
      const path = '/api/v1/banks/B/contents'
      const both = await Promise.all([one, two].map((service) => post(service, path, content)))
      const statuses = both.map(({ status }) => status)
      assert.ok(statuses.includes(201), statuses.join())
      for (const answer of both.filter(({ status }) => status !== 201)) {
        assert.equal(answer.status, 409)
        assert.equal(((await answer.json()) as { code: string }).code, 'outcome-unknown')
      }
      const again = await post(two, path, content)
      assert.deepEqual([again.status, again.headers.get('idempotent-replayed')], [201, 'true'])
    }
    assert.equal(await count('bank_content'), 10)
  })

  test('match with what the other one’s curator changed, and open nothing to a key that is revoked', async () => {
    const hash = { hash_type: 'md5' as const, hash_value: md5Of('content 0') }
    const matches = async (service: { url: string }, many: number) =>
      (await client(service).match(hash)).match_count === many
    for (const service of [one, two]) await until(() => matches(service, 1))
    const path = '/api/v1/banks/B/contents'
    const headers = { authorization: `Bearer ${key}` }
    const page = await fetch(`${two.url}${path}?limit=1`, { headers })
    const [first] = ((await page.json()) as { contents: { id: number }[] }).contents
    const removed = await fetch(`${two.url}${path}/${first?.id}`, { method: 'DELETE', headers })
    assert.ok(removed.ok, `${removed.status}`)
    for (const service of [one, two]) await until(() => matches(service, 0))
    const other = await keyInTest(database, ['match:read'], { name: 'revoked' })
    const opens = async ({ url }: { url: string }) =>
      (await fetch(`${url}/api/v1/status`, { headers: { authorization: `Bearer ${other}` } })).ok
    for (const service of [one, two]) assert.ok(await opens(service))
    const id = other.split('_')[1] ?? ''
    await changeKey(database.app, { op: 'revoke', id, principal: person, nowMs: Date.now() })
    for (const service of [one, two]) await until(async () => !(await opens(service)))
  })

  test('answer HMA’s clients with what the other one’s curator did', async () => {
    const pdq = createHash('sha256').update('hma').digest('hex')
    const signal = { body: { pdq } }
    assert.equal((await post(one, '/c/banks', { body: { name: 'HMA' } })).status, 201)
    assert.equal((await post(two, '/c/bank/HMA/signal', signal)).status, 200)
    const hits = async ({ url }: { url: string }) => {
      const headers = { authorization: `Bearer ${key}` }
      const path = `/m/lookup?signal=${pdq}&signal_type=pdq`
      return await (await fetch(`${url}${path}`, { headers })).json()
    }
    for (const service of [one, two])
      await until(async () => JSON.stringify(await hits(service)).includes('"HMA":[{'))
    const off = await fetch(`${one.url}/c/bank/HMA`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: '{"enabled":false}',
    })
    assert.equal(off.status, 200)
    for (const service of [one, two])
      await until(async () => JSON.stringify(await hits(service)) === '{}')
  })

  test('give the same changes in the same order', async () => {
    const texts = Array.from({ length: 40 }, (_, n) => `change ${n}`)
    const follow = async (service: { url: string }) => {
      const seen: string[] = []
      for await (const { position, cid, state } of client(service).changes({ after: 0 })) {
        seen.push(`${position} ${cid} ${state}`)
        const cids = new Set(seen.map((line) => line.split(' ')[1]))
        if (texts.every((text) => cids.has(cidOf(text)))) return seen
      }
      return seen
    }
    const following = [follow(one), follow(two)]
    await Promise.all(
      texts.map(
        (text) => owner`
          insert into blob (blob_cid, hashed_at, bank_generation, coverage, verdict, reason)
          values (sha256(convert_to(${text}, 'UTF8')), now(), 0, 0, 'unscannable', 'corrupt')`,
      ),
    )
    const [first, second] = await Promise.all(following)
    const shared = Math.min(first?.length ?? 0, second?.length ?? 0)
    assert.ok(shared >= texts.length)
    assert.deepEqual(first?.slice(0, shared), second?.slice(0, shared))
  })

  test('leave nothing twice and nothing half when one is killed in a batch and in a stream', async () => {
    const actions = Array.from({ length: 100 }, (_, n) => review(`killed-${n}`))
    const batch = client(two)
      .actions(actions)
      .then(
        () => 'answered',
        (error: Error) => error.name,
      )
    const told: { match_count: number; matches: { match_id: string }[] }[] = []
    const questions = Array.from({ length: 10_000 }, (_, n) => ({
      ...{ hash_type: 'md5' as const, hash_value: md5Of(`content ${1 + (n % 9)}`) },
    }))
    const stream = (async () => {
      for await (const answer of client(two).matchStream(questions)) told.push(answer)
    })().then(
      () => 'answered',
      (error: Error) => error.name,
    )
    await until(
      async () =>
        told.length > 0 && (await count(`api_action where action_id like 'killed-%'`)) > 5,
    )
    await two.kill()
    assert.equal(await batch, 'ConnectionError')
    assert.equal(await stream, 'ConnectionError')
    const half = await count(
      `api_action a where action_id like 'killed-%' and (a.case_file is null or
         (select count(*) from api_action_place p where p.api_action = a.id) <> 1)`,
    )
    assert.equal(half, 0)
    const answers = await client(one).actions(actions)
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set(['accepted']))
    assert.equal(await count(`api_action where action_id like 'killed-%'`), 100)
    const [seen] = await owner<{ n: number; distinct: number }[]>`
      select count(*) as n, count(distinct blob_cid) as distinct from sighting where source = 'api'`
    assert.equal(seen?.n, seen?.distinct)
    for (const { matches } of told.slice(0, 20))
      assert.equal(await count(`api_match where id = '${matches[0]?.match_id}'`), 1)
    assert.ok(told.length < questions.length)
    const rest: unknown[] = []
    for await (const answer of client(one).matchStream(questions.slice(told.length)))
      rest.push(answer)
    assert.equal(told.length + rest.length, questions.length)
  })
})
