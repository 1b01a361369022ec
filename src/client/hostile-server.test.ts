// The client before a server, or a proxy, that misbehaves: its errors are the two that are promised, and nothing grows.
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { blobwatchClient, hmaClient } from './index.ts'
import type { BlobChange } from './index.ts'
import { recordedServer } from './recorded-in-test.ts'
import type { Recorded } from './recorded-in-test.ts'

type Context = Parameters<typeof recordedServer>[0]
const hash = { hash_type: 'md5', hash_value: '0'.repeat(32) } as const
const page = `<html>${'x'.repeat(200_000)}</html>`

async function clientOf(t: Context, exchanges: Recorded[], retries = 2) {
  const { baseUrl, finish } = await recordedServer(t, exchanges)
  const waits: number[] = []
  const sleep = async (ms: number) => void waits.push(ms)
  const options = { baseUrl, retries, sleep, key: 'k', timeoutMs: 2_000 }
  return { client: blobwatchClient(options), hma: hmaClient(options), finish, waits }
}

test('a refusal with a page of a proxy is a refusal, and what it asks for is obeyed', async (t) => {
  const request = 'GET /api/v1/status'
  const html = { 'content-type': 'text/html' }
  const { client, finish, waits } = await clientOf(t, [
    { request, status: 429, answer: page, answerHeaders: { ...html, 'retry-after': '7' } },
    { request, status: 503, answer: page, answerHeaders: { ...html, 'retry-after': '0' } },
    { request, status: 429, answer: page, answerHeaders: { ...html, 'retry-after': '61' } },
    { request, status: 403, answer: page, answerHeaders: html },
  ])
  await assert.rejects(client.status(), { name: 'ApiError', status: 429, retryAfterMs: 61_000 })
  assert.deepEqual(waits, [7_000, 0])
  await assert.rejects(client.status(), { name: 'ApiError', status: 403, problem: {} })
  finish()
})

test('an answer that is another one than was asked for is no answer', async (t) => {
  const bad = { name: 'ConnectionError', fault: 'bad-answer' }
  const batch = { request: 'POST /api/v1/match/batch' }
  for (const answer of ['null', '[]', '"x"', '', '{"results":null}', '{"results":[]}', page]) {
    const { client, finish } = await clientOf(t, [{ ...batch, body: { hashes: [hash] }, answer }])
    await assert.rejects(client.matchBatch([hash]), bad, answer.slice(0, 30))
    finish()
  }
})

test('nothing is read without an end: a body, an event, a page in place of a stream', async (t) => {
  const bad = { name: 'ConnectionError', fault: 'bad-answer' }
  const request = 'GET /api/v1/status'
  const changes = 'GET /api/v1/blobs/changes'
  const raw = 'GET /m/raw_lookup?signal=0&signal_type=pdq&include_distance=true'
  const { client, hma, finish } = await clientOf(t, [
    { request, play: endlessly('x'.repeat(65_536)) },
    { request: changes, play: endlessly(`id: 1\ndata: ${'x'.repeat(65_536)}\n`) },
    { request: changes, answer: page, answerHeaders: { 'content-type': 'text/html' } },
    { request: changes, answer: 'id: 1\ndata: null\n\n' },
    { request: raw, answer: 'null' },
    { request: raw, answer: '{}' },
  ])
  await assert.rejects(client.status(), bad)
  const follow = async () => {
    const seen: BlobChange[] = []
    for await (const change of client.changes()) seen.push(change)
  }
  for (let n = 0; n < 3; n++) await assert.rejects(follow(), bad)
  for (let n = 0; n < 2; n++)
    await assert.rejects(hma.rawLookup({ signal: '0', signalType: 'pdq' }), bad)
  finish()
})

test('an answer that is cut is asked for again, one that is slow until its time is over, elsewhere is never gone to', async (t) => {
  const request = 'GET /api/v1/status'
  const { client, finish } = await clientOf(t, [
    {
      request,
      play: (response) => void response.writeHead(200).write('{"se', () => response.destroy()),
    },
    { request, status: 302, answer: '', answerHeaders: { location: 'http://127.0.0.1:1/' } },
    { request, answer: { service: 'blobwatch' } },
    ...[1, 2, 3].map(() => ({
      request,
      play: (response: ServerResponse) => void response.writeHead(200).write('{'),
    })),
  ])
  assert.deepEqual(await client.status(), { service: 'blobwatch' })
  await assert.rejects(client.status({ timeoutMs: 100 }), {
    name: 'ConnectionError',
    fault: 'timeout',
  })
  finish()
})

/** Until whoever reads has had enough. */
function endlessly(text: string): (response: ServerResponse) => void {
  return (response) => {
    response.writeHead(200)
    const more = () => {
      for (let isTaken = true; isTaken && !response.destroyed;) isTaken = response.write(text)
    }
    response.on('drain', more)
    more()
  }
}
