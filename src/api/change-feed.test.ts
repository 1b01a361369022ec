// Streams of changes by themselves: what becomes of a reader that does not read, and of all at our stop.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BlobChange } from '../steps/blob-changes.ts'
import { createChangeFeed } from './change-feed.ts'
import type { ChangeSource } from './change-feed.ts'

function memorySource() {
  const changes: BlobChange[] = []
  const source: ChangeSource = {
    number: async () => changes.length,
    read: async ({ after, limit }) => {
      const page = changes.slice(after, after + limit)
      const through = page.at(-1)?.seq ?? after
      return { kind: 'page', changes: page, through, more: false }
    },
  }
  const change = () =>
    void changes.push({
      seq: changes.length + 1,
      did: undefined,
      cid: `cid${changes.length + 1}`,
      state: 'hide',
      reason: null,
      since: null,
    })
  return { source, change }
}

const onError = (error: unknown) => assert.fail(String(error))
const text = (value: Uint8Array | undefined) => new TextDecoder().decode(value)

const mayGoOn = () => Promise.resolve(true)

test('a reader that does not read is dropped, and holds no place any more', async () => {
  const { source, change } = memorySource()
  await using feed = createChangeFeed({
    clock: Date.now,
    source,
    onError,
    times: { slowMs: 20, lookMs: 5 },
  })
  const dropped = Promise.withResolvers<void>()
  const stream = await feed.stream({ after: 0, caller: 1, mayGoOn, onDropped: dropped.resolve })
  assert.ok(stream instanceof ReadableStream)
  assert.equal(feed.streams(), 1)
  const reader = stream.getReader()
  assert.match(text((await reader.read()).value), /id: 0/)
  change()
  await dropped.promise
  assert.equal(feed.streams(), 0)
  assert.equal((await reader.read()).done, true)
})

test('a reader that waits hears that we are there, then of the change, and in the end of our stop', async () => {
  const { source, change } = memorySource()
  const feed = createChangeFeed({
    clock: Date.now,
    source,
    onError,
    times: { heartbeatMs: 10, lookMs: 5 },
  })
  const stream = await feed.stream({
    after: undefined,
    caller: 1,
    mayGoOn,
    onDropped: () => undefined,
  })
  assert.ok(stream instanceof ReadableStream)
  const reader = stream.getReader()
  await reader.read()
  assert.equal(text((await reader.read()).value), ': still here\n\n')
  change()
  let told = ''
  while (!told.includes('event: change')) told = text((await reader.read()).value)
  assert.match(told, /^id: 1\nevent: change\ndata: \{"seq":1,"cid":"cid1","state":"hide"\}\n\n$/)
  await feed[Symbol.asyncDispose]()
  let last = await reader.read()
  while (!last.done) last = await reader.read()
  assert.equal(feed.streams(), 0)
})

test('a stream ends when it is old, so that its key is looked at again', async () => {
  const { source } = memorySource()
  let nowMs = 0
  await using feed = createChangeFeed({
    clock: () => nowMs,
    source,
    onError,
    times: { streamMs: 1000, heartbeatMs: 5, lookMs: 5 },
  })
  const stream = await feed.stream({ after: 0, caller: 1, mayGoOn, onDropped: () => undefined })
  assert.ok(stream instanceof ReadableStream)
  const reader = stream.getReader()
  await reader.read()
  nowMs = 2000
  assert.equal((await reader.read()).done, true)
})

test('a stream ends when the clock is set back: nobody knows how old it is', async () => {
  const { source } = memorySource()
  let nowMs = 7_200_000
  await using feed = createChangeFeed({
    clock: () => nowMs,
    source,
    onError,
    times: { heartbeatMs: 5, lookMs: 5 },
  })
  const stream = await feed.stream({ after: 0, caller: 1, mayGoOn, onDropped: () => undefined })
  assert.ok(stream instanceof ReadableStream)
  const reader = stream.getReader()
  await reader.read()
  nowMs = 0
  assert.equal((await reader.read()).done, true)
})
