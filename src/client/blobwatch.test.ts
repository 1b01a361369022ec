import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { ApiError, blobwatchClient, ConnectionError } from './index.ts'
import type { ClientOptions, Hash } from './index.ts'
import { recordedServer } from './recorded-in-test.ts'
import type { Recorded } from './recorded-in-test.ts'

const pdq = 'f0'.repeat(32)
const question: Hash = { hash_type: 'pdq', hash_value: pdq }
const none = { match_count: 0, matches: [] }
const busy = { type: 'about:blank', title: 'Service Unavailable', status: 503, code: 'busy' }
const refused = {
  type: 'about:blank',
  title: 'Unprocessable Entity',
  status: 422,
  detail: 'Some fields are not as they have to be.',
  code: 'invalid-fields',
  requestId: '7',
  errors: [{ field: 'hash_value', message: 'too short' }],
}

type Context = Parameters<typeof recordedServer>[0]

/** A client that writes down its waits instead of waiting. */
async function clientOf(t: Context, exchanges: Recorded[], options: Partial<ClientOptions> = {}) {
  const { baseUrl, finish } = await recordedServer(t, exchanges)
  const waits: number[] = []
  const sleep = async (ms: number) => void waits.push(ms)
  return { client: blobwatchClient({ baseUrl, sleep, ...options }), finish, waits }
}

test('each call asks what the API documents and gives its answer', async (t) => {
  const hashAnswer = {
    hashes: [{ algorithm: 'pdq', hash_value: pdq, quality: 90 }],
    media: 'image',
    format: 'png',
    bytes: 5,
    cid: 'bafkrei',
  }
  const action = { action_id: 'a/1', action_type: 'review' as const, content_id: 'c' }
  const accepted = { action_id: 'a/1', status: 'accepted' }
  const state = { ...accepted, places: [] }
  const report = { contentId: 'c', imageUrl: 'https://x.example/i', reportReason: 'spam' }
  const blob = { did: 'did:plc:a', cid: 'bafy' }
  const seen = { ...blob, state: 'show' as const }
  const { client, finish } = await clientOf(
    t,
    [
      {
        request: 'POST /api/v1/hash',
        form: { file: 'bytes' },
        headers: { authorization: 'Bearer k', accept: 'application/json' },
        answer: hashAnswer,
      },
      { request: 'POST /api/v1/hash', form: { file: 'blob' }, answer: hashAnswer },
      { request: 'POST /api/v1/hash/url', body: { url: 'https://x.example/' }, answer: hashAnswer },
      { request: 'POST /api/v1/match', body: question, answer: none },
      {
        request: 'POST /api/v1/match/batch',
        body: { hashes: [{ ...question, id: 7 }, question], threshold: 0.9 },
        answer: { results: [{ ...none, id: 7 }, none] },
      },
      { request: 'POST /api/v1/action', body: action, status: 202, answer: accepted },
      {
        request: 'POST /api/v1/action/batch',
        body: { actions: [action] },
        status: 202,
        answer: { results: [accepted] },
      },
      { request: 'GET /api/v1/action/a%2F1', answer: state },
      {
        request: 'POST /api/v1/report',
        body: report,
        status: 202,
        answer: { action: 'received', report_id: 'r_1' },
      },
      { request: 'GET /api/v1/status', answer: { healthy: true } },
      { request: 'GET /api/v1/status/metrics', answer: { match_rate: null } },
      { request: 'GET /api/v1/blobs/did:plc:a/bafy', answer: seen },
      { request: 'POST /api/v1/blobs', body: { blobs: [blob] }, answer: { blobs: [seen] } },
      { request: 'GET /api/v1/cases?state=open', answer: { cases: [] } },
    ],
    { key: 'k' },
  )
  assert.deepEqual(await client.hash(new TextEncoder().encode('bytes')), hashAnswer)
  assert.deepEqual(await client.hash(new Blob(['blob'])), hashAnswer)
  assert.deepEqual(await client.hashUrl('https://x.example/'), hashAnswer)
  assert.deepEqual(await client.match(question), none)
  assert.deepEqual(
    await client.matchBatch([{ ...question, id: 7 }, question], { threshold: 0.9 }),
    [{ ...none, id: 7 }, none],
  )
  assert.deepEqual(await client.action(action), accepted)
  assert.deepEqual(await client.actions([action]), [accepted])
  assert.deepEqual(await client.actionState('a/1'), state)
  assert.deepEqual(await client.report(report), { action: 'received', report_id: 'r_1' })
  assert.deepEqual(await client.status(), { healthy: true })
  assert.deepEqual(await client.metrics(), { match_rate: null })
  assert.deepEqual(await client.blob(blob), seen)
  assert.deepEqual(await client.blobs([blob]), [seen])
  assert.deepEqual(await client.get('/cases', { query: { state: 'open' } }), { cases: [] })
  finish()
})

test('a change is sent once, and again only with a key that makes it one', async (t) => {
  const headers = { 'idempotency-key': 'appeal-1' }
  const appeal = { request: 'POST /api/v1/cases/1/appeal', body: { note: 'x' }, headers }
  const { client, finish, waits } = await clientOf(t, [
    { request: 'PATCH /api/v1/banks/A', body: { mode: 'hold' }, status: 503, answer: busy },
    { ...appeal, status: 503, answer: busy },
    { ...appeal, status: 201, answer: { appeal: 1 } },
  ])
  const change = client.send('PATCH', '/banks/A', { json: { mode: 'hold' } })
  await assert.rejects(change, { name: 'ApiError', status: 503 })
  assert.deepEqual(waits, [])
  const given = { json: { note: 'x' }, idempotencyKey: 'appeal-1' }
  assert.deepEqual(await client.send('POST', '/cases/1/appeal', given), { appeal: 1 })
  assert.equal(waits.length, 1)
  finish()
})

test('options may be handed on as they come from an environment: undefined is not given', async (t) => {
  const { client, finish } = await clientOf(
    t,
    [{ request: 'GET /api/v1/status', answer: { healthy: true } }],
    { key: process.env['BLOBWATCH_NO_SUCH_KEY'], timeoutMs: undefined, retries: undefined },
  )
  assert.deepEqual(await client.status({ signal: undefined }), { healthy: true })
  finish()
})

test('a refusal is an error with the problem document, and is not asked again', async (t) => {
  const { client, finish, waits } = await clientOf(t, [
    { request: 'POST /api/v1/match', body: question, status: 422, answer: refused },
    { request: 'GET /api/v1/status', status: 502, answer: '<html>proxy</html>' },
  ])
  await assert.rejects(client.match(question), (error) => {
    assert.ok(error instanceof ApiError)
    assert.deepEqual([error.status, error.problem], [422, refused])
    assert.equal(error.message, `POST /match: 422 ${refused.detail}`)
    return true
  })
  await assert.rejects(client.status(), { name: 'ApiError', status: 502, problem: {} })
  assert.deepEqual(waits, [])
  finish()
})

test('408, 429 and 503 are asked again after what Retry-After says, else after growing waits', async (t) => {
  const request = 'POST /api/v1/match'
  const { client, finish, waits } = await clientOf(t, [
    { request, body: question, status: 429, answer: {}, answerHeaders: { 'retry-after': '7' } },
    { request, body: question, status: 408, answer: {} },
    { request, body: question, status: 503, answer: busy },
    { request, body: question, answer: none },
  ])
  assert.deepEqual(await client.match(question), none)
  assert.equal(waits[0], 7000)
  assert.ok(waits[1]! >= 250 && waits[1]! <= 500, String(waits[1]))
  assert.ok(waits[2]! >= 500 && waits[2]! <= 1000, String(waits[2]))
  finish()
})

test('gives up after its tries, and at once where the wait would be too long', async (t) => {
  const request = 'GET /api/v1/status'
  const { client, finish, waits } = await clientOf(
    t,
    [
      { request, status: 503, answer: busy },
      { request, status: 503, answer: busy },
      { request, status: 429, answer: {}, answerHeaders: { 'retry-after': '3600' } },
    ],
    { retries: 1 },
  )
  await assert.rejects(client.status(), { status: 503 })
  assert.equal(waits.length, 1)
  await assert.rejects(client.status(), { status: 429, retryAfterMs: 3_600_000 })
  assert.equal(waits.length, 1)
  finish()
})

test('a report is never sent twice; an action is, because its id makes it one', async (t) => {
  const report = { contentId: 'c', imageUrl: 'https://x.example/i', reportReason: 'spam' }
  const action = { action_id: '1', action_type: 'review' as const, content_id: 'c' }
  const torn = (response: { destroy(): void }) => response.destroy()
  const { client, finish } = await clientOf(t, [
    { request: 'POST /api/v1/report', body: report, status: 503, answer: busy },
    { request: 'POST /api/v1/report', body: report, play: torn },
    { request: 'POST /api/v1/action', body: action, play: torn },
    { request: 'POST /api/v1/action', body: action, status: 202, answer: action },
  ])
  await assert.rejects(client.report(report), { status: 503 })
  await assert.rejects(client.report(report), { name: 'ConnectionError', fault: 'network' })
  assert.deepEqual(await client.action(action), action)
  finish()
})

test('ends with timeout when no complete answer comes, and with the reason of an abort', async (t) => {
  const request = 'GET /api/v1/status'
  const half = (response: ServerResponse) => void response.writeHead(200).write('{"half":')
  const { client, finish } = await clientOf(
    t,
    [
      { request, play: half },
      { request, play: half },
    ],
    {
      retries: 0,
      timeoutMs: 100,
    },
  )
  await assert.rejects(client.status(), { name: 'ConnectionError', fault: 'timeout' })
  const stop = new AbortController()
  const reason = new Error('enough')
  const asked = client.status({ signal: stop.signal, timeoutMs: 60_000 })
  setTimeout(() => stop.abort(reason), 50)
  await assert.rejects(asked, reason)
  finish()
})

test('follows no redirect, so the key stays with its host', async (t) => {
  const { client, finish } = await clientOf(
    t,
    [
      {
        request: 'GET /api/v1/status',
        status: 307,
        answer: {},
        answerHeaders: { location: 'http://127.0.0.1:1/' },
      },
    ],
    { key: 'k', retries: 0 },
  )
  await assert.rejects(client.status(), { name: 'ConnectionError', fault: 'network' })
  assert.throws(() => blobwatchClient({ baseUrl: 'http://name:word@h.example' }), TypeError)
  assert.throws(() => blobwatchClient({ baseUrl: 'ftp://h.example' }), TypeError)
  finish()
})

test('an answer that is no JSON, or endless, is refused and not quoted', async (t) => {
  const request = 'GET /api/v1/status'
  const endless = (response: ServerResponse) => {
    response.on('error', () => {})
    response.writeHead(200)
    const chunk = Buffer.alloc(1024 * 1024, 0x20)
    const more = () => {
      while (!response.destroyed && response.write(chunk));
      if (!response.destroyed) response.once('drain', more)
    }
    more()
  }
  const { client, finish, waits } = await clientOf(t, [
    { request, answer: 'secret words' },
    { request, play: endless },
  ])
  await assert.rejects(client.status(), (error) => {
    assert.ok(error instanceof ConnectionError && error.fault === 'bad-answer')
    assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /secret/)
    return true
  })
  await assert.rejects(client.status(), { fault: 'bad-answer' })
  assert.deepEqual(waits, [])
  finish()
})
