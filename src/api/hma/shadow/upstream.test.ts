// A shadow before an old HMA that misbehaves, and clients that do: the old one's bytes or a clear error, in bounded memory.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { asker } from '../hma-in-test.ts'
import type { shadowLimits } from './proxy.ts'
import { startShadow } from './proxy.ts'

const nobody = new URL('http://127.0.0.1:1')

/** An old HMA that answers what it is told to, byte for byte, once the head of a request has come. */
async function setUp(
  t: TestContext,
  say: (socket: Socket, head: string) => void,
  limits: Partial<typeof shadowLimits> = {},
) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let head = ''
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      const isNew = !head.includes('\r\n\r\n')
      head += chunk.toString('latin1')
      if (isNew && head.includes('\r\n\r\n')) say(socket, head)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const shadow = await startShadow({
    ...{ host: '127.0.0.1', port: 0, clock: Date.now, ours: nobody, onLine: () => {} },
    upstream: new URL(`http://127.0.0.1:${port}`),
    limits,
  })
  t.after(async () => {
    await shadow[Symbol.asyncDispose]()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { shadow, sockets, ask: asker(shadow.url) }
}

const ok = (body: string, headers = '') =>
  `HTTP/1.1 200 OK\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`

describe('an old HMA', { timeout: 60_000 }, () => {
  for (const [what, bytes] of Object.entries({
    'answers rubbish': 'SSH-2.0-OpenSSH_9.2\r\n',
    'answers less than it said': ok('{}').replace(': 2', ': 20'),
    'answers two lengths': ok('{}', 'Content-Length: 7\r\n'),
    'answers in chunks that are none':
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    'switches protocols':
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    'answers with a head of a megabyte': `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(1024 * 1024)}`,
    'ends without a word': '',
  }))
    test(`that ${what} is told as an error`, async (t) => {
      const { ask, shadow } = await setUp(t, (socket) => void socket.end(bytes, 'latin1'))
      const { status, text } = await ask('GET', '/c/banks')
      assert.deepEqual([status, text], [502, '{"message":"the upstream HMA gave no answer"}'])
      assert.equal(shadow.counters().upstreamFailed, 1)
    })

  test('that says nothing, or a byte now and then, is waited for so long and no longer', async (t) => {
    const timers = new Set<NodeJS.Timeout>()
    t.after(() => timers.forEach(clearInterval))
    const { ask } = await setUp(
      t,
      (socket, head) => {
        if (!head.startsWith('GET /drip')) return
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n')
        timers.add(setInterval(() => socket.write('x'), 10))
      },
      { upstreamMs: 150 },
    )
    for (const path of ['/silent', '/drip']) assert.equal((await ask('GET', path)).status, 502)
  })

  for (const [heldBytesMax, answer] of [
    [64 * 1024 * 1024, '502 {"message":"the upstream HMA gave too long an answer"}'],
    [1024 * 1024, '503 {"message":"too many calls at once"}'],
  ] as const)
    test(`that never ends is cut off for many clients at once: ${answer}`, async (t) => {
      const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`
      const start = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
      const { ask } = await setUp(
        t,
        (socket, head) => {
          if (head.startsWith('GET /well')) socket.end(ok('well'))
          else Readable.from(endless(start, chunk)).pipe(socket)
        },
        { answerBytesMax: 2 * 1024 * 1024, heldBytesMax },
      )
      const answers = await Promise.all(Array.from({ length: 12 }, () => ask('GET', '/c/banks')))
      for (const { status, text } of answers) assert.equal(`${status} ${text}`, answer)
      assert.equal((await ask('GET', '/well')).text, 'well', 'all that was held is given back')
    })

  test('gets each call over a connection of its own, with its length', async (t) => {
    const heads: string[] = []
    const { ask, sockets } = await setUp(t, (socket, head) => {
      heads.push(head)
      // It says that the connection stays, and closes it.
      socket.write(ok('{}', 'Connection: keep-alive\r\n'))
      setTimeout(() => socket.destroy(), 5)
    })
    for (let n = 0; n < 3; n++) assert.equal((await ask('POST', '/c/banks')).status, 200)
    assert.equal(sockets.size, 3)
    for (const head of heads) assert.match(head, /\r\nContent-Length: 0\r\n/i)
  })

  test('sends its clients elsewhere, and refuses them, by its own words', async (t) => {
    const { ask } = await setUp(t, (socket, head) => {
      const status = head.startsWith('GET /moved') ? '302 Found' : '418 I am a teapot'
      socket.end(
        `HTTP/1.1 ${status}\r\nLocation: http://192.0.2.1/\r\nX-Odd: a, b\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nContent-Length: 3\r\n\r\n\xff\0!`,
        'latin1',
      )
    })
    for (const [path, status] of [
      ['/moved', 302],
      ['/nope', 418],
    ] as const) {
      const answer = await ask('GET', path)
      assert.equal(answer.status, status)
      assert.equal(answer.headers.get('location'), 'http://192.0.2.1/')
      assert.equal(answer.headers.get('x-odd'), 'a, b')
      assert.equal(answer.headers.get('x-hop'), null)
    }
  })
})

describe('a client', { timeout: 60_000 }, () => {
  test('that goes away in the middle of its call is not an error of the old one', async (t) => {
    const { shadow, ask, sockets } = await setUp(t, (socket) => void socket.end(ok('{}')))
    const socket = await dial(shadow.url)
    socket.write('POST /h/hash HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf')
    while (shadow.counters().calls === 0) await new Promise(setImmediate)
    socket.destroy()
    await once(socket, 'close')
    assert.equal((await ask('GET', '/status')).status, 200)
    assert.equal(sockets.size, 1)
    assert.equal(shadow.counters().upstreamFailed, 0)
  })

  test('that does not take its answer is cut off', async (t) => {
    const large = 'x'.repeat(32 * 1024 * 1024)
    const { shadow, ask } = await setUp(
      t,
      (socket, head) => void socket.end(ok(head.startsWith('GET /status') ? 'well' : large)),
      { deliverMs: 200, openMax: 1 },
    )
    const socket = await dial(shadow.url)
    const closed = once(socket, 'close')
    socket.write('GET /c/banks HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(socket, 'readable')
    // While it holds its answer nobody else is let in.
    while ((await ask('GET', '/status')).text !== 'well');
    let bytes = 0
    socket.on('data', (chunk: Buffer) => (bytes += chunk.length))
    await closed
    assert.ok(bytes < large.length, `${bytes}`)
  })

  test('that sends more than is taken, or with too many others, hears so', async (t) => {
    const { ask } = await setUp(t, (socket) => void socket.end(ok('{}')), {
      bodyBytesMax: 1000,
      heldBytesMax: 900,
    })
    assert.equal((await ask('POST', '/h/hash', 'x'.repeat(1001))).status, 413)
    assert.equal((await ask('POST', '/h/hash', 'x'.repeat(990))).status, 503)
    assert.equal((await ask('POST', '/h/hash', 'x'.repeat(800))).status, 200)
  })
})

function* endless(start: string, chunk: string): Generator<string> {
  yield start
  for (;;) yield chunk
}

async function dial(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}
