import assert from 'node:assert/strict'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { after, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { changeKey } from '../../cases/api-keys.ts'
import { keyRingLimits } from '../key-ring.ts'
import { digest, matchInTest, turnedOver } from './match-in-test.ts'
import type { Item } from './match-in-test.ts'
import { linesOf, streamLimits } from './match-stream.ts'

const { api, ask, own, pdq, bank, content } = await matchInTest({
  after: (clean) => after(clean as () => void),
})

describe('POST /match/batch', () => {
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
