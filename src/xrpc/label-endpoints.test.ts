// Over real sockets: our listener, xrpc-server, its own Subscription client, and a client that refuses to read.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Frame, Subscription } from '@atproto/xrpc-server'
import { Lexicons } from '@atproto/lexicon'
import { Hono } from 'hono'
import { listen } from '../http/listener.ts'
import type { Listener } from '../http/listener.ts'
import { createMemoryLabelStore } from '../labeler/memory-label-store.ts'
import type { MemoryLabelStore } from '../labeler/memory-label-store.ts'
import { createLabelSigner, generateLabelKey, verifyLabel } from '../labeler/sign-label.ts'
import { createXrpc } from './create-xrpc.ts'
import { addLabelEndpoints } from './label-endpoints.ts'
import { toLabelsMessage } from './label-message.ts'
import { lexiconDocs } from './lexicons.ts'
import type { SubscriptionLimits } from './subscription-guard.ts'

const did = 'did:plc:ewvi7nxzyoun6zhxrhs64oiz'
const method = 'com.atproto.label.subscribeLabels'
const key = await generateLabelKey()
const signer = await createLabelSigner({ did, keyHex: key.keyHex })

describe('queryLabels', { timeout: 20_000 }, () => {
  test('answers with labels whose signatures verify after the JSON trip', async () => {
    await using service = await start()
    await publish(service.store, { uri: 'did:plc:a', neg: true })
    await publish(service.store, { uri: 'at://did:plc:a/a.b.c/1' })
    const { labels } = await query(service.url, 'uriPatterns=*')
    assert.equal(labels.length, 2)
    for (const label of labels) {
      assert.equal(label.ver, 1)
      const sigHex = Buffer.from(label.sig.$bytes, 'base64').toString('hex')
      const signed = { neg: false, ...label, sigHex }
      assert.equal(await verifyLabel(signed, key.keyDid), true)
    }
    assert.equal(labels[0]?.neg, true)
    assert.equal('neg' in (labels[1] ?? {}), false)
  })

  test('pages with a cursor until the end', async () => {
    await using service = await start()
    for (let n = 0; n < 5; n += 1) await publish(service.store, { uri: `did:plc:${n}` })
    const uris: string[] = []
    let cursor: string | undefined
    let pages = 0
    do {
      const from = cursor === undefined ? '' : `&cursor=${cursor}`
      const page = await query(service.url, `uriPatterns=did:*&limit=2${from}`)
      uris.push(...page.labels.map((label) => label.uri))
      cursor = page.cursor
      pages += 1
    } while (cursor !== undefined)
    assert.deepEqual([uris.length, pages], [5, 3])
  })

  test('answers 400 to what it cannot understand, and to browsers of any origin', async () => {
    await using service = await start()
    for (const search of [
      '',
      'uriPatterns=a*b',
      'uriPatterns=**',
      'uriPatterns=*&cursor=x',
      'uriPatterns=*&cursor=-1',
      'uriPatterns=*&limit=251',
      'uriPatterns=*&sources=nobody',
      Array.from({ length: 51 }, () => 'uriPatterns=a').join('&'),
    ]) {
      const response = await fetch(`${service.url}/xrpc/com.atproto.label.queryLabels?${search}`)
      assert.equal(response.status, 400, search)
      assert.equal(response.headers.get('access-control-allow-origin'), '*')
      assert.equal(((await response.json()) as { error: string }).error, 'InvalidRequest')
    }
    const url = `${service.url}/xrpc/com.atproto.label.queryLabels`
    const preflight = await fetch(url, { method: 'OPTIONS' })
    assert.equal(preflight.status, 204)
  })

  test('keeps the reason of a failure to itself', async () => {
    const errors: unknown[] = []
    const store = createMemoryLabelStore()
    store.query = () => Promise.reject(new Error('password=hunter2'))
    await using service = await start({ store, onError: (error) => errors.push(error) })
    const response = await fetch(`${service.url}/xrpc/com.atproto.label.queryLabels?uriPatterns=*`)
    assert.equal(response.status, 500)
    assert.doesNotMatch(await response.text(), /hunter2|at /)
    assert.equal(errors.length, 1)
  })
})

describe('subscribeLabels', { timeout: 30_000 }, () => {
  test('replays everything from 0 in rising order, then what comes, negations included', async () => {
    await using service = await start()
    for (let n = 0; n < 450; n += 1) await publish(service.store, { uri: `did:plc:${n}` })
    await publish(service.store, { uri: 'did:plc:0', neg: true })
    const seen: { seq: number; labels: WireLabel[] }[] = []
    for await (const message of subscribe(service.url, { cursor: 0 })) {
      seen.push(message)
      if (seen.length === 450) await publish(service.store, { uri: 'did:plc:late' })
      if (seen.length === 451) break
    }
    const seqs = seen.map(({ seq }) => seq)
    assert.deepEqual(seqs, [...Array.from({ length: 451 }, (_, n) => n + 2)])
    assert.equal(seen[449]?.labels[0]?.neg, true)
    assert.equal(seen.filter(({ labels }) => labels[0]?.uri === 'did:plc:0').length, 1)
    const last = seen[450]?.labels[0]
    assert.ok(last)
    const sigHex = Buffer.from(last.sig).toString('hex')
    assert.equal(await verifyLabel({ ...last, neg: false, sigHex }, key.keyDid), true)
  })

  test('goes on after the cursor, and without one sends only what is new', async () => {
    await using service = await start()
    for (let n = 0; n < 3; n += 1) await publish(service.store, { uri: `did:plc:${n}` })
    assert.deepEqual(await take(service.url, { cursor: 2 }, 1), [3])
    const live = take(service.url, {}, 1)
    while (service.subscribers() === 0) await sleep(5)
    await sleep(50)
    await publish(service.store, { uri: 'did:plc:new' })
    assert.deepEqual(await live, [4])
    const end = take(service.url, { cursor: 4 }, 1)
    await sleep(50)
    await publish(service.store, { uri: 'did:plc:newer' })
    assert.deepEqual(await end, [5])
  })

  test('a cursor from the future is an error frame and close 1008', async () => {
    await using service = await start()
    const { frames, code } = await rawFrames(service.url, '?cursor=1')
    assert.equal(frames.length, 1)
    const frame = Frame.fromBytes(frames[0] ?? new Uint8Array())
    assert.ok(frame.isError())
    assert.equal(frame.code, 'FutureCursor')
    assert.equal(code, 1008)
  })

  test('a message keeps to the lexicon, which xrpc-server does not check', async () => {
    const signed = await signer.sign({ ...blank, uri: 'did:plc:a', cid: undefined as never })
    const message = toLabelsMessage({ ...signed, seq: 1 })
    const lexicons = new Lexicons(lexiconDocs as never)
    lexicons.assertValidXrpcMessage(method, { ...message, $type: `${method}#labels` })
  })

  test('refuses more subscribers than the limit before the upgrade, and takes them later', async () => {
    await using service = await start({ limits: { subscribersMax: 1 } })
    const first = await rawSocket(service, '')
    const [refused] = (await once(await openSocket(service, ''), 'data')) as [Buffer]
    assert.match(refused.toString(), /^HTTP\/1\.1 503 [\s\S]*Retry-After: 60/i)
    first.destroy()
    while (service.subscribers() > 0) await sleep(5)
    const next = await rawSocket(service, '')
    next.destroy()
  })

  test('closes a subscriber that does not read, without holding its labels in memory', async () => {
    await using service = await start({ limits: { drainMs: 200, farewellMs: 100 } })
    // Far more than the kernel buffers of one connection on loopback (about 6 MB).
    const uri = `at://did:plc:a/a.b.c/${'x'.repeat(3900)}`
    const signed = await signer.sign({ ...blank, uri })
    for (let n = 0; n < 5000; n += 1) service.store.put({ ...signed, uri: uri + n })
    let reads = 0
    const after = service.store.after.bind(service.store)
    service.store.after = (seq, limit) => {
      reads += 1
      return after(seq, limit)
    }
    const slow = await rawSocket(service, '?cursor=0')
    slow.pause()
    const fast = take(service.url, { cursor: 0 }, 5000)
    while (service.subscribers() > 1) await sleep(20)
    const readsForFast = 5000 / 200
    assert.equal((await fast).length, 5000)
    while (service.subscribers() > 0) await sleep(20)
    assert.ok(reads < 2 * readsForFast, `stopped reading for the slow one (${reads} pages)`)
    slow.destroy()
  })

  test('tells a subscriber that wakes up in time why it is closed', async () => {
    await using service = await start({ limits: { drainMs: 200, farewellMs: 1500 } })
    const uri = `at://did:plc:a/a.b.c/${'x'.repeat(3900)}`
    const signed = await signer.sign({ ...blank, uri })
    for (let n = 0; n < 5000; n += 1) service.store.put({ ...signed, uri: uri + n })
    const slow = await rawSocket(service, '?cursor=0')
    slow.pause()
    await sleep(600)
    let tail = Buffer.alloc(0)
    slow.on('data', (chunk: Buffer) => (tail = Buffer.concat([tail, chunk]).subarray(-500)))
    slow.resume()
    await once(slow, 'close')
    assert.match(tail.toString('latin1'), /ConsumerTooSlow/)
  })

  test('lets go of a subscriber that does not answer pings', async () => {
    await using service = await start({ limits: { heartbeatMs: 50 } })
    const dead = await rawSocket(service, '')
    await once(dead, 'close')
    while (service.subscribers() > 0) await sleep(5)
  })

  test('hangs up on a subscriber that talks too much', async () => {
    await using service = await start()
    const socket = new WebSocket(`${service.url.replace('http', 'ws')}/xrpc/${method}`)
    await once(socket as never, 'open')
    socket.send('x'.repeat(2000))
    const [closed] = (await once(socket as never, 'close')) as [{ code: number }]
    assert.equal(closed.code, 1009)
  })

  test('closing the listener ends streams with 1001 and soon', async () => {
    await using service = await start()
    const ended = rawFrames(service.url, '')
    while (service.subscribers() === 0) await sleep(5)
    await service.listener.close()
    assert.equal((await ended).code, 1001)
  })

  test('closing the listener cuts a stream that does not say goodbye', async () => {
    await using service = await start()
    const deaf = await rawSocket(service, '')
    const started = performance.now()
    await service.listener.close()
    assert.ok(performance.now() - started < 2000)
    deaf.destroy()
  })
})

type WireLabel = {
  src: string
  uri: string
  val: string
  neg?: boolean
  cts: string
  sig: Uint8Array
}
type JsonLabel = Omit<WireLabel, 'sig'> & { ver: number; sig: { $bytes: string } }
type Service = AsyncDisposable & {
  url: string
  listener: Listener
  store: MemoryLabelStore
  subscribers(): number
}

const blank = { uri: '', val: 'spam', neg: false, cts: '2026-11-21T05:00:00.000Z' }

async function start(
  options: {
    store?: MemoryLabelStore
    limits?: Partial<SubscriptionLimits>
    onError?: (error: unknown) => void
  } = {},
): Promise<Service> {
  const { store = createMemoryLabelStore(), limits = {}, onError = () => undefined } = options
  const xrpc = createXrpc({ onError })
  const endpoints = addLabelEndpoints({ xrpc, store, onError, limits })
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    setting: 'TEST_PORT',
    hono: new Hono(),
    xrpc,
    limits: { closeMs: 300 },
  })
  return {
    url: listener.url,
    listener,
    store,
    subscribers: () => endpoints.subscribers(),
    async [Symbol.asyncDispose]() {
      endpoints.close()
      await listener.close()
    },
  }
}

async function publish(
  store: MemoryLabelStore,
  label: { uri: string; neg?: boolean },
): Promise<number> {
  return store.put(await signer.sign({ ...blank, ...label }))
}

async function query(
  url: string,
  search: string,
): Promise<{ cursor?: string; labels: JsonLabel[] }> {
  const response = await fetch(`${url}/xrpc/com.atproto.label.queryLabels?${search}`)
  assert.equal(response.status, 200)
  return (await response.json()) as { cursor?: string; labels: JsonLabel[] }
}

async function* subscribe(
  url: string,
  params: { cursor?: number },
): AsyncGenerator<{ seq: number; labels: WireLabel[] }> {
  const stop = new AbortController()
  const subscription = new Subscription({
    service: url.replace('http', 'ws'),
    method,
    signal: stop.signal,
    getParams: () => params,
    validate: (value) => value as { seq: number; labels: WireLabel[] },
  })
  try {
    yield* subscription
  } finally {
    stop.abort()
  }
}

async function take(url: string, params: { cursor?: number }, count: number): Promise<number[]> {
  const seqs: number[] = []
  for await (const { seq } of subscribe(url, params)) {
    seqs.push(seq)
    if (seqs.length === count) break
  }
  return seqs
}

async function rawFrames(
  url: string,
  search: string,
): Promise<{ frames: Uint8Array[]; code: number }> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/xrpc/${method}${search}`)
  socket.binaryType = 'arraybuffer'
  const frames: Uint8Array[] = []
  socket.addEventListener('message', ({ data }) => {
    frames.push(new Uint8Array(data as ArrayBuffer))
  })
  const [closed] = (await once(socket as never, 'close')) as [{ code: number }]
  return { frames, code: closed.code }
}

/** A web socket by hand: it answers no ping and reads only what the test reads. */
async function openSocket(service: Service, search: string): Promise<Socket> {
  const socket = connect(service.listener.port, '127.0.0.1')
  socket.on('error', () => socket.destroy())
  await once(socket, 'connect')
  socket.write(
    [
      `GET /xrpc/${method}${search} HTTP/1.1`,
      'Host: localhost',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      '\r\n',
    ].join('\r\n'),
  )
  return socket
}

async function rawSocket(service: Service, search: string): Promise<Socket> {
  const socket = await openSocket(service, search)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  assert.match(answer.toString('latin1'), /^HTTP\/1\.1 101 /)
  return socket
}
