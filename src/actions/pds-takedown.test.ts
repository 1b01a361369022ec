// Against a real PDS and PLC (@atproto/dev-env), and against a stand-in for what a PDS does only on a bad day.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { AtpAgent } from '@atproto/api'
import type { BlobRef } from '@atproto/api'
import { TestNetworkNoAppView } from '@atproto/dev-env'
import { loopbackOnly } from '../testing/loopback-only.ts'
import type { RemoteSubject, TakedownPort } from '../domain/ports.ts'
import { adminAnswerBytesMax, retryAfterMs, retryAfterMsMax } from './admin-request.ts'
import { createPdsTakedown } from './pds-takedown.ts'
import { applyTakedown } from './takedown.ts'

const signal = AbortSignal.timeout(60_000)

describe('a takedown on a real PDS', { timeout: 60_000 }, () => {
  let network: TestNetworkNoAppView
  let agent: AtpAgent
  let port: TakedownPort
  let posts = 0

  before(async () => {
    using _loopback = loopbackOnly()
    network = await TestNetworkNoAppView.create({})
    agent = new AtpAgent({ service: network.pds.url })
    await agent.createAccount({ handle: 'alice.test', email: 'a@test.com', password: 'pw-alice' })
    port = portFor(network.pds.url)
  })
  after(() => network.close())

  test('takes a blob down, says so again when asked again, and takes it back', async () => {
    const { blob } = await post()
    const first = await applyTakedown({ port, subject: blob, applied: true, ref: 'BW-1', signal })
    assert.deepEqual(first, { kind: 'done', detail: { applied: true, ref: 'BW-1' } })
    assert.equal(await blobStatus(blob), 400)
    const again = await applyTakedown({ port, subject: blob, applied: true, ref: 'BW-1', signal })
    assert.deepEqual(again, { kind: 'done', detail: { applied: true, already: true, ref: 'BW-1' } })
    const back = await applyTakedown({ port, subject: blob, applied: false, ref: 'BW-1', signal })
    assert.deepEqual(back, { kind: 'done', detail: { applied: false } })
    assert.equal(await blobStatus(blob), 200)
    const backAgain = await applyTakedown({
      port,
      subject: blob,
      applied: false,
      ref: 'BW-1',
      signal,
    })
    assert.deepEqual(backAgain, { kind: 'done', detail: { applied: false, already: true } })
  })

  test('takes a record down for readers and takes it back; its blob is another subject', async () => {
    const { blob, record } = await post()
    const down = await applyTakedown({ port, subject: record, applied: true, ref: 'BW-2', signal })
    assert.deepEqual(down, { kind: 'done', detail: { applied: true, ref: 'BW-2' } })
    await assert.rejects(getRecord(record))
    assert.equal(await blobStatus(blob), 200)
    await applyTakedown({ port, subject: record, applied: false, ref: 'BW-2', signal })
    await getRecord(record)
  })

  test("leaves somebody else's takedown in force and theirs", async () => {
    const { blob } = await post()
    await port.set(blob, { applied: true, ref: 'OTHER-7' }, signal)
    const ours = await applyTakedown({ port, subject: blob, applied: true, ref: 'BW-3', signal })
    assert.equal(ours.kind, 'done')
    assert.deepEqual(ours.kind === 'done' && ours.detail, {
      applied: true,
      already: true,
      note: 'already-by-other',
      theirs: 'OTHER-7',
    })
    const back = await applyTakedown({ port, subject: blob, applied: false, ref: 'BW-3', signal })
    assert.deepEqual(back, { kind: 'refused', reason: 'not-ours' })
    assert.deepEqual(await port.status(blob, signal), {
      kind: 'known',
      applied: true,
      ref: 'OTHER-7',
    })
  })

  test('refuses to claim a takedown of a blob that the PDS never stored', async () => {
    const blob = {
      kind: 'blob',
      did: agent.assertDid,
      blobCid: 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
    } as const
    // The PDS itself answers 200.
    await port.set(blob, { applied: true, ref: 'BW-4' }, signal)
    const outcome = await applyTakedown({ port, subject: blob, applied: true, ref: 'BW-4', signal })
    assert.deepEqual(outcome, { kind: 'refused', reason: 'not-stored' })
    const back = await applyTakedown({ port, subject: blob, applied: false, ref: 'BW-4', signal })
    assert.equal(back.kind === 'done' && back.detail['note'], 'not-found')
  })

  test('refuses when the account lives on another PDS', async () => {
    const { blob } = await post()
    const stranger = { ...blob, did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa' }
    const outcome = await applyTakedown({
      port,
      subject: stranger,
      applied: true,
      ref: 'BW-5',
      signal,
    })
    assert.deepEqual(outcome, { kind: 'refused', reason: 'not-stored' })
  })

  test('stops the publication of a blob that is uploaded but not yet in a record', async () => {
    const upload = await agent.uploadBlob(picture(), { encoding: 'image/png' })
    const blobCid = upload.data.blob.ref.toString()
    const blob = { kind: 'blob', did: agent.assertDid, blobCid } as const
    const outcome = await applyTakedown({ port, subject: blob, applied: true, ref: 'BW-6', signal })
    assert.equal(outcome.kind, 'done')
    await assert.rejects(publish(upload.data.blob), { error: 'BlobNotFound' })
  })

  test('the PDS forgets a blob takedown with the last record, so the bytes can come back', async () => {
    const bytes = picture()
    const { blob, record } = await post(bytes)
    await applyTakedown({ port, subject: blob, applied: true, ref: 'BW-7', signal })
    await assert.rejects(agent.uploadBlob(bytes, { encoding: 'image/png' }), /takendown/)
    await agent.deletePost(`at://${record.did}/${record.collection}/${record.rkey}`)
    await network.processAll()
    assert.deepEqual(await port.status(blob, signal), { kind: 'not-found' })
    const back = await post(bytes)
    assert.equal(back.blob.blobCid, blob.blobCid)
    assert.equal(await blobStatus(blob), 200)
    const again = await applyTakedown({ port, subject: blob, applied: true, ref: 'BW-8', signal })
    assert.deepEqual(again, { kind: 'done', detail: { applied: true, ref: 'BW-8' } })
    assert.equal(await blobStatus(blob), 400)
  })

  test('refuses with bad-credentials when the password is wrong', async () => {
    const { blob } = await post()
    const wrong = portFor(network.pds.url, 'not-the-password')
    const outcome = await applyTakedown({
      port: wrong,
      subject: blob,
      applied: true,
      ref: 'BW-9',
      signal,
    })
    assert.deepEqual(outcome, { kind: 'refused', reason: 'bad-credentials' })
    assert.equal(await blobStatus(blob), 200)
  })

  function picture(): Buffer {
    posts += 1
    const png =
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=='
    // Bytes after the end of a PNG change its CID and nothing else.
    return Buffer.concat([Buffer.from(png, 'base64'), Buffer.from(String(posts))])
  }

  async function post(bytes = picture()): Promise<{
    blob: Extract<RemoteSubject, { kind: 'blob' }>
    record: Extract<RemoteSubject, { kind: 'record' }>
  }> {
    const upload = await agent.uploadBlob(bytes, { encoding: 'image/png' })
    const { uri, cid } = await publish(upload.data.blob)
    const did = agent.assertDid
    const [collection, rkey] = uri.split('/').slice(-2) as [string, string]
    return {
      blob: { kind: 'blob', did, blobCid: upload.data.blob.ref.toString() },
      record: { kind: 'record', did, collection, rkey, recordCid: cid },
    }
  }

  function publish(image: BlobRef): Promise<{ uri: string; cid: string }> {
    return agent.post({
      text: 'x',
      embed: { $type: 'app.bsky.embed.images', images: [{ image, alt: '' }] },
    })
  }

  function getRecord(record: Extract<RemoteSubject, { kind: 'record' }>): Promise<unknown> {
    const { did: repo, collection, rkey } = record
    return agent.com.atproto.repo.getRecord({ repo, collection, rkey })
  }

  async function blobStatus(blob: { did: string; blobCid: string }): Promise<number> {
    const query = new URLSearchParams({ did: blob.did, cid: blob.blobCid })
    const response = await fetch(
      `${network.pds.url}/xrpc/com.atproto.sync.getBlob?${query.toString()}`,
    )
    await response.arrayBuffer()
    return response.status
  }
})

describe('a host on a bad day', () => {
  const subject = { kind: 'blob', did: 'did:plc:a', blobCid: 'bafkreia' } as const

  test('gets no second request and no password when it redirects', async () => {
    const stolen: (string | undefined)[] = []
    await using thief = await standIn((request, response) => {
      stolen.push(request.headers.authorization)
      response.end('{}')
    })
    for (const status of [301, 302, 303, 307, 308]) {
      await using host = await standIn((_request, response) => {
        response.writeHead(status, { location: thief.url }).end()
      })
      const outcome = await attempt(host.url)
      assert.deepEqual(outcome, { kind: 'refused', reason: 'redirected' })
    }
    assert.deepEqual(stolen, [])
  })

  test('is asked again after the time it names, an hour at most', async () => {
    await using host = await standIn((_request, response) => {
      response.writeHead(429, { 'retry-after': '7' }).end('{"error":"RateLimitExceeded"}')
    })
    const outcome = await attempt(host.url)
    assert.deepEqual(outcome, { kind: 'retry', reason: 'rate-limited', afterMs: 7000 })
    assert.equal(retryAfterMs('999999', 0), retryAfterMsMax)
    assert.equal(retryAfterMs('Thu, 01 Jan 1970 00:01:00 GMT', 0), 60_000)
    assert.equal(retryAfterMs('soon', 0), undefined)
    assert.equal(retryAfterMs(null, 0), undefined)
  })

  test('is asked again after 5xx, no answer, a page instead of JSON, and a closed port', async () => {
    await using broken = await standIn((_request, response) => void response.writeHead(502).end())
    assert.deepEqual(await attempt(broken.url), { kind: 'retry', reason: 'server-error' })
    await using silent = await standIn(() => undefined)
    assert.deepEqual(await attempt(silent.url), { kind: 'retry', reason: 'timeout' })
    await using page = await standIn((_request, response) => void response.end('<html>'))
    assert.deepEqual(await attempt(page.url), { kind: 'retry', reason: 'bad-answer' })
    await using gone = await standIn(() => undefined)
    await gone[Symbol.asyncDispose]()
    assert.deepEqual(await attempt(gone.url), { kind: 'retry', reason: 'network' })
  })

  test('is not believed when it answers about another subject', async () => {
    await using host = await standIn((_request, response) => {
      const other = { did: 'did:plc:b', cid: 'bafkreia' }
      response.end(JSON.stringify({ subject: other, takedown: { applied: true, ref: 'BW-1' } }))
    })
    assert.deepEqual(await attempt(host.url), { kind: 'retry', reason: 'bad-answer' })
  })

  test('cannot make us read more than the limit', async () => {
    await using host = await standIn((_request, response) => {
      response.end('x'.repeat(adminAnswerBytesMax + 1))
    })
    assert.deepEqual(await attempt(host.url), { kind: 'refused', reason: 'answer-too-large' })
  })

  test('is left at once when we stop', async () => {
    await using host = await standIn(() => undefined)
    const outcome = await attempt(host.url, AbortSignal.timeout(20))
    assert.deepEqual(outcome, { kind: 'retry', reason: 'stopped' })
  })

  function attempt(url: string, stop = signal): ReturnType<typeof applyTakedown> {
    const port = portFor(url, 'admin-pass', 300)
    return applyTakedown({ port, subject, applied: true, ref: 'BW-1', signal: stop })
  }
})

test('tries again when the read-back shows that nothing is in force', async () => {
  const port: TakedownPort = {
    status: async () => ({ kind: 'known', applied: false }),
    set: async () => undefined,
  }
  const subject = { kind: 'blob', did: 'did:plc:a', blobCid: 'bafkreia' } as const
  const outcome = await applyTakedown({ port, subject, applied: true, ref: 'BW-1', signal })
  assert.deepEqual(outcome, { kind: 'retry', reason: 'not-in-force' })
})

function portFor(address: string, adminPassword = 'admin-pass', timeoutMs?: number): TakedownPort {
  const pair = { url: 'https://pds.example', address }
  return createPdsTakedown({ pair, adminPassword, ...(timeoutMs && { timeoutMs }) })
}

async function standIn(handler: RequestListener): Promise<AsyncDisposable & { url: string }> {
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
