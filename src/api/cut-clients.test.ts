// Clients that go away in the middle of what they ask: nothing of them stays.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import type { ClientRequest } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { apiInTest } from './api-in-test.ts'
import type { ApiInTest } from './api-in-test.ts'

const line = (n: number) =>
  `${JSON.stringify({ hash_type: 'md5', hash_value: createHash('md5').update(`${n}`).digest('hex') })}\n`
const lines = Array.from({ length: 2_000 }, (_, n) => line(n)).join('')
/** More than are open at once, of one caller and of all. */
const rounds = 24

type Cut = (sent: ClientRequest) => Promise<void>

const cuts: Record<string, { type: string; path: string; cut: Cut }> = {
  'a stream before its first line': {
    ...{ type: 'application/x-ndjson', path: '/api/v1/match/batch' },
    cut: async (sent) => void sent.write('{"hash_'),
  },
  'a stream that is answered and not read': {
    ...{ type: 'application/x-ndjson', path: '/api/v1/match/batch' },
    cut: async (sent) => {
      sent.write(lines)
      await once(sent, 'response')
    },
  },
  'a stream in the middle of its answers': {
    ...{ type: 'application/x-ndjson', path: '/api/v1/match/batch' },
    cut: async (sent) => {
      sent.write(lines)
      const [response] = (await once(sent, 'response')) as [NodeJS.ReadableStream]
      await once(response, 'data')
    },
  },
  'a batch in the middle of its body': {
    ...{ type: 'application/json', path: '/api/v1/match/batch' },
    cut: async (sent) => void sent.write('{"hashes":['),
  },
  'a file in the middle of its upload': {
    ...{ type: 'multipart/form-data; boundary=x', path: '/api/v1/hash' },
    cut: async (sent) =>
      void sent.write(
        '--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nhalf',
      ),
  },
  'a batch of actions': {
    ...{ type: 'application/json', path: '/api/v1/action/batch' },
    cut: async (sent) => void sent.write('{"actions":['),
  },
}

test('a body that breaks off with its headers is the client’s fault and no line in the log', async (t) => {
  const api = await apiInTest(t)
  const key = await api.key(['match:read'])
  const { hostname, port } = new URL(api.url)
  const socket = connect(Number(port), hostname)
  const answer = text(socket)
  socket.write(
    `POST /api/v1/match HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n{}`,
  )
  assert.match(await answer, /^HTTP\/1\.1 400 /)
  assert.equal((await api.ask('/api/v1/status', { key })).status, 200)
  assert.deepEqual(api.lines, [])
})

test('clients that go away leave no place taken, no connection and no line in the log', async (t) => {
  const api = await apiInTest(t, { BLOBWATCH_API_REQUESTS_PER_SECOND: '10000' })
  const key = await api.key(['match:read', 'scan', 'act'])
  const sockets = () =>
    process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
  await whole(api, key)
  const before = sockets()
  for (const { type, path, cut } of Object.values(cuts)) {
    for (let n = 0; n < rounds; n++) {
      const sent = request(`${api.url}${path}`, {
        method: 'POST',
        agent: false,
        headers: { authorization: `Bearer ${key}`, 'content-type': type },
      })
      sent.on('error', () => {})
      await cut(sent)
      // So that it arrives: what the other side has seen of it is not ours to see.
      await sleep(5)
      const closed = new Promise((resolve) => sent.once('close', resolve))
      sent.destroy()
      await closed
    }
    await whole(api, key)
  }
  while (sockets() > before) await sleep(20)
  assert.deepEqual(api.lines, [])
})

/** As many at once as one caller may have, of each kind. */
async function whole(api: ApiInTest, key: string): Promise<void> {
  const post = (path: string, type: string, body: string) =>
    api.ask(path, { key, method: 'POST', headers: { 'content-type': type }, body })
  const asks = [1, 2, 3, 4].flatMap(() => [
    post('/api/v1/match/batch', 'application/x-ndjson', line(1)),
    post('/api/v1/match/batch', 'application/json', '{"hashes":[]}'),
  ])
  for (const answer of await Promise.all(asks)) {
    assert.equal(answer.status, 200)
    await answer.text()
  }
}
