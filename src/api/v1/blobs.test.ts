// What an AppView asks, over HTTP against the started service.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { blobCidOf } from '../../domain/cid.ts'
import { alice, bob } from '../../testing/world.ts'
import { changeKey } from '../../cases/api-keys.ts'
import { apiInTest } from '../api-in-test.ts'
import { keyRingLimits } from '../key-ring.ts'
import type { ApiInTest } from '../api-in-test.ts'
import { checkAnswer } from '../openapi-check.ts'
import { changeFeedLimits } from '../change-feed.ts'

const digestOf = (text: string) => createHash('sha256').update(text).digest('hex')
const cidOf = (text: string) => blobCidOf(digestOf(text))

async function settled(
  api: ApiInTest,
  text: string,
  verdict: 'clear' | 'unscannable' | 'matched',
): Promise<void> {
  await api.database.owner`
    insert into blobwatch.blob (blob_cid, hashed_at, bank_generation, coverage, verdict, reason)
    values (decode(${digestOf(text)}, 'hex'), now(), 0, 0, ${verdict}, ${verdict === 'unscannable' ? 'corrupt' : null})
    on conflict (blob_cid) do update set verdict = excluded.verdict, reason = excluded.reason`
}

async function caseOf(api: ApiInTest, text: string, state: string): Promise<void> {
  await settled(api, text, 'matched')
  await api.database.owner`
    with made as (
      insert into blobwatch.case_file (key, state, reason, opened_at, decided_at)
      values (${text}, ${state}, 'perceptual', now(), now()) returning id)
    insert into blobwatch.case_blob (blob_cid, case_file) select decode(${digestOf(text)}, 'hex'), id from made`
}

test('answers what to do with a blob, as the document says, and may be asked with its tag', async (t) => {
  const api = await apiInTest(t)
  const key = await api.key(['blob:read'])
  await settled(api, 'good', 'clear')
  await settled(api, 'odd', 'unscannable')
  await caseOf(api, 'held', 'open')
  await caseOf(api, 'bad', 'confirmed')
  const expected = {
    good: ['show', 'clear', 60],
    odd: ['unscannable', 'corrupt', 60],
    held: ['blur', 'held', 15],
    bad: ['hide', 'confirmed', 60],
    unknown: ['unscanned', 'unknown', 5],
  } as const
  for (const [text, [state, reason, maxAge]] of Object.entries(expected)) {
    const path = `/api/v1/blobs/${alice}/${cidOf(text)}`
    const answer = await api.ask(path, { key })
    assert.equal(answer.status, 200)
    const body = await checkAnswer(api, '/blobs/{did}/{cid}', 'get', answer)
    assert.partialDeepStrictEqual(body, { did: alice, cid: cidOf(text), state, reason })
    assert.equal(answer.headers.get('cache-control'), `private, max-age=${maxAge}`)
    const tag = answer.headers.get('etag') ?? ''
    const again = await api.ask(path, { key, headers: { 'if-none-match': tag } })
    assert.equal(again.status, 304)
    assert.equal(await again.text(), '')
    // As a proxy that packs answers sends it back, and as somebody who holds several.
    for (const known of [`W/${tag}`, `"other", ${tag}`]) {
      const headers = { 'if-none-match': known }
      assert.equal((await api.ask(path, { key, headers })).status, 304, known)
    }
    const headers = { 'if-none-match': '"other"' }
    assert.equal((await api.ask(path, { key, headers })).status, 200)
  }
})

test('a batch is answered in its order, up to its limit', async (t) => {
  const api = await apiInTest(t)
  const key = await api.key(['blob:read'])
  await settled(api, 'good', 'clear')
  await caseOf(api, 'bad', 'confirmed')
  const post = (blobs: unknown) =>
    api.ask('/api/v1/blobs', {
      key,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ blobs }),
    })
  const pairs = Array.from({ length: 1000 }, (_, n) => ({
    did: n % 2 === 0 ? alice : bob,
    cid: cidOf(['good', 'bad', 'unknown'][n % 3]!),
  }))
  const answer = await post(pairs)
  assert.equal(answer.status, 200)
  const { blobs } = (await checkAnswer(api, '/blobs', 'post', answer)) as {
    blobs: { did: string; cid: string; state: string }[]
  }
  assert.deepEqual(
    blobs.map(({ did, cid }) => ({ did, cid })),
    pairs,
  )
  assert.deepEqual(
    blobs.slice(0, 3).map(({ state }) => state),
    ['show', 'hide', 'unscanned'],
  )
  assert.equal((await post([...pairs, pairs[0]])).status, 422)
  assert.equal((await post([])).status, 422)
  const odd = await post([pairs[0], { did: alice, cid: 'bafkreibadbadbad' }])
  assert.equal(odd.status, 422)
  assert.deepEqual(((await odd.json()) as { errors: unknown }).errors, [
    { field: 'blobs.1.cid', message: 'is no CID' },
  ])
})

test('needs blob:read, and takes nothing that is no DID or no CID', async (t) => {
  const api = await apiInTest(t)
  const good = `/api/v1/blobs/${alice}/${cidOf('good')}`
  assert.equal((await fetch(`${api.url}${good}`)).status, 401)
  const other = await api.key(['scan', 'case:read', 'ledger:read'])
  const key = await api.key(['blob:read'])
  const asked = [
    ['GET', good],
    ['POST', '/api/v1/blobs'],
    ['GET', '/api/v1/blobs/changes'],
  ] as const
  for (const [method, path] of asked)
    assert.equal((await api.ask(path, { key: other, method })).status, 403, path)
  const wrong = [
    `/api/v1/blobs/did:plc:${'a'.repeat(300)}/${cidOf('good')}`,
    `/api/v1/blobs/alice.test/${cidOf('good')}`,
    `/api/v1/blobs/${alice}/${'b'.repeat(59)}`,
    `/api/v1/blobs/${alice}/%00`,
    `/api/v1/blobs/${alice}/..%2f..%2fkeys`,
    `/api/v1/blobs/${alice}'--/${cidOf('good')}`,
    `/api/v1/blobs/%ff/${cidOf('good')}`,
    '/api/v1/blobs/changes?after=-1',
    '/api/v1/blobs/changes?after=1e30',
    '/api/v1/blobs/changes?after=0&limit=100000',
  ]
  for (const path of wrong) {
    const answer = await api.ask(path, { key })
    assert.equal(answer.status, 422, path)
    assert.match(answer.headers.get('content-type') ?? '', /problem\+json/)
    assert.doesNotMatch(await answer.text(), /aaaa|alice\.test|keys/)
  }
  assert.equal((await api.ask(`/api/v1/blobs/../keys/${cidOf('good')}`, { key })).status, 404)
})

test('both doors answer alike: what is asked with a query goes through the app', async (t) => {
  const api = await apiInTest(t)
  const key = await api.key(['blob:read'], { requestsPerSecond: 1000 })
  await caseOf(api, 'held', 'open')
  const path = `/api/v1/blobs/${alice}/${cidOf('held')}`
  const seen = []
  for (const asked of [path, `${path}?`, path.replaceAll('did:plc', 'did%3Aplc')]) {
    const answer = await api.ask(asked, { key })
    const headers = Object.fromEntries(answer.headers)
    for (const name of ['date', 'x-request-id', 'ratelimit-remaining', 'content-length'])
      assert.ok(name === 'content-length' || headers[name] !== undefined, name)
    for (const name of ['date', 'x-request-id', 'ratelimit-remaining', 'content-length'])
      delete headers[name]
    delete headers['transfer-encoding']
    seen.push({ status: answer.status, headers, body: await answer.json() })
  }
  assert.deepEqual(seen[1], seen[0])
  assert.deepEqual(seen[2], seen[0])
})

test('a key that asks too often is told when to come back, by both doors', async (t) => {
  const api = await apiInTest(t)
  const key = await api.key(['blob:read'], { requestsPerSecond: 1 })
  const path = `/api/v1/blobs/${alice}/${cidOf('good')}`
  const statuses: number[] = []
  for (let n = 0; n < 10; n += 1) {
    const answer = await api.ask(n % 2 === 0 ? path : `${path}?`, { key })
    statuses.push(answer.status)
    if (answer.status === 429) assert.ok(Number(answer.headers.get('retry-after')) >= 1)
  }
  assert.ok(statuses.includes(200))
  assert.ok(statuses.includes(429))
})

test('changes come as pages, each with the state of now, and begin at now without a number', async (t) => {
  const api = await apiInTest(t)
  const key = await api.key(['blob:read'])
  const page = async (query: string) => {
    const answer = await api.ask(`/api/v1/blobs/changes${query}`, { key })
    assert.equal(answer.status, 200)
    return (await checkAnswer(api, '/blobs/changes', 'get', answer)) as Page
  }
  const { next: start, changes } = await page('')
  assert.deepEqual(changes, [])
  await settled(api, 'odd', 'unscannable')
  await caseOf(api, 'held', 'open')
  await settled(api, 'good', 'clear')
  const first = await page(`?after=${start}&limit=1`)
  assert.equal(first.more, true)
  const rest = await page(`?after=${first.next}`)
  assert.equal(rest.more, false)
  const told = [...first.changes, ...rest.changes].map(({ cid, state }) => `${state} ${cid}`)
  assert.deepEqual(
    [...new Set(told)].toSorted(),
    [`blur ${cidOf('held')}`, `unscannable ${cidOf('odd')}`].toSorted(),
  )
  assert.deepEqual((await page(`?after=${rest.next}`)).changes, [])
  const gone = await api.ask(`/api/v1/blobs/changes?after=${rest.next + 1}`, { key })
  assert.equal(gone.status, 410)
  const body = (await checkAnswer(api, '/blobs/changes', 'get', gone)) as { code: string }
  assert.equal(body.code, 'outdated')
})

test('a stream gives what was before and what comes, and goes on where Last-Event-ID says', async (t) => {
  const api = await apiInTest(t)
  const key = await api.key(['blob:read'])
  const open = (after: string, headers: Record<string, string> = {}) =>
    api.ask(`/api/v1/blobs/changes${after}`, {
      key,
      headers: { accept: 'text/event-stream', ...headers },
    })
  const stream = await open('?after=0')
  assert.equal(stream.headers.get('content-type'), 'text/event-stream')
  const events = readEvents(stream)
  await settled(api, 'one', 'unscannable')
  const one = await events.next()
  await caseOf(api, 'two', 'open')
  const two = await events.next()
  assert.equal(one.value?.change.cid, cidOf('one'))
  assert.equal(two.value?.change.cid, cidOf('two'))
  assert.equal(two.value?.change.state, 'blur')
  assert.ok(Number(two.value?.id) > Number(one.value?.id))
  await events.return(undefined)
  const resumed = readEvents(await open('?after=0', { 'last-event-id': one.value?.id ?? '' }))
  assert.equal((await resumed.next()).value?.id, two.value?.id)
  await resumed.return(undefined)
  assert.equal((await open('?after=99999999')).status, 410)
})

test('a stream ends with the next change after its key is revoked', async (t) => {
  const api = await apiInTest(t)
  const key = await api.key(['blob:read'])
  const headers = { accept: 'text/event-stream' }
  const events = readEvents(await api.ask('/api/v1/blobs/changes?after=0', { key, headers }))
  await settled(api, 'one', 'unscannable')
  assert.equal((await events.next()).value?.change.cid, cidOf('one'))
  const id = key.split('_')[1] ?? ''
  const revoked = { op: 'revoke', id, principal: api.person, nowMs: Date.now() } as const
  await changeKey(api.database.app, revoked)
  await sleep(keyRingLimits.freshMs)
  await settled(api, 'two', 'unscannable')
  assert.equal((await events.next()).done, true)
})

test('one caller has so many streams, and those that went away make room', async (t) => {
  const api = await apiInTest(t)
  const key = await api.key(['blob:read'])
  const opened: AbortController[] = []
  // A response that nobody holds is collected, and its stream with it.
  const kept: Response[] = []
  const open = async () => {
    const stop = new AbortController()
    opened.push(stop)
    const headers = { accept: 'text/event-stream' }
    const answer = await api.ask('/api/v1/blobs/changes', { key, headers, signal: stop.signal })
    kept.push(answer)
    return answer
  }
  for (let n = 0; n < changeFeedLimits.streamsPerCaller; n += 1)
    assert.equal((await open()).status, 200)
  const refused = await open()
  assert.equal(refused.status, 503)
  assert.equal(refused.headers.get('retry-after'), '5')
  const other = await api.key(['blob:read'], { name: 'another' })
  const stop = new AbortController()
  const headers = { accept: 'text/event-stream' }
  const theirs = await api.ask('/api/v1/blobs/changes', {
    key: other,
    headers,
    signal: stop.signal,
  })
  assert.equal(theirs.status, 200)
  stop.abort()
  opened[0]!.abort()
  let status = 503
  while (status === 503) {
    await sleep(20)
    status = (await open()).status
  }
  assert.equal(status, 200)
  for (const one of opened) one.abort()
})

type Page = {
  changes: { seq: number; did?: string; cid: string; state: string }[]
  next: number
  more: boolean
}

async function* readEvents(answer: Response) {
  assert.equal(answer.status, 200)
  let text = ''
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const fields = new Map(
        block.split('\n').map((line) => line.split(/: (.*)/s) as [string, string]),
      )
      const data = fields.get('data')
      if (data === undefined) continue
      yield { id: fields.get('id') ?? '', change: JSON.parse(data) as Page['changes'][number] }
    }
  }
}
