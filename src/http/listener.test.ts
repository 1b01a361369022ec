import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer as createXrpc } from '@atproto/xrpc-server'
import { Hono } from 'hono'
import { listen } from './listener.ts'
import type { Listener, ListenerLimits } from './listener.ts'

describe('a listener', { timeout: 20_000 }, () => {
  test('gives /xrpc/_health and our routes to Hono, other methods to xrpc-server', async () => {
    await using listener = await start({ xrpc: true })
    assert.equal(await text(listener, '/xrpc/_health'), 'healthy')
    assert.equal(await text(listener, '/hello?x=1'), 'hello')
    const unknown = await fetch(`${listener.url}/xrpc/com.example.nope`)
    assert.equal(unknown.status, 501)
    assert.equal(unknown.headers.get('x-powered-by'), 'Express')
  })

  test('serves Hono alone without xrpc, and does not replace the global Response', async () => {
    const before = [globalThis.Response, globalThis.Request]
    await using listener = await start({})
    assert.equal((await fetch(`${listener.url}/xrpc/com.example.nope`)).status, 404)
    assert.deepEqual([globalThis.Response, globalThis.Request], before)
  })

  test('answers an h2c upgrade as the plain request it is, and refuses unknown streams', async () => {
    await using listener = await start({ xrpc: true })
    const plain = await exchange(
      listener,
      'GET /hello HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n',
    )
    assert.match(plain, /^HTTP\/1\.1 200 /)
    const stream = await exchange(
      listener,
      'GET /xrpc/com.example.nope HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    )
    assert.match(stream, /^HTTP\/1\.1 404 /)
  })

  test('answers HTTP/1.0 without a Host, as a balancer asks', async () => {
    await using listener = await start({})
    assert.match(await exchange(listener, 'GET /hello HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200 /)
  })

  test('names the setting when the port is taken or the host is not ours', async () => {
    await using listener = await start({})
    const options = { setting: 'BLOBWATCH_PUBLIC_PORT', hono: new Hono() }
    await assert.rejects(listen({ ...options, host: '127.0.0.1', port: listener.port }), {
      name: 'UsageError',
      message: `port ${listener.port} on 127.0.0.1 is taken: set BLOBWATCH_PUBLIC_PORT to another port`,
    })
    await assert.rejects(listen({ ...options, host: '192.0.2.1', port: 0 }), {
      name: 'UsageError',
    })
  })

  test('drops headers that come too slowly or are too big, and connections beyond the limit', async () => {
    await using listener = await start({
      limits: { headersMs: 100, requestMs: 200, headerBytesMax: 1024, connectionsMax: 2 },
    })
    assert.match(await exchange(listener, 'GET /hello HTTP/1.1\r\nHo'), /^HTTP\/1\.1 408 /)
    const big = `GET /hello HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(2000)}\r\n\r\n`
    assert.match(await exchange(listener, big), /^HTTP\/1\.1 431 /)
    const [one, two] = [connect(listener.port), connect(listener.port)]
    await Promise.all([once(one, 'connect'), once(two, 'connect')])
    assert.equal(await exchange(listener, 'GET /hello HTTP/1.1\r\nHost: x\r\n\r\n'), '')
    one.destroy()
    two.destroy()
  })

  test('drops a body that comes too slowly, except where a stream is taken that is not JSON', async () => {
    await using listener = await start({
      limits: { headersMs: 100, requestMs: 100 },
      streams: ['/stream'],
    })
    const half = (path: string, type: string) =>
      exchange(
        listener,
        `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: 9\r\n\r\nhalf`,
      )
    const lines = 'application/x-ndjson'
    assert.equal(await half('/body', lines), '')
    assert.equal(await half('/stream', 'application/json; charset=utf-8'), '')
    const stream = half('/stream', lines)
    assert.equal(await Promise.race([stream, sleep(500, 'still open')]), 'still open')
    await listener.close()
    await stream
  })

  test('ends an answer that nobody reads, and waits for one that is not ready', async () => {
    let left = 0
    await using listener = await start({ limits: { unreadMs: 100 }, onLeave: () => (left += 1) })
    for (const path of ['/large', '/endless']) {
      const socket = connect(listener.port, '127.0.0.1')
      socket.on('error', () => socket.destroy())
      socket.pause()
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
      await once(socket, 'readable')
      await sleep(600)
      // What the system had taken already is still there, and then the end.
      let bytes = 0
      socket.on('data', (chunk: Buffer) => (bytes += chunk.length))
      await once(socket, 'close')
      assert.ok(bytes > 0 && bytes < largeBytes, `${bytes} bytes of ${path}`)
    }
    assert.equal(left, 1)
    assert.equal(await text(listener, '/slow/500'), 'slow')
    await using patient = await start({})
    const whole = await fetch(`${patient.url}/large`)
    assert.equal((await whole.arrayBuffer()).byteLength, largeBytes)
  })

  test('close lets an open request finish, and cuts one that does not by the deadline', async () => {
    const listener = await start({ limits: { closeMs: 300 } })
    const slow = text(listener, '/slow/100')
    const stuck = text(listener, '/slow/60000').catch(() => 'cut')
    await sleep(30)
    const started = performance.now()
    const closing = [listener.close(), listener.close()]
    assert.equal(await slow, 'slow')
    await Promise.all(closing)
    assert.ok(performance.now() - started < 1000)
    assert.equal(await stuck, 'cut')
    await assert.rejects(text(listener, '/hello'))
  })

  test('close does not wait for idle kept-alive connections', async () => {
    const listener = await start({ limits: { closeMs: 5000 } })
    await text(listener, '/hello')
    const started = performance.now()
    await listener.close()
    assert.ok(performance.now() - started < 1000)
  })
})

/** More than the system takes for a reader who does not read. */
const largeBytes = 64 * 1024 * 1024

function start(options: {
  xrpc?: boolean
  limits?: Partial<ListenerLimits>
  streams?: string[]
  onLeave?: () => void
}): Promise<Listener> {
  const hono = new Hono()
  hono.get('/xrpc/_health', (context) => context.text('healthy'))
  for (const path of ['/body', '/stream'])
    hono.post(path, async (context) => context.text(await context.req.text()))
  hono.get('/large', (context) => context.body(new Uint8Array(largeBytes)))
  hono.get('/endless', (context) => {
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)),
      cancel: () => options.onLeave?.(),
    })
    return context.body(body)
  })
  hono.get('/hello', (context) => context.text('hello'))
  hono.get('/slow/:ms', async (context) => {
    await sleep(Number(context.req.param('ms')), undefined, { ref: false })
    return context.text('slow')
  })
  return listen({
    host: '127.0.0.1',
    port: 0,
    setting: 'TEST_PORT',
    hono,
    ...(options.xrpc === true ? { xrpc: createXrpc([]) } : {}),
    limits: options.limits ?? {},
    streams: options.streams ?? [],
  })
}

async function text(listener: Listener, path: string): Promise<string> {
  const response = await fetch(`${listener.url}${path}`)
  return response.text()
}

/** What comes back for these bytes until the server closes. */
async function exchange(listener: Listener, bytes: string): Promise<string> {
  const socket = connect(listener.port, '127.0.0.1')
  let answer = ''
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()))
  // A refused connection may end in a reset; what counts is what was answered before.
  socket.on('error', () => socket.destroy())
  socket.write(bytes)
  await new Promise((resolve) => socket.once('close', resolve))
  return answer
}
