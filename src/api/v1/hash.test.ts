import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { before, describe, it, after } from 'node:test'
import { apiInTest } from '../api-in-test.ts'
import type { ApiInTest } from '../api-in-test.ts'
import { blobCidOf } from '../../domain/cid.ts'
import { canaryPicture } from '../../testing/canary.ts'
import { checkedAsk } from '../openapi-check.ts'
import type { CheckedAsk } from '../openapi-check.ts'
import { fileOfForm, formLimits } from './multipart.ts'

type Hashed = {
  hashes: { algorithm: string; hash_value: string; quality?: number }[]
  media: string
  format: string
  cid: string
  unscannable?: string
}
type Problem = { detail: string; code?: string }

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

function formOf(name: string, bytes: Uint8Array, type = 'image/jpeg'): FormData {
  const form = new FormData()
  form.set('text', 'something else')
  form.set(name, new Blob([Uint8Array.from(bytes)], { type }), 'picture.jpg')
  return form
}

describe('POST /hash', () => {
  const cleanups: (() => unknown)[] = []
  let api: ApiInTest
  let ask: CheckedAsk
  let key: string
  before(async () => {
    api = await apiInTest(
      { after: (clean) => void cleanups.unshift(clean as () => unknown) },
      {
        BLOBWATCH_BLOB_BYTES_MAX: '1000000',
        BLOBWATCH_API_REQUESTS_PER_SECOND: '5000',
      },
    )
    ask = await checkedAsk(api)
    key = await api.key(['scan'])
  })
  after(async () => {
    for (const clean of cleanups) await clean()
  })

  const post = <Body>(body: RequestInit['body'], headers: Record<string, string> = {}) =>
    ask<Body>('/hash', { method: 'POST', key, body: body as string, headers })

  for (const name of ['file', 'image'])
    it(`gives PDQ first, then the digests, for the form's ${name}`, async () => {
      const picture = await canaryPicture({ seed: 7 })
      const { status, body } = await post<Hashed>(formOf(name, picture))
      assert.equal(status, 200)
      assert.deepEqual(
        body.hashes.map(({ algorithm }) => algorithm),
        ['pdq', 'sha256', 'md5', 'sha1'],
      )
      assert.match(body.hashes[0]?.hash_value ?? '', /^[0-9a-f]{64}$/)
      assert.ok((body.hashes[0]?.quality ?? 0) >= 50)
      assert.equal(body.hashes[1]?.hash_value, sha256(picture))
      assert.deepEqual(
        [body.media, body.format, body.cid, body.unscannable],
        ['image', 'jpeg', blobCidOf(sha256(picture)), undefined],
      )
    })

  it('says why it did not look into a file, beside its digests', async () => {
    const { status, body } = await post<Hashed>(formOf('file', randomBytes(500)))
    assert.deepEqual([status, body.unscannable], [200, 'unsupported-format'])
    assert.equal(body.hashes[0]?.algorithm, 'sha256')
  })

  it('refuses what is no form with a file in it, and an empty file', async () => {
    const wrong: [RequestInit['body'], string | undefined, RegExp, number?][] = [
      ['{}', 'application/json', /multipart/, 415],
      ['--x--', 'multipart/form-data; boundary=x', /no part file or image/],
      ['--x\r\nno end', 'multipart/form-data; boundary=x', /no headers/],
      [formOf('other', Buffer.from('a')), undefined, /no part file or image/],
      [formOf('file', Buffer.alloc(0)), undefined, /no byte/],
    ]
    for (const [body, type, sentence, status = 422] of wrong) {
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type }
      const answer = await post<Problem>(body, headers)
      assert.equal(answer.status, status)
      assert.match(answer.body.detail, sentence)
    }
  })

  it('refuses a body that declares too much, and an endless one, without keeping it', async () => {
    const declared = await raw({ 'content-length': '1073741824' }, () => undefined)
    assert.equal(declared, 413)
    let sent = 0
    const endless = await raw({ 'transfer-encoding': 'chunked' }, (write) => {
      const more = () => {
        sent += 65_536
        if (sent < 100_000_000) write(Buffer.alloc(65_536), more)
      }
      more()
    })
    assert.equal(endless, 413)
    assert.ok(sent < 20_000_000, `took ${sent} bytes`)
  })

  /** Status of an answer that comes before the body is over. */
  function raw(
    headers: Record<string, string>,
    feed: (write: (chunk: Buffer, next: () => void) => void) => void,
  ): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const sent = request(`${api.url}/api/v1/hash`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'multipart/form-data; boundary=x',
        ...headers,
      },
    })
    sent.on('response', (response) => {
      resolve(response.statusCode ?? 0)
      sent.destroy()
    })
    sent.on('error', reject)
    sent.flushHeaders()
    feed((chunk, next) => void (sent.destroyed || sent.write(chunk, () => setImmediate(next))))
    return promise
  }

  it('needs the scope, and says which', async () => {
    const other = await api.key(['match:read'], { name: 'matches only' })
    const form = formOf('file', Buffer.from('a'))
    const { status, body } = await ask<Problem>('/hash', { method: 'POST', key: other, body: form })
    assert.equal(status, 403)
    assert.match(body.detail, /scope scan/)
  })

  it('answers every one of many at once: hashed, or asked to come back', async () => {
    const picture = await canaryPicture({ seed: 8, width: 64, height: 64 })
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => post<Hashed>(formOf('file', picture))),
    )
    const refused = answers.filter(({ status }) => status === 503)
    const hashed = answers.filter(({ status }) => status === 200)
    assert.equal(refused.length + hashed.length, 200)
    assert.ok(hashed.length > 0)
    assert.ok(refused.every(({ headers }) => Number(headers.get('retry-after')) > 0))
    assert.equal(new Set(hashed.map(({ body }) => JSON.stringify(body))).size, 1)
  })

  it('fetches no address inside, whatever its spelling', async () => {
    for (const url of [
      api.url,
      'http://169.254.169.254/latest/meta-data',
      'http://[::1]:80/',
      'http://2130706433/',
      'http://user:secret@example.com/',
    ]) {
      const { status, body } = await ask<Problem>('/hash/url', { key, json: { url } })
      assert.deepEqual([status, body.code], [422, 'forbidden-address'], url)
      assert.ok(!body.detail.includes('169'), 'repeats nothing')
    }
  })

  it('refuses an address that is none, with the field', async () => {
    for (const json of [{ url: 'file:///etc/passwd' }, { url: 7 }, {}, [], 'text', null]) {
      const { status } = await ask('/hash/url', { key, json })
      assert.equal(status, 422, JSON.stringify(json))
    }
    const broken = await ask('/hash/url', {
      method: 'POST',
      key,
      body: '{"url":',
      headers: { 'content-type': 'application/json' },
    })
    assert.equal(broken.status, 400)
  })
})

describe('fileOfForm', () => {
  const type = 'multipart/form-data; boundary="b"'
  const part = (name: string, value: string) =>
    `--b\r\nContent-Disposition: form-data; name="${name}"; filename="x"\r\n\r\n${value}\r\n`

  it('ends a part only at its boundary on a line of its own', () => {
    const value = 'a--b\r\n-\r\n--'
    const found = fileOfForm(Buffer.from(`${part('file', value)}--b--\r\n`), type, ['file'])
    assert.ok(found.kind === 'file')
    assert.equal(Buffer.from(found.bytes).toString(), value)
  })

  it('looks at so many parts and no more', () => {
    const body = part('x', '').repeat(formLimits.partsMax + 1) + part('file', 'a') + '--b--'
    const found = fileOfForm(Buffer.from(body), type, ['file'])
    assert.deepEqual(found, {
      kind: 'refused',
      sentence: `The form has more than ${formLimits.partsMax} parts.`,
    })
  })
})
