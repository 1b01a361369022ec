import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { RetryableError, UsageError } from '../domain/errors.ts'
import { readBytes } from '../http/read-bytes.ts'
import { rawCid } from '../testing/relay-frames.ts'
import { memoryIntake } from './memory-intake.ts'
import { createWebhookApp, webhookLimits, type WebhookOptions } from './webhook.ts'

const path = '/api/v1/webhook/atproto-callback'
const nowMs = Date.parse('2026-11-21T12:00:00Z')
const now = nowMs / 1000
const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const newSecret = `whsec_${Buffer.alloc(32, 8).toString('base64')}`
const did = 'did:plc:ewvi7nxzyoun6zhxrhs64oiz'
const cid = rawCid('picture').toString()
const upload = JSON.stringify({ event_type: 'image_upload', content_id: 'post-1', did, cid })

type Sent = { id: string; timestamp: string; signature: string; body: string | Uint8Array }

function signed(body: string, from: { id?: string; at?: number; key?: string } = {}): Sent {
  const { id = 'msg_1', at = now, key = secret } = from
  const signature = new Webhook(key).sign(id, new Date(at * 1000), body)
  return { id, timestamp: String(at), signature, body }
}

function setting(options: Partial<WebhookOptions> = {}) {
  const intake = memoryIntake()
  const { takeIn } = intake
  const given = { secrets: [secret], takeIn, clock: () => nowMs, readBody: readBytes }
  const app = createWebhookApp({ ...given, ...options })
  const send = async (sent: Sent): Promise<Response> =>
    app.request(path, {
      method: 'POST',
      body: typeof sent.body === 'string' ? sent.body : Uint8Array.from(sent.body),
      headers: {
        'webhook-id': sent.id,
        'webhook-timestamp': sent.timestamp,
        'webhook-signature': sent.signature,
      },
    })
  return { intake, app, send }
}

async function problemOf(response: Response): Promise<string> {
  assert.equal(response.headers.get('content-type'), 'application/problem+json')
  const body = (await response.json()) as Record<string, unknown>
  assert.deepEqual([body.status, body.type], [response.status, 'about:blank'])
  assert.match(String(body.detail), /^[A-Za-z_].*\.$/)
  return String(body.detail)
}

describe('the webhook', () => {
  it('takes an upload, and a retry of it once in effect', async () => {
    const { intake, send } = setting()
    const first = await send(signed(upload))
    assert.deepEqual([first.status, await first.json()], [202, { status: 'accepted', id: 'msg_1' }])
    const retry = await send(signed(upload, { at: now + 60 }))
    assert.deepEqual(
      [retry.status, await retry.json()],
      [200, { status: 'duplicate', id: 'msg_1' }],
    )
    assert.equal(intake.batches.length, 1)
    assert.deepEqual(intake.batches[0]?.delivery, {
      endpoint: 'atproto-callback',
      id: 'msg_1',
      contentId: 'post-1',
    })
    assert.deepEqual(intake.all('sightings'), [{ did, blobCid: cid, source: 'webhook' }])
  })

  it('agrees with a signature made by hand', async () => {
    const { send } = setting()
    const mac = createHmac('sha256', Buffer.alloc(32, 7)).update(`msg_9.${now}.${upload}`)
    const signature = `v1a,x v1,${mac.digest('base64')}`
    const sent = { id: 'msg_9', timestamp: String(now), signature, body: upload }
    assert.equal((await send(sent)).status, 202)
  })

  it('takes both secrets while one replaces the other', async () => {
    const { send } = setting({ secrets: [newSecret, secret] })
    assert.equal((await send(signed(upload, { id: 'a' }))).status, 202)
    assert.equal((await send(signed(upload, { id: 'b', key: newSecret }))).status, 202)
    const old = setting({ secrets: [newSecret] })
    assert.equal((await old.send(signed(upload))).status, 401)
  })

  it('accepts none of a thousand forged, expired, altered, cut or reordered requests, with one answer', async () => {
    const { intake, send } = setting()
    const good = signed(upload)
    const otherKey = fc
      .uint8Array({ minLength: 24, maxLength: 64 })
      .map((key) => signed(upload, { key: `whsec_${Buffer.from(key).toString('base64')}` }))
    const times = fc.oneof(
      fc.integer({ min: 1, max: now - 301 }),
      fc.integer({ min: now + 301, max: 2 ** 33 }),
    )
    const changed = fc.record({
      at: fc.nat(upload.length - 1),
      by: fc.integer({ min: 1, max: 127 }),
    })
    const forged: fc.Arbitrary<Sent> = fc.oneof(
      otherKey,
      times.map((at) => signed(upload, { at })),
      times.map((at) => ({ ...good, timestamp: String(at) })),
      fc
        .integer({ min: -300, max: 300 })
        .filter((by) => by !== 0)
        .map((by) => ({ ...good, timestamp: String(now + by) })),
      fc
        .constantFrom(`${now}.0`, ` ${now}a`, `0${now}`, `+${now}`, '', 'NaN', `${now}e0`)
        .map((timestamp) => ({ ...good, timestamp })),
      fc
        .nat(good.signature.length - 1)
        .map((end) => ({ ...good, signature: good.signature.slice(0, end) })),
      fc.nat(upload.length - 1).map((end) => ({ ...good, body: upload.slice(0, end) })),
      changed.map(({ at, by }) => {
        const body = Buffer.from(upload)
        body[at] = (body[at] ?? 0) ^ by
        return { ...good, body }
      }),
      fc
        .shuffledSubarray(good.signature.slice(3).split(''), {
          minLength: good.signature.length - 3,
        })
        .map((chars) => ({ ...good, signature: `v1,${chars.join('')}` }))
        .filter((sent) => sent.signature !== good.signature),
      fc
        .constantFrom('v1', 'v1,', 'v2', ',', ' ', '')
        .map((version) => ({ ...good, signature: good.signature.replace('v1,', version) }))
        .filter((sent) => !sent.signature.split(' ').includes(good.signature)),
      fc
        .stringMatching(/^[a-z0-9.]{0,12}$/)
        .filter((id) => id !== good.id)
        .map((id) => ({ ...good, id })),
      fc.constant({
        ...good,
        id: `msg.${now}`,
        signature: signed(`${now}.${upload}`, { id: 'msg' }).signature,
      }),
      fc
        .uint8Array({ minLength: 32, maxLength: 32 })
        .map((mac) => ({ ...good, signature: `v1,${Buffer.from(mac).toString('base64')}` })),
      fc.constant({ ...good, body: Buffer.concat([Buffer.from(upload), Buffer.of(0xff)]) }),
      fc.constant({ ...good, body: `\ufeff${upload}` }),
      // Bytes that a lenient decoder would read as the same text.
      fc.constant({
        ...signed(upload.replace('post-1', '\ufffd')),
        body: Buffer.from(upload.replace('post-1', '\u00ff'), 'latin1'),
      }),
    )
    const answers = new Set<string>()
    await fc.assert(
      fc.asyncProperty(forged, async (sent) => {
        const response = await send(sent)
        assert.equal(response.status, 401, JSON.stringify(sent))
        answers.add(await response.text())
      }),
      { numRuns: 1_000 },
    )
    assert.deepEqual([intake.batches.length, answers.size], [0, 1])
    // The one they were all made from was good.
    assert.equal((await send(good)).status, 202)
  })

  it('answers a replay within the window as a duplicate and after it as forged', async () => {
    let clockMs = nowMs
    const { intake, send } = setting({ clock: () => clockMs })
    const sent = signed(upload)
    assert.equal((await send(sent)).status, 202)
    clockMs += 300_000
    assert.equal((await send(sent)).status, 200)
    clockMs += 1_000
    assert.equal((await send(sent)).status, 401)
    assert.equal(intake.batches.length, 1)
  })

  it('counts the bytes that arrive, before it looks at a signature', async () => {
    const { app, intake, send } = setting()
    const large = JSON.stringify({
      event_type: 'image_upload',
      did,
      cid,
      pad: 'x'.repeat(webhookLimits.bodyBytesMax),
    })
    const response = await send(signed(large))
    assert.equal(response.status, 413)
    await problemOf(response)
    const exact = large.slice(0, -(large.length - webhookLimits.bodyBytesMax + 2)) + '"}'
    assert.equal((await send(signed(exact))).status, 202)

    let pulled = 0
    const endless = new ReadableStream({
      pull: (controller) => {
        pulled += 1
        controller.enqueue(new Uint8Array(16_384))
      },
    })
    const init = {
      method: 'POST',
      body: endless,
      duplex: 'half',
      headers: { 'content-length': '5' },
    }
    assert.equal((await app.request(path, init as RequestInit)).status, 413)
    assert.ok(pulled < 20)
    assert.equal(intake.batches.length, 1)
  })

  it('gives up on a body that does not arrive', async () => {
    const { app } = setting({ limits: { bodyMs: 30 } })
    const init = { method: 'POST', body: new ReadableStream(), duplex: 'half' }
    assert.equal((await app.request(path, init as RequestInit)).status, 408)
  })

  it('asks to come back while the database is away or intake is stopped', async () => {
    const away: Partial<WebhookOptions>[] = [
      { takeIn: () => Promise.reject(new RetryableError('the database at 10.0.0.1 is away')) },
      { takeIn: () => Promise.resolve('fenced') },
      { intakeAllowed: () => false },
    ]
    for (const options of away) {
      const response = await setting(options).send(signed(upload))
      assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '5'])
      assert.ok(!(await problemOf(response)).includes('10.0.0.1'))
    }
  })

  const getBlob = `https://pds.example/xrpc/com.atproto.sync.getBlob?did=${did}&cid=${cid}`
  const cdn = `https://cdn.bsky.app/img/feed_fullsize/plain/${did}/${cid}@jpeg`
  const elsewhere = 'https://images.example/a.jpg'
  const record = `at://${did}/app.bsky.feed.post/3kabc`
  const place = { collection: 'app.bsky.feed.post', rkey: '3kabc' }
  const blob = { did, blobCid: cid, source: 'webhook' }

  const accepted: [string, object, object][] = [
    ['a getBlob address', { image_url: getBlob }, { sightings: [blob], urls: [] }],
    ['an address of the Bluesky CDN', { image_url: cdn }, { sightings: [blob], urls: [] }],
    [
      'did and cid beside another address',
      { did, cid, image_url: elsewhere },
      { sightings: [blob], urls: [] },
    ],
    [
      'a record and a cid',
      { content_id: record, cid },
      { sightings: [{ ...blob, ...place }], urls: [] },
    ],
    [
      'a record and an address',
      { content_id: record, image_url: elsewhere },
      { sightings: [], urls: [{ did, url: elsewhere, contentId: record }] },
    ],
    [
      'an account and an address',
      { did, image_url: elsewhere },
      { sightings: [], urls: [{ did, url: elsewhere }] },
    ],
  ]
  for (const [name, fields, expected] of accepted) {
    it(`takes ${name}`, async () => {
      const { intake, send } = setting()
      const response = await send(signed(JSON.stringify({ event_type: 'image_upload', ...fields })))
      assert.equal(response.status, 202, await response.text())
      const { sightings, urls } = intake.batches[0] ?? {}
      assert.deepEqual({ sightings, urls }, expected)
    })
  }

  const refused: [string, unknown, number, RegExp][] = [
    ['what is not JSON', undefined, 400, /not JSON/],
    ['what is no object', [], 400, /not a JSON object/],
    ['an unknown event', { event_type: 'login' }, 422, /image_upload or moderation_action/],
    ['neither cid nor address', { did }, 422, /cid or image_url is needed/],
    ['an address without an account', { image_url: elsewhere }, 422, /did is needed/],
    ['a DID that is none', { did: 'alice', cid }, 422, /not a DID/],
    ['a CID that is none', { did, cid: 'abc' }, 422, /not a CID/],
    [
      'another account in the address',
      { did: 'did:plc:ar7c4by46qjdydhdevvrndac', image_url: cdn },
      422,
      /more than one account/,
    ],
    [
      'another blob in the address',
      { cid: rawCid('b').toString(), image_url: cdn },
      422,
      /more than one blob/,
    ],
    [
      'an address with a password',
      { did, image_url: 'https://a:b@images.example/' },
      422,
      /user name/,
    ],
    ['another scheme', { did, image_url: 'file:///etc/passwd' }, 422, /http or https/],
    [
      'a text that no database takes',
      { did, cid, content_id: 'a\u0000' },
      422,
      /control characters/,
    ],
    ['half a surrogate', { did, cid, content_id: '\ud800' }, 422, /control characters/],
    ['a long content_id', { did, cid, content_id: 'x'.repeat(513) }, 422, /1 to 512/],
    ['a number for a text', { did, cid: 5 }, 422, /has to be a text/],
  ]
  for (const [name, fields, status, sentence] of refused) {
    it(`refuses ${name} with a sentence`, async () => {
      const { intake, send } = setting()
      const whole = Array.isArray(fields)
        ? fields
        : { event_type: 'image_upload', ...(fields as object) }
      const response = await send(signed(fields === undefined ? '{' : JSON.stringify(whole)))
      assert.equal(response.status, status)
      assert.match(await problemOf(response), sentence)
      assert.equal(intake.batches.length, 0)
    })
  }

  it('knows moderation_action and does nothing with it', async () => {
    const { intake, send } = setting()
    const response = await send(signed(JSON.stringify({ event_type: 'moderation_action' })))
    const body = (await response.json()) as { status: string }
    assert.deepEqual([response.status, body.status, intake.batches.length], [202, 'ignored', 0])
  })

  it('refuses secrets that are none, without showing them', () => {
    const weak = randomBytes(8).toString('base64')
    for (const secrets of [[], [secret, secret, secret], [weak], [`whsec_${weak}`], ['whsec_?']]) {
      assert.throws(
        () => setting({ secrets }),
        (error: unknown) => error instanceof UsageError && !error.message.includes(weak),
      )
    }
  })
})
