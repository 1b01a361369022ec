// What a caller hears who did something wrong: each refusal says in a sentence what to do, has a word for programs, and
// repeats nothing that could be a signal.
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { json } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { createBank } from '../../banks/bank-store.ts'
import { apiInTest } from '../api-in-test.ts'
import type { ApiInTest } from '../api-in-test.ts'

type Problem = {
  status: number
  detail?: string
  code?: string
  errors?: { field: string; message: string }[]
}
type Given = { method?: string; json?: unknown; body?: string; type?: string; once?: string }

const did = 'did:plc:ewvi7nxzyoun6zhxrhs64oiz'
const cid = 'bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy'
const md5 = '305c64a5e78ce69bbf19c40c51944141'

describe('a refusal', () => {
  const cleaning: (() => unknown)[] = []
  let api: ApiInTest
  let key: string
  before(async () => {
    api = await apiInTest(
      { after: (clean) => void cleaning.push(clean as () => unknown) },
      {
        BLOBWATCH_API_REQUESTS_PER_SECOND: '100000',
        BLOBWATCH_BLOB_BYTES_MAX: '1048576',
        BLOBWATCH_WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
      },
    )
    const bank = { name: 'KNOWN', mode: 'observe', class: 'open' } as const
    await createBank(api.database.app, { ...bank, principal: api.person, nowMs: Date.now() })
    key = await api.key(['admin'], { isPerson: true })
  })
  after(async () => {
    for (const clean of cleaning) await clean()
  })

  async function ask(
    path: string,
    given: Given = {},
  ): Promise<{ answer: Response; said: Problem }> {
    const { json, type = json === undefined ? undefined : 'application/json', once } = given
    const body = json === undefined ? given.body : JSON.stringify(json)
    const answer = await api.ask(`/api/v1${path}`, {
      key,
      method: given.method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        ...(type !== undefined && { 'content-type': type }),
        ...(once !== undefined && { 'idempotency-key': once }),
      },
      ...(body !== undefined && { body }),
    })
    assert.equal(answer.headers.get('content-type'), 'application/problem+json', path)
    return { answer, said: (await answer.json()) as Problem }
  }
  const refusal = async (path: string, given?: Given) => {
    const { answer, said } = await ask(path, given)
    assert.match(said.detail ?? '', /^[^\n]{10,300}[.?]$/, `${path} ${answer.status}`)
    return [answer.status, said.code, said.detail] as const
  }

  it('names what is at the address, or where all addresses are', async () => {
    for (const path of ['', '/', '/nope', '/cases/1/nope', `/blobs/${did}`]) {
      const [status, code, detail] = await refusal(path)
      assert.deepEqual([status, code], [404, 'no-such-route'], path)
      assert.match(detail ?? '', /\/api\/v1\/openapi\.json/)
    }
    const [status, code, detail] = await refusal('/webhook/atproto-callback', { json: {} })
    assert.deepEqual([status, code], [404, 'no-such-route'])
    assert.match(detail ?? '', /public listener/)
  })

  it('is the same shape at the public door, which says where the API is', async () => {
    const path = '/api/v1/webhook/atproto-callback'
    const unsigned = await fetch(`${api.publicUrl}${path}`, { method: 'POST', body: '{}' })
    const said = (await unsigned.json()) as Problem & { requestId?: string; title?: string }
    assert.deepEqual(
      [unsigned.status, said.code, said.title],
      [401, 'no-signature', 'Unauthorized'],
    )
    assert.equal(said.requestId, unsigned.headers.get('x-request-id'))
    const lost = await fetch(`${api.publicUrl}/api/v1/status`)
    const told = (await lost.json()) as Problem
    assert.deepEqual([lost.status, told.code], [404, 'no-such-route'])
    assert.match(told.detail ?? '', /private listener/)
  })

  it('names the methods that an address takes', async () => {
    const wrong: [string, string, string][] = [
      ['GET', '/hash', 'POST'],
      ['PUT', '/banks/KNOWN', 'GET, PATCH'],
      ['GET', '/blobs', 'POST'],
      ['DELETE', `/blobs/${did}/${cid}`, 'GET'],
      ['POST', '/status', 'GET'],
    ]
    for (const [method, path, allowed] of wrong) {
      const { answer, said } = await ask(path, { method })
      assert.deepEqual([answer.status, said.code], [405, 'wrong-method'], path)
      assert.equal(answer.headers.get('allow'), allowed)
      assert.match(said.detail ?? '', new RegExp(allowed))
    }
  })

  it('says which body is taken', async () => {
    const types: [string, string, RegExp][] = [
      ['/match', 'text/plain', /application\/json/],
      ['/match/batch', 'text/plain', /application\/json or application\/x-ndjson/],
      ['/hash', 'image/jpeg', /multipart\/form-data.*file/],
      ['/banks/KNOWN/contents', 'image/jpeg', /application\/json or application\/octet-stream/],
    ]
    for (const [path, type, sentence] of types) {
      const [status, code, detail] = await refusal(path, { body: 'x', type, once: 'problems-type' })
      assert.deepEqual([status, code], [415, 'wrong-type'], path)
      assert.match(detail ?? '', sentence)
    }
    const [status, code] = await refusal('/match', { body: '{', type: 'application/json' })
    assert.deepEqual([status, code], [400, 'not-json'])
  })

  it('says that a body is too large, declared or not, by the route and by the listener', async () => {
    const files = { path: '/banks/KNOWN/contents', type: 'application/octet-stream' }
    const text = { path: '/match', type: 'application/json' }
    for (const { path, type, bytes } of [
      { ...text, bytes: 100_000 },
      { ...text, bytes: 3_000_000 },
      { ...files, bytes: 3_000_000 },
    ])
      for (const isDeclared of [true, false]) {
        const headers = {
          'content-type': type,
          'idempotency-key': `large-${path.length}-${bytes}`,
          ...(isDeclared
            ? { 'content-length': String(bytes) }
            : { 'transfer-encoding': 'chunked' }),
        }
        const { status, said } = await sendLarge(path, headers, bytes)
        assert.deepEqual([status, said.code], [413, 'too-large'], `${path} ${bytes}`)
        assert.match(said.detail ?? '', /\.$/)
      }
  })

  /** The answer may come before all is sent, and the connection may end behind it: `fetch` would not see it then. */
  function sendLarge(
    path: string,
    headers: Record<string, string>,
    bytes: number,
  ): Promise<{ status: number; said: Problem }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; said: Problem }>()
    const sent = request(`${api.url}/api/v1${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, ...headers },
    })
    sent.on('response', (response) => {
      json(response).then((said) => {
        resolve({ status: response.statusCode ?? 0, said: said as Problem })
        sent.destroy()
      }, reject)
    })
    sent.on('error', reject)
    let left = bytes
    const more = () => {
      if (sent.destroyed || left <= 0) return void sent.end()
      left -= 65_536
      return void sent.write(Buffer.alloc(Math.min(65_536, left + 65_536), '1'), () =>
        setImmediate(more),
      )
    }
    more()
    return promise
  }

  it('names the fields, with what they have to be', async () => {
    const { said } = await ask('/match', { json: { hash_type: 'PDQ', threshold: 31 } })
    assert.equal(said.code, 'invalid-fields')
    assert.equal(
      said.detail,
      'hash_value is missing; hash_type has to be one of sha256, md5, sha1, pdq, clip; threshold has to be at most 1.',
    )
    assert.deepEqual(
      said.errors?.map(({ field }) => field),
      ['hash_value', 'hash_type', 'threshold'],
    )
    assert.match(
      (await refusal('/cases/1/note', { json: { nto: 'x' } }))[2] ?? '',
      /known here: nto/,
    )
    assert.match((await refusal('/hash/url', { json: {} }))[2] ?? '', /^url is missing\.$/)
  })

  it('takes no parameter that it does not know for one that is not there', async () => {
    for (const path of [
      '/cases?satte=all',
      '/holds?curser=1',
      '/ledger?cursor=3',
      '/banks/KNOWN/contents?page=2',
      `/explain/pair?a=${md5}&b=${md5}&banks=KNOWN`,
    ]) {
      const [status, code, detail] = await refusal(path)
      assert.deepEqual([status, code], [422, 'invalid-fields'], path)
      assert.match(detail ?? '', /The query has a field that is not known here: \w+\./)
    }
  })

  it('says that a change of a bank names nothing to change', async () => {
    for (const json of [{}, { policy: {} }]) {
      const [status, , detail] = await refusal('/banks/KNOWN', { method: 'PATCH', json })
      assert.equal(status, 422)
      assert.match(detail ?? '', /name a mode, or a part of the policy/)
    }
  })

  it('repeats no signal, whichever way it was written wrong', async () => {
    const odd = `${md5}f`
    const asked: [string, Given?][] = [
      [`/explain/pair?a=${odd}&b=${md5}`],
      [`/ledger?actor=${odd}`],
      [`/explain/pair?a=${md5}&b=${odd}&type=md5`],
      ['/match', { json: { hash_type: 'md5', hash_value: odd } }],
      ['/match', { json: { hash_type: odd, hash_value: md5 } }],
      ['/cases/1/note', { json: { [odd]: odd } }],
      ['/hash/url', { json: { url: odd } }],
      ['/action', { json: { action_id: 'a', action_type: 'review', content_id: odd } }],
      [
        '/banks/KNOWN/contents',
        { json: { signals: [{ type: 'md5', value: odd }] }, once: 'odd-signal' },
      ],
    ]
    for (const [path, given] of asked) {
      const { said } = await ask(path, given)
      assert.doesNotMatch(JSON.stringify(said), /305c64a5/, path)
    }
  })

  it('says where an upload cannot be fetched from', async () => {
    const [status, code, detail] = await refusal('/hash/url', {
      json: { url: 'http://127.0.0.1/a' },
    })
    assert.deepEqual([status, code], [422, 'forbidden-address'])
    assert.match(detail ?? '', /Only public https addresses/)
  })
})
