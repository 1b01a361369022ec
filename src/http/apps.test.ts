import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Hono } from 'hono'
import { generateLabelKey } from '../labeler/sign-label.ts'
import { createPrivateApp } from './private-app.ts'
import { createPublicApp, publicBodyBytesMax } from './public-app.ts'
import { createReadiness } from './readiness.ts'
import type { ReadinessCheck } from './readiness.ts'

const version = '1.2.3'
const errors: { error: unknown; requestId: string }[] = []
const onError = (error: unknown, requestId: string): void => {
  errors.push({ error, requestId })
}

describe('the public app', () => {
  test('says what it is and that it is alive, and nothing else', async () => {
    const app = createPublicApp({ version, onError })
    const page = await app.request('/')
    assert.match(await page.text(), /^Blobwatch 1\.2\.3/)
    assert.match(page.headers.get('content-type') ?? '', /^text\/plain/)
    assert.equal(page.headers.get('x-content-type-options'), 'nosniff')
    const health = await app.request('/xrpc/_health')
    assert.deepEqual(await health.json(), { version })
    for (const path of ['/metrics', '/readyz', '/.well-known/did.json', '/nope']) {
      assert.equal((await app.request(path)).status, 404, path)
    }
  })

  test('publishes the key and address of a did:web labeler', async () => {
    const { keyDid } = await generateLabelKey()
    const labeler = { did: 'did:web:labels.example', keyDid, publicUrl: 'https://labels.example/' }
    const app = createPublicApp({ version, labeler, onError })
    const response = await app.request('/.well-known/did.json')
    assert.equal(response.headers.get('access-control-allow-origin'), '*')
    const document = (await response.json()) as Record<string, never[]>
    assert.equal(document['id'], labeler.did)
    assert.deepEqual(document['verificationMethod'], [
      {
        id: 'did:web:labels.example#atproto_label',
        type: 'Multikey',
        controller: labeler.did,
        publicKeyMultibase: keyDid.slice('did:key:'.length),
      },
    ])
    assert.deepEqual(document['service'], [
      {
        id: '#atproto_labeler',
        type: 'AtprotoLabeler',
        serviceEndpoint: 'https://labels.example',
      },
    ])
    const elsewhere = { ...labeler, publicUrl: 'https://other.example' }
    assert.throws(() => createPublicApp({ version, labeler: elsewhere, onError }), {
      name: 'UsageError',
    })
    const plc = { ...labeler, did: 'did:plc:ewvi7nxzyoun6zhxrhs64oiz' }
    const plcApp = createPublicApp({ version, labeler: plc, onError })
    assert.equal((await plcApp.request('/.well-known/did.json')).status, 404)
  })

  test('serves a sub-app and bounds what is sent to it', async () => {
    const hook = new Hono()
    hook.post('/callback', async (context) =>
      context.text(String((await context.req.text()).length)),
    )
    const app = createPublicApp({
      version,
      mounts: [{ path: '/api/v1/webhook', app: hook }],
      onError,
    })
    const send = (bytes: number): Promise<Response> | Response =>
      app.request('/api/v1/webhook/callback', { method: 'POST', body: 'x'.repeat(bytes) })
    assert.equal(await (await send(10)).text(), '10')
    const tooBig = await send(publicBodyBytesMax + 1)
    assert.equal(tooBig.status, 413)
    assert.equal(tooBig.headers.get('content-type'), 'application/problem+json')
    assert.partialDeepStrictEqual(await tooBig.json(), { status: 413, code: 'too-large' })
  })

  test('answers errors as problem+json with a request id and without the reason', async () => {
    const broken = new Hono()
    broken.get('/', () => {
      throw new Error('secret at /home/user')
    })
    const app = createPublicApp({ version, mounts: [{ path: '/broken', app: broken }], onError })
    errors.length = 0
    const response = await app.request('/broken', { headers: { 'x-request-id': 'evil\tid' } })
    const body = (await response.json()) as { status: number; title: string; requestId: string }
    assert.equal(response.status, 500)
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    assert.deepEqual(Object.keys(body), ['type', 'title', 'status', 'requestId'])
    assert.equal(body.title, 'Internal Server Error')
    assert.equal(response.headers.get('x-request-id'), body.requestId)
    assert.match(body.requestId, /^[0-9a-f-]{36}$/)
    assert.equal(errors[0]?.requestId, body.requestId)
    assert.match(String(errors[0]?.error), /secret/)
  })
})

describe('the private app', () => {
  const metrics = async (): Promise<{ contentType: string; body: string }> => ({
    contentType: 'text/plain; version=0.0.4',
    body: 'blobwatch_open_gaps 0\n',
  })
  const appWith = (checks: Record<string, ReadinessCheck>): ReturnType<typeof createPrivateApp> =>
    createPrivateApp({
      version,
      metrics,
      onError,
      readiness: createReadiness({ checks, clock: Date.now, limitMs: 30 }),
    })

  test('is ready while every part can work, a late firehose included', async () => {
    const app = appWith({
      database: async () => ({ ok: true }),
      firehose: async () => ({ ok: true, note: '40 s late' }),
    })
    const response = await app.request('/readyz')
    assert.equal(response.status, 200)
    assert.deepEqual(await response.json(), {
      ready: true,
      checks: { database: { ok: true }, firehose: { ok: true, note: '40 s late' } },
    })
  })

  test('answers 503 with every reason, whether a part says no, fails or hangs; livez stays 200', async () => {
    const app = appWith({
      database: () => Promise.reject(new Error('postgres://user:pw@host')),
      index: () => new Promise(() => undefined),
      ledger: async () => ({ ok: false, note: 'a ledger fault stopped appending' }),
      migrations: async () => ({ ok: true }),
    })
    const response = await app.request('/readyz')
    assert.equal(response.status, 503)
    assert.deepEqual(await response.json(), {
      ready: false,
      checks: {
        database: { ok: false, note: 'the check failed' },
        index: { ok: false, note: 'no answer within 30 ms' },
        ledger: { ok: false, note: 'a ledger fault stopped appending' },
        migrations: { ok: true },
      },
    })
    assert.equal((await app.request('/livez')).status, 200)
  })

  test('asks each part once for many callers within a second', async () => {
    let asked = 0
    let nowMs = 0
    const check = async (): Promise<{ ok: boolean }> => ({ ok: (asked += 1) > 0 })
    const readiness = createReadiness({ checks: { a: check }, clock: () => nowMs })
    await Promise.all(Array.from({ length: 100 }, readiness))
    assert.equal(asked, 1)
    nowMs = 1000
    await readiness()
    assert.equal(asked, 2)
  })

  test('shows the metrics with their content type', async () => {
    const response = await appWith({}).request('/metrics')
    assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4')
    assert.match(await response.text(), /open_gaps/)
    assert.deepEqual(await (await appWith({}).request('/xrpc/_health')).json(), { version })
  })
})
