import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { changeKey } from '../../cases/api-keys.ts'
import { keyRingLimits } from '../key-ring.ts'
import { apiInTest } from '../api-in-test.ts'
import type { ApiInTest } from '../api-in-test.ts'
import { addContent, createBank } from '../../banks/bank-store.ts'
import type { BankClass, BankPolicy } from '../../domain/bank.ts'
import { canaryPicture } from '../../testing/canary.ts'
import { checkedAsk } from '../openapi-check.ts'
import type { CheckedAsk } from '../openapi-check.ts'
import { linesOf, streamLimits } from './match-stream.ts'

type Match = {
  match_id: string
  bank_name: string
  content?: number
  distance?: number
  similarity?: number
}
type Answer = { match_count: number; matches: Match[] }
type Item = Answer & { id?: string | number; error?: string }
type Problem = { detail: string; code?: string }

const digest = (text: string) => createHash('sha256').update(text).digest('hex')

/** The same hash with its first `bits` bits turned over. */
function turnedOver(hash: string, bits: number): string {
  const bytes = Buffer.from(hash, 'hex')
  for (let bit = 0; bit < bits; bit += 1) {
    const at = bit >> 3
    bytes[at] = (bytes[at] ?? 0) ^ (128 >> (bit & 7))
  }
  return bytes.toString('hex')
}

describe('POST /match', () => {
  const cleanups: (() => unknown)[] = []
  let api: ApiInTest
  let ask: CheckedAsk
  /** Scopes of: the operator's own PDS, a stranger, and one who may see distances. */
  let own: string
  let stranger: string
  let near: string
  let pdq: string

  before(async () => {
    api = await apiInTest(
      { after: (clean) => void cleanups.unshift(clean as () => unknown) },
      { BLOBWATCH_API_REQUESTS_PER_SECOND: '100000' },
    )
    ask = await checkedAsk(api)
    own = await api.key(['match:read', 'bank:read'], { name: 'pds' })
    stranger = await api.key(['match:read'], { name: 'stranger' })
    near = await api.key(['match:read', 'match:distance'], { name: 'near' })
    pdq = (await hashOf(1)).hash
    await bank('NCMEC', 'restricted')
    await bank('SPAM', 'open', { pdqDistanceMax: 31 })
    await content('NCMEC', [{ type: 'sha256', value: digest('known') }])
    await content('SPAM', [{ type: 'pdq', value: pdq, quality: 100 }])
    await content('SPAM', [{ type: 'md5', value: digest('spam').slice(0, 32) }])
    await api.service.parts.bankBook.refresh()
  })
  after(async () => {
    for (const clean of cleanups) await clean()
  })

  async function hashOf(seed: number) {
    const { hasher } = api.service.parts
    const bytes = await canaryPicture({ seed })
    const { signals } = await hasher.hash({ bytes, signal: AbortSignal.timeout(30_000) })
    assert.ok(signals.pdq)
    return signals.pdq
  }
  const bank = (name: string, bankClass: BankClass, policy: Partial<BankPolicy> = {}) =>
    createBank(api.database.app, {
      ...{ name, mode: 'act', class: bankClass, policy },
      principal: api.person,
      nowMs: Date.now(),
    })
  const content = async (name: string, signals: Parameters<typeof addContent>[1]['signals']) =>
    (
      await addContent(api.database.app, {
        ...{ bank: name, signals },
        principal: api.person,
        nowMs: Date.now(),
      })
    ).content
  const match = <Body = Answer>(json: unknown, key = own) => ask<Body>('/match', { key, json })
  const recorded = async () => {
    const [row] = await api.database.owner<{ n: number }[]>`select count(*) as n from api_match`
    return row?.n ?? 0
  }

  it('names what matches, with an id, and records it once', async () => {
    const asked = { hash_value: digest('known').toUpperCase(), hash_type: 'sha256', threshold: 0.9 }
    const before = await recorded()
    const { status, body } = await match(asked)
    assert.equal(status, 200)
    assert.equal(body.match_count, 1)
    const [found] = body.matches
    assert.equal(found?.bank_name, 'NCMEC')
    assert.match(found?.match_id ?? '', /^m_[\w-]{16}$/)
    assert.deepEqual((await match(asked)).body, body)
    assert.equal(await recorded(), before + 1)
    const other = await match(asked, near)
    assert.notEqual(other.body.matches[0]?.match_id, found?.match_id)
  })

  it('writes nothing when nothing matches', async () => {
    const before = await recorded()
    const { body } = await match({ hash_value: digest('unknown'), hash_type: 'sha256' })
    assert.deepEqual(body, { match_count: 0, matches: [] })
    assert.equal(await recorded(), before)
  })

  it('tells a stranger that a restricted bank matches and neither which nor what of it', async () => {
    const asked = { hash_value: digest('known'), hash_type: 'sha256' }
    const { body } = await match(asked, stranger)
    assert.deepEqual(Object.keys(body.matches[0] ?? {}).toSorted(), [
      'bank_name',
      'hash_type',
      'match_id',
    ])
    assert.equal(body.matches[0]?.bank_name, 'restricted')
    for (const banks of [['NCMEC'], ['NO_SUCH_BANK']]) {
      const refused = await match<Problem>({ ...asked, banks }, stranger)
      assert.equal(refused.status, 422)
      assert.equal(
        refused.body.detail,
        'A bank in `banks` is not there, or this key may not name it.',
      )
    }
    assert.equal((await match({ ...asked, banks: ['SPAM'] })).body.match_count, 0)
    assert.equal((await match({ ...asked, banks: ['NCMEC', 'SPAM'] })).body.match_count, 1)
  })

  it('tells how near only to keys that may know', async () => {
    const asked = { hash_value: turnedOver(pdq, 16), hash_type: 'pdq' }
    const [seen] = (await match(asked, near)).body.matches
    assert.deepEqual([seen?.distance, seen?.similarity], [16, 1 - 16 / 256])
    const [hidden] = (await match(asked)).body.matches
    assert.deepEqual(
      [hidden?.bank_name, hidden?.distance, hidden?.similarity],
      ['SPAM', undefined, undefined],
    )
  })

  it('takes a threshold as the largest distance, and never goes beyond the bank', async () => {
    const count = async (bits: number, threshold?: number) =>
      (await match({ hash_value: turnedOver(pdq, bits), hash_type: 'pdq', threshold })).body
        .match_count
    // floor((1 - 0.9) * 256) = 25
    assert.deepEqual([await count(25, 0.9), await count(26, 0.9)], [1, 0])
    assert.deepEqual([await count(0, 1), await count(1, 1)], [1, 0])
    assert.deepEqual([await count(31, 0), await count(32, 0)], [1, 0])
    assert.deepEqual([await count(31), await count(32)], [1, 0])
    const md5 = { hash_value: digest('spam').slice(0, 32), hash_type: 'md5', threshold: 1 }
    assert.equal((await match(md5)).body.match_count, 1)
  })

  it('compares no PDQ of low quality', async () => {
    const asked = { hash_value: pdq, hash_type: 'pdq' }
    assert.equal((await match({ ...asked, quality: 49 })).body.match_count, 0)
    assert.equal((await match({ ...asked, quality: 50 })).body.match_count, 1)
  })

  it('lets a bank of harmless pictures keep others from matching, at its own distance', async () => {
    const bad = (await hashOf(2)).hash
    await bank('GORE', 'open')
    await content('GORE', [{ type: 'pdq', value: bad, quality: 100 }])
    await bank('HARMLESS', 'open', { suppresses: 'all', pdqDistanceMax: 31 })
    await api.service.parts.bankBook.refresh()
    const asked = { hash_value: bad, hash_type: 'pdq', threshold: 1 }
    assert.equal((await match(asked)).body.match_count, 1)
    await content('HARMLESS', [{ type: 'pdq', value: turnedOver(bad, 20), quality: 100 }])
    await api.service.parts.bankBook.refresh()
    assert.equal((await match(asked)).body.match_count, 0)
  })

  it('looks at the share of blobs that a bank looks at, where the digest tells', async () => {
    await bank('SAMPLED', 'open', { ratio: 0.0000001, ratioSeed: 'x' })
    await content('SAMPLED', [
      { type: 'sha256', value: digest('sampled') },
      { type: 'md5', value: digest('sampled').slice(0, 32) },
    ])
    await api.service.parts.bankBook.refresh()
    const count = async (type: string, value: string) =>
      (await match({ hash_value: value, hash_type: type })).body.match_count
    assert.equal(await count('sha256', digest('sampled')), 0)
    assert.equal(await count('md5', digest('sampled').slice(0, 32)), 1)
  })

  it('never tells a hash that the caller did not send', async () => {
    const asked = { hash_value: turnedOver(pdq, 5), hash_type: 'pdq' }
    const text = JSON.stringify((await match(asked, near)).body)
    assert.ok(!text.includes(pdq) && !text.includes(asked.hash_value))
    const rows = await api.database.owner`select to_jsonb(m)::text as row from api_match m`
    assert.ok(rows.length > 0)
    for (const { row } of rows) assert.ok(!String(row).includes(pdq))
    assert.ok(!api.lines.join('').includes(pdq))
  })

  it('refuses what is no question', async () => {
    const good = { hash_value: pdq, hash_type: 'pdq' }
    const wrong = [
      ...['', 'zz', `${pdq}0`, pdq.slice(1), 7, null, {}].map((hash_value) => ({
        ...good,
        hash_value,
      })),
      ...['PDQ', 'phash', '', 1, null].map((hash_type) => ({ ...good, hash_type })),
      ...[-0.1, 1.1, '0.9', null].map((threshold) => ({ ...good, threshold })),
      ...[[], 'SPAM', [1], ['SPAM\0']].map((banks) => ({ ...good, banks })),
      ...[[], 'text', 1, null],
    ]
    for (const json of wrong) {
      const { status } = await match(json)
      assert.equal(status, 422, JSON.stringify(json))
    }
    const deep = `{"hash_value":${'['.repeat(7_000)}${']'.repeat(7_000)},"hash_type":"pdq"}`
    const headers = { 'content-type': 'application/json' }
    const send = (body: string) => ask('/match', { method: 'POST', key: own, body, headers })
    assert.equal((await send(deep)).status, 422)
    assert.equal((await send('{')).status, 400)
    assert.equal((await send(JSON.stringify({ pad: 'x'.repeat(20_000) }))).status, 413)
    const last = `{"hash_type":"md5","hash_value":"${pdq}","hash_type":"pdq"}`
    assert.equal((await send(last)).status, 200)
  })

  describe('in batches', () => {
    const batch = <Body = { results: Item[] }>(json: unknown, key = own) =>
      ask<Body>('/match/batch', { key, json })

    it('answers thousands in order, each with its id or its error', async () => {
      const hashes = Array.from({ length: 5_000 }, (_, n) => ({
        id: n,
        hash_type: 'sha256',
        hash_value: n === 4_321 ? digest('known') : n === 77 ? 'short' : digest(`b${n}`),
      }))
      const { status, body } = await batch({ hashes })
      assert.equal(status, 200)
      assert.deepEqual(
        body.results.map(({ id }) => id),
        hashes.map(({ id }) => id),
      )
      assert.equal(body.results[77]?.error, 'hash-value')
      const matched = body.results.filter(({ match_count }) => match_count > 0)
      assert.deepEqual(
        matched.map(({ id, matches }) => [id, matches[0]?.bank_name]),
        [[4_321, 'NCMEC']],
      )
    })

    it('refuses too many, and other kinds of bodies', async () => {
      const hashes = Array.from({ length: 20_001 }, () => ({ hash_type: 'md5', hash_value: 'a' }))
      assert.equal((await batch({ hashes })).status, 422)
      const { status } = await ask('/match/batch', {
        ...{ method: 'POST', key: own, body: 'a=b' },
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      })
      assert.equal(status, 415)
    })

    const known = JSON.stringify({ id: 'k', hash_type: 'sha256', hash_value: digest('known') })
    const streamed = async (body: string, query = ''): Promise<Item[]> => {
      const response = await api.ask(`/api/v1/match/batch${query}`, {
        ...{ method: 'POST', key: own, body },
        headers: { 'content-type': 'application/x-ndjson' },
      })
      assert.equal(response.status, 200)
      const lines = (await response.text()).split('\n')
      assert.equal(lines.pop(), '')
      return lines.map((line) => JSON.parse(line) as Item)
    }

    it('answers a line with a line, in order, whatever stands on it', async () => {
      const rubbish = [
        ['', 'not-json'],
        ['nonsense', 'not-json'],
        ['null', 'not-json'],
        ['[]', 'hash-type'],
        ['{"hash_type":"pdq"}', 'hash-value'],
        ['{"id":{},"hash_type":"md5"}', 'id'],
        [`{"hash_type":"md5","hash_value":"\\u0000${'0'.repeat(31)}"}`, 'hash-value'],
        ['['.repeat(4_000), 'not-json'],
        ['x'.repeat(1_000_000), 'too-long'],
      ]
      const lines = rubbish.flatMap(([line]) => [line, known])
      const answers = await streamed(lines.join('\n'))
      assert.equal(answers.length, lines.length)
      rubbish.forEach(([, error], n) => {
        assert.equal(answers[2 * n]?.error, error, `line ${n}`)
        assert.deepEqual([answers[2 * n + 1]?.id, answers[2 * n + 1]?.match_count], ['k', 1])
      })
    })

    it('takes threshold and banks from the address', async () => {
      const line = JSON.stringify({ hash_type: 'pdq', hash_value: turnedOver(pdq, 12) })
      const counts = async (query: string) =>
        (await streamed(line, query)).map(({ match_count }) => match_count)
      assert.deepEqual(await counts('?threshold=0.9'), [1])
      assert.deepEqual(await counts('?threshold=0.99'), [0])
      assert.deepEqual(await counts('?banks=NCMEC'), [0])
      assert.deepEqual(await counts('?banks=NCMEC,SPAM'), [1])
    })

    it('answers many lines in order, one of them rubbish, while they are sent', async () => {
      // Under the test runner's own hooks a lookup takes ten times as long.
      const lines = process.env['BLOBWATCH_TEST_LONG'] === '1' ? 1_000_000 : 60_000
      const answered = await readWhileSending({
        lines,
        line: (n) =>
          n === 54_321
            ? 'rubbish'
            : `{"id":${n},"hash_type":"md5","hash_value":"${String(n).padStart(32, '0')}"}`,
      })
      assert.equal(answered.count, lines)
      assert.deepEqual(answered.errors, [{ n: 54_321, error: 'not-json' }])
    })

    it('stops reading when the caller does', async () => {
      const { promise, resolve } = Promise.withResolvers<number>()
      const sent = openStream()
      let lines = 0
      const line = `${JSON.stringify({ hash_type: 'md5', hash_value: digest('spam').slice(0, 32) })}\n`
      const chunk = line.repeat(1_000)
      const feed = () => {
        lines += 1_000
        // Nobody reads the answers: the way to the server fills, and drain never comes.
        if (sent.write(chunk) && lines < 2_000_000) setImmediate(feed)
        else void setTimeout(500).then(() => resolve(lines))
      }
      feed()
      const taken = await promise
      sent.destroy()
      assert.ok(taken < 2_000_000, `took ${taken} lines`)
    })

    it('knows a bank that came while it is open, and ends when its key is revoked', async () => {
      const key = await api.key(['match:read', 'bank:read'], { name: 'soon gone' })
      const sent = openStream(key)
      const response = Promise.withResolvers<IncomingMessage>()
      sent.on('response', response.resolve)
      const line = JSON.stringify({ hash_type: 'sha256', hash_value: digest('came later') })
      sent.write(`${line}\n`)
      const answers = createInterface({ input: await response.promise })[Symbol.asyncIterator]()
      const next = async () => JSON.parse((await answers.next()).value as string) as Item
      assert.equal((await next()).match_count, 0)
      await bank('LATER', 'open')
      await content('LATER', [{ type: 'sha256', value: digest('came later') }])
      await api.service.parts.bankBook.refresh()
      sent.write(`${line}\n`)
      assert.equal((await next()).matches[0]?.bank_name, 'LATER')
      const { app } = api.database
      const id = key.split('_')[1] ?? ''
      await changeKey(app, { op: 'revoke', id, principal: api.person, nowMs: Date.now() })
      await setTimeout(keyRingLimits.freshMs)
      sent.write(`${line}\n`)
      assert.equal((await answers.next()).done, true)
      sent.destroy()
    })

    function openStream(key = own) {
      const sent = request(`${api.url}/api/v1/match/batch`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' },
      })
      sent.on('error', () => undefined)
      return sent
    }

    async function readWhileSending(given: { lines: number; line: (n: number) => string }) {
      const sent = openStream()
      const over = Promise.withResolvers<void>()
      const errors: { n: number; error: string }[] = []
      let count = 0
      sent.on('error', over.reject)
      sent.on('response', (response) => {
        let rest = ''
        response.setEncoding('utf8')
        response.on('data', (text: string) => {
          const pieces = (rest + text).split('\n')
          rest = pieces.pop() ?? ''
          for (const piece of pieces) {
            const { id, error } = JSON.parse(piece) as Item
            if (error !== undefined) errors.push({ n: count, error })
            else assert.equal(id, count)
            count += 1
          }
        })
        response.on('end', over.resolve)
        response.on('error', over.reject)
      })
      let n = 0
      const feed = () => {
        while (n < given.lines) {
          const until = Math.min(given.lines, n + 500)
          let text = ''
          for (; n < until; n += 1) text += `${given.line(n)}\n`
          if (!sent.write(text)) {
            sent.once('drain', feed)
            return
          }
        }
        sent.end()
      }
      feed()
      await over.promise
      return { count, errors }
    }
  })

  // Last: the connections of it stay open for some seconds.
  it('answers, of two thousand at once, all that it lets in, and is there afterwards', async () => {
    const answers = await Promise.allSettled(
      Array.from({ length: 2_000 }, (_, n) =>
        match({ hash_value: n % 10 === 0 ? pdq : digest(`n${n}`), hash_type: 'pdq' }),
      ),
    )
    const answered = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    assert.ok(answered.length >= 500, `${answered.length} answers`)
    for (const { status, body } of answered)
      assert.ok(status === 200 && body.match_count <= 1 && body.matches.length === body.match_count)
    await setTimeout(6_000)
    assert.equal((await match({ hash_value: pdq, hash_type: 'pdq' })).body.match_count, 1)
  })
})

describe('linesOf', () => {
  const read = async (...chunks: string[]) => {
    async function* body() {
      for (const chunk of chunks) yield Buffer.from(chunk)
    }
    const lines: (string | undefined)[] = []
    for await (const some of linesOf(body())) {
      assert.ok(some.length <= streamLimits.linesPerTurn)
      lines.push(...some)
    }
    return lines
  }

  it('gives the same lines however the bytes are cut', async () => {
    const text = `a\n\nä€\n${'x'.repeat(5_000)}\nb\n${'y'.repeat(9_000)}`
    const bytes = Buffer.from(text)
    const expected = ['a', '', 'ä€', undefined, 'b', undefined]
    assert.deepEqual(await read(text), expected)
    for (const size of [1, 2, 3, 7, 4_096]) {
      async function* cut() {
        for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
      }
      const lines: (string | undefined)[] = []
      for await (const some of linesOf(cut())) lines.push(...some)
      assert.deepEqual(lines, expected, `in pieces of ${size}`)
    }
  })

  it('has no line after the last newline', async () => {
    assert.deepEqual(await read('a\nb\n'), ['a', 'b'])
    assert.deepEqual(await read(''), [])
  })
})
