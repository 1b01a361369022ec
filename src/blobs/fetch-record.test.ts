import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRecordReader } from './fetch-record.ts'
import { createHostClient } from './host-client.ts'
import { startHost } from './loopback-host.ts'
import { did, nowMs, pairUrl, resolverOf } from './pds-stand-in.ts'

async function read(body: string, status = 200, lookup: 'found' | 'deferred' = 'found') {
  await using host = await startHost(
    (_request, response) => void response.writeHead(status).end(body),
  )
  const pair = { url: pairUrl, address: host.origin }
  const reader = createRecordReader({
    client: createHostClient({ clock: () => nowMs, pair }),
    resolver: resolverOf(() =>
      lookup === 'found'
        ? { kind: 'found', pds: pairUrl }
        : { kind: 'deferred', reason: 'identity-failed' },
    ),
  })
  const signal = new AbortController().signal
  const copy = await reader({ did, collection: 'app.bsky.feed.post', rkey: 'a b', signal })
  return { copy, asked: host.requests.map(({ url }) => url) }
}

test('a record is kept as the text that its host served, byte for byte', async () => {
  const json = '{"uri":"at://x",  "cid":"bafy","value":{"text":"\u00e9\\u0000"}}'
  const { copy, asked } = await read(json)
  assert.deepEqual(copy, { kind: 'record', cid: 'bafy', json })
  assert.deepEqual(asked, [
    `/xrpc/com.atproto.repo.getRecord?repo=${encodeURIComponent(did)}&collection=app.bsky.feed.post&rkey=a+b`,
  ])
})

test('what is no record is a reason, never an error', async () => {
  const none = (reason: string) => ({ kind: 'none', reason })
  assert.deepEqual((await read('no json')).copy, none('bad-answer'))
  assert.deepEqual((await read('7')).copy, none('bad-answer'))
  assert.deepEqual((await read('{"error":"RecordNotFound"}', 400)).copy, none('not-found'))
  assert.deepEqual((await read('', 503)).copy, none('server-error'))
  assert.deepEqual((await read(`"${'x'.repeat(300_000)}"`)).copy, none('too-large'))
  assert.deepEqual((await read('{}', 200, 'deferred')).copy, none('identity-failed'))
})
