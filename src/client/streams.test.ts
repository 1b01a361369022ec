import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { blobwatchClient } from './index.ts'
import type { BlobChange, BatchHash } from './index.ts'
import { jsonLines, serverEvents } from './lines.ts'
import { recordedServer } from './recorded-in-test.ts'
import type { Recorded } from './recorded-in-test.ts'

const request = 'POST /api/v1/match/batch'
const headers = { accept: 'application/x-ndjson', 'content-type': 'application/x-ndjson' }

test('answers 1,200 questions in three parts, in order, from lines cut anywhere', async (t) => {
  const questions = Array.from({ length: 1200 }, (_, i) => questionOf(i))
  const part = (from: number, to: number): Recorded => ({
    request,
    headers,
    body: linesOf(questions.slice(from, to)),
    play: (response) => inPieces(response, answersOf(from, to)),
  })
  const { baseUrl, finish } = await recordedServer(t, [
    part(0, 500),
    part(500, 1000),
    part(1000, 1200),
  ])
  const counts: number[] = []
  for await (const { match_count } of blobwatchClient({ baseUrl }).matchStream(questions))
    counts.push(match_count)
  assert.deepEqual(
    counts,
    questions.map((_, i) => i),
  )
  finish()
})

test('a part that breaks off is asked for the rest of its questions only', async (t) => {
  const questions = [0, 1, 2, 3].map(questionOf)
  const chosen = { request: `${request}?threshold=0.5&banks=A%2CB`, headers }
  const torn = (response: ServerResponse) => {
    response.writeHead(200).write(answersOf(0, 2), () => response.destroy())
  }
  const { baseUrl, finish } = await recordedServer(t, [
    { ...chosen, body: linesOf(questions), play: torn },
    { ...chosen, body: linesOf(questions.slice(2)), answer: answersOf(2, 3) },
    { ...chosen, body: linesOf(questions.slice(3)), answer: answersOf(3, 4) },
  ])
  const client = blobwatchClient({ baseUrl, sleep: async () => {} })
  const counts: number[] = []
  const choice = { threshold: 0.5, banks: ['A', 'B'] }
  for await (const { match_count } of client.matchStream(questions, choice))
    counts.push(match_count)
  assert.deepEqual(counts, [0, 1, 2, 3])
  finish()
})

test('a service that answers nothing, or too much, ends the stream with an error', async (t) => {
  const body = linesOf([questionOf(0)])
  const { baseUrl, finish } = await recordedServer(t, [
    { request, body, answer: '' },
    { request, body, answer: '' },
    { request, body, answer: answersOf(0, 2) },
  ])
  const client = blobwatchClient({ baseUrl, retries: 1, sleep: async () => {} })
  const ask = async () => {
    for await (const answer of client.matchStream([questionOf(0)])) void answer
  }
  await assert.rejects(ask(), { fault: 'network' })
  await assert.rejects(ask(), { fault: 'bad-answer' })
  finish()
})

test('changes go on after a lost connection from the last complete one', async (t) => {
  const at = (query: string, text: string): Recorded => ({
    request: `GET /api/v1/blobs/changes${query}`,
    headers: { accept: 'text/event-stream' },
    play: (response) => void response.writeHead(200).write(text, () => response.destroy()),
  })
  const { baseUrl, finish } = await recordedServer(t, [
    at('?after=4', `: hello\n\n${eventOf(5, 'hide')}${eventOf(6, 'show').slice(0, -1)}`),
    { request: 'GET /api/v1/blobs/changes?after=5', status: 503, answer: {} },
    at('?after=5', eventOf(6, 'blur')),
    { request: 'GET /api/v1/blobs/changes?after=6', status: 410, answer: { title: 'Gone' } },
  ])
  const client = blobwatchClient({ baseUrl, retries: 0, sleep: async () => {} })
  const seen: BlobChange[] = []
  const follow = async () => {
    for await (const change of client.changes({ after: '4' })) seen.push(change)
  }
  await assert.rejects(follow(), { status: 410 })
  assert.deepEqual(
    seen.map(({ position, state, did }) => [position, state, did]),
    [
      ['5', 'hide', 'did:plc:a'],
      ['6', 'blur', 'did:plc:a'],
    ],
  )
  finish()
})

test('a stream that begins at now knows where it began, also when it is lost before the first change', async (t) => {
  const begun = (response: ServerResponse) =>
    void response.writeHead(200).write(': hello\nid: 9\nretry: 2000\n\n', () => response.destroy())
  const { baseUrl, finish } = await recordedServer(t, [
    { request: 'GET /api/v1/blobs/changes', play: begun },
    { request: 'GET /api/v1/blobs/changes?after=9', answer: eventOf(10, 'hide') },
  ])
  const client = blobwatchClient({ baseUrl, sleep: async () => {} })
  for await (const { position } of client.changes()) {
    assert.equal(position, '10')
    break
  }
  finish()
})

test('leaving the loop closes the connection, and an abort ends it with its reason', async (t) => {
  const closed = Promise.withResolvers<void>()
  const stay = (response: ServerResponse) => {
    response.once('close', () => closed.resolve())
    response.writeHead(200).write(eventOf(1, 'show'))
  }
  const { baseUrl, finish } = await recordedServer(t, [
    { request: 'GET /api/v1/blobs/changes', play: stay },
    { request: 'GET /api/v1/blobs/changes', play: stay },
  ])
  const client = blobwatchClient({ baseUrl })
  for await (const change of client.changes()) {
    assert.equal(change.position, '1')
    break
  }
  await closed.promise
  const stop = new AbortController()
  const reason = new Error('enough')
  await assert.rejects(async () => {
    for await (const change of client.changes({ signal: stop.signal })) {
      assert.equal(change.position, '1')
      stop.abort(reason)
    }
  }, reason)
  finish()
})

test('events and lines are read the same however their bytes are cut', async () => {
  const text = `id: 1\r\nevent: x\r\ndata: ä\r\ndata:b\r\n\r\n:c\r\nid:2\n\ndata\n\ndata: cut off`
  const bytes = new TextEncoder().encode(text)
  for (let size = 1; size <= bytes.length; size++) {
    const events = await all(serverEvents('test', chunksOf(bytes, size)))
    assert.deepEqual(events, [
      { id: '1', event: 'x', data: 'ä\nb' },
      { id: '2', event: 'message', data: undefined },
      { id: '2', event: 'message', data: '' },
    ])
  }
  const endless = chunksOf(new Uint8Array(2_000_000).fill(0x20), 100_000)
  await assert.rejects(all(jsonLines('test', endless)), { fault: 'bad-answer' })
})

const questionOf = (i: number): BatchHash => ({
  hash_type: 'pdq',
  hash_value: i.toString(16).padStart(64, '0'),
})

function linesOf(questions: BatchHash[]): string {
  return questions.map((one) => `${JSON.stringify(one)}\n`).join('')
}

/** Told apart by their counts. */
function answersOf(from: number, to: number): string {
  let text = ''
  for (let i = from; i < to; i++) text += `{"match_count":${i},"matches":[]}\n`
  return text
}

function eventOf(id: number, state: string): string {
  return `id: ${id}\ndata: {"did":"did:plc:a","cid":"c","state":"${state}"}\n\n`
}

function inPieces(response: ServerResponse, text: string): void {
  response.writeHead(200)
  for (let at = 0; at < text.length; at += 777) response.write(text.slice(at, at + 777))
  response.end()
}

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function all<T>(some: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const one of some) found.push(one)
  return found
}
