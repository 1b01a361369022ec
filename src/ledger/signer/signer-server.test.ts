import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { RetryableError, UsageError } from '../../domain/errors.ts'
import { makeSignerKey } from '../note/signer-key.ts'
import { createHeadKeeper } from './head-keeper.ts'
import { makeTestLog } from './log-in-test.ts'
import { createSignerClient } from './signer-client.ts'
import { serveSigner } from './signer-server.ts'
import { createSigner } from './signer.ts'

const name = 'log.test/main'
const key = makeSignerKey(name, 'log', Buffer.alloc(32, 7))
const log = makeTestLog(name, { size: 300 })
const dir = await mkdtemp(join(tmpdir(), 'blobwatch-socket-'))
after(() => rm(dir, { recursive: true, force: true }))
const signer = createSigner({ key, keeper: await createHeadKeeper({ folder: join(dir, 'heads') }) })

/** Everything that comes back on one connection, until it is ended. */
async function say(path: string, text: string): Promise<string> {
  const socket = connect(path)
  await once(socket, 'connect')
  socket.write(text)
  let heard = ''
  socket.setEncoding('utf8')
  for await (const chunk of socket as AsyncIterable<string>) heard += chunk
  return heard
}

function post(target: string, body: string): string {
  return `POST ${target} HTTP/1.1\r\nhost: signer\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

test('rubbish on the socket is answered with what is wrong, and the signer goes on', async () => {
  const path = join(dir, 'rubbish')
  await using _ = await serveSigner({ signer, path })
  const { root, ...sound } = {
    origin: name,
    old: 0,
    size: 1,
    root: Buffer.alloc(32).toString('base64'),
    proof: [],
  }
  const bodies = [
    '',
    '{',
    '[]',
    'null',
    '"text"',
    '\u0000',
    JSON.stringify(sound),
    JSON.stringify({ ...sound, root: 'AAAA' }),
    JSON.stringify({ ...sound, root, more: 1 }),
    JSON.stringify({ ...sound, root, size: '1' }),
    JSON.stringify({ ...sound, root, size: -1 }),
    JSON.stringify({ ...sound, root, size: 1.5 }),
    JSON.stringify({ ...sound, root, size: 2 ** 53 }),
    JSON.stringify({ ...sound, root, origin: 'two\nlines' }),
    JSON.stringify({ ...sound, root, proof: 'AAAA' }),
    JSON.stringify({ ...sound, root, proof: [1] }),
    JSON.stringify({ ...sound, root, proof: Array(64).fill(root) }),
  ]
  for (const body of bodies)
    assert.match(await say(path, post('/sign', body)), /^HTTP\/1.1 400 /, body)
  assert.match(await say(path, post('/sign', 'x'.repeat(20_000))), /^HTTP\/1.1 413 /)
  assert.match(await say(path, post('/elsewhere', '')), /^HTTP\/1.1 404 /)
  assert.match(await say(path, 'not http at all\r\n\r\n'), /^HTTP\/1.1 400 /)
  assert.match(
    await say(path, 'GET // HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'),
    /^HTTP\/1.1 404 /,
  )
  assert.match(
    await say(path, `GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(8_000)}\r\n\r\n`),
    /^HTTP\/1.1 431 /,
  )
  const answer = await createSignerClient({ path }).sign(await log.request(0, 10))
  assert.equal(answer.kind, 'signed')
})

test('who sends slowly is dropped', async () => {
  const path = join(dir, 'slow')
  await using _ = await serveSigner({ signer, path, limits: { requestMs: 100 } })
  assert.match(
    await say(path, 'POST /sign HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{'),
    /408/,
  )
  assert.match(await say(path, 'POST /sign HT'), /408/)
})

test('the socket is open to its group and to nobody else', async () => {
  const path = join(dir, 'mode')
  await using _ = await serveSigner({ signer, path })
  assert.equal((await stat(path)).mode & 0o777, 0o660)
})

test('never takes the place of a signer that lives or of a file that is no socket, but of a dead one', async () => {
  const path = join(dir, 'place')
  const first = await serveSigner({ signer, path })
  await assert.rejects(serveSigner({ signer, path }), UsageError)
  // Also when the lock of the other is out of sight.
  await rm(`${path}.lock`)
  await assert.rejects(serveSigner({ signer, path }), /answers at .* already/)
  assert.equal(await createSignerClient({ path }).verifierKey(), await signer.verifierKey())
  await first.close()
  const file = join(dir, 'file')
  await writeFile(file, 'mine')
  await assert.rejects(serveSigner({ signer, path: file }), /is no socket/)
})

test('a signer that is away, slow, or something else is worth another try, and says nothing of signing', async () => {
  const path = join(dir, 'away')
  await assert.rejects(createSignerClient({ path }).head(name), RetryableError)
  const answers: [string, RequestListener][] = [
    ['text', (_, response) => response.end('hello')],
    ['list', (_, response) => response.end('[]')],
    ['other', (_, response) => response.end('{"note":7,"head":7,"verifierKey":7}')],
    ['huge', (_, response) => response.end(JSON.stringify({ note: 'x'.repeat(100_000) }))],
    [
      'cut',
      (_, response) => {
        response.writeHead(200, { 'content-length': 1000 })
        response.write('{')
        response.destroy()
      },
    ],
    ['silent', () => undefined],
    [
      'trickle',
      (_, response) => {
        response.writeHead(200, { 'content-length': 1000 })
        response.write('{')
      },
    ],
    ['broken', (_, response) => response.writeHead(503).end('{}')],
  ]
  for (const [what, listener] of answers) {
    const server = createServer(listener)
    const socket = join(dir, what)
    server.listen(socket)
    await once(server, 'listening')
    const client = createSignerClient({ path: socket, timeoutMs: 200 })
    await assert.rejects(client.head(name), RetryableError, what)
    await assert.rejects(client.verifierKey(), RetryableError, what)
    await assert.rejects(client.sign(await log.request(0, 10)), RetryableError, what)
    server.closeAllConnections()
    server.close()
  }
})
