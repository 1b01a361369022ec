import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { changeKey } from '../cases/api-keys.ts'
import { apiInTest } from './api-in-test.ts'
import { keyRingLimits } from './key-ring.ts'
import { rateLimits } from './rate-limits.ts'

const path = '/api/v1/openapi.json'
type Problem = { title: string; status: number; detail: string; code: string; requestId: string }
const problemOf = async (answer: Response) => (await answer.json()) as Problem

test('without a good key every path is the same 401, whether there is something or not', async (t) => {
  const api = await apiInTest(t)
  const answers = new Set<string>()
  for (const asked of [path, '/api/v1/no-such-thing', '/api/v1/status']) {
    for (const authorization of ['', 'Bearer x', `Bearer mk_${'0'.repeat(12)}_${'A'.repeat(43)}`]) {
      const answer = await fetch(`${api.url}${asked}`, { headers: { authorization } })
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer')
      assert.equal(answer.headers.get('content-type'), 'application/problem+json')
      const { requestId, ...rest } = await problemOf(answer)
      assert.match(requestId, /^[0-9a-f-]{36}$/)
      answers.add(JSON.stringify(rest))
    }
  }
  assert.equal(answers.size, 1)
  assert.match([...answers][0] ?? '', /"status":401,"detail":"Send a key that is good/)
})

test('a key opens, its rate is told, and its last use is known when the service has stopped', async (t) => {
  const api = await apiInTest(t)
  const key = await api.key(['scan'])
  const answer = await api.ask(path, { key })
  assert.equal(answer.status, 200)
  assert.deepEqual(
    ['ratelimit-limit', 'ratelimit-remaining'].map((name) => answer.headers.get(name)),
    ['400', '399'],
  )
  assert.equal((await api.ask('/api/v1/no-such-thing', { key })).status, 404)
  await api.service[Symbol.asyncDispose]()
  const [row] = await api.database.app<{ at: Date | null }[]>`
    select last_used_at as at from api_key`
  assert.ok(row?.at)
})

test('who asks too often is told to wait, and only that key', async (t) => {
  const api = await apiInTest(t)
  const [slow, other] = [
    await api.key(['scan'], { requestsPerSecond: 1, name: 'slow' }),
    await api.key(['scan']),
  ]
  const statuses = await Promise.all(
    Array.from({ length: 5 }, async () => (await api.ask(path, { key: slow })).status),
  )
  assert.ok(statuses.includes(200) && statuses.includes(429), statuses.join())
  const refused = await api.ask(path, { key: slow })
  assert.equal(refused.status, 429)
  assert.equal(refused.headers.get('retry-after'), '1')
  assert.equal(
    (await problemOf(refused)).detail,
    'This key asks too often. Ask again after Retry-After seconds, or give the key a higher --rate.',
  )
  assert.equal((await api.ask(path, { key: other })).status, 200)
})

test('who has no key is stopped before the database is asked for ever new ones', async (t) => {
  const api = await apiInTest(t)
  const knock = async (n: number) => {
    const id = n.toString(16).padStart(12, '0')
    const authorization = `Bearer mk_${id}_${'A'.repeat(43)}`
    return fetch(`${api.url}${path}`, { headers: { authorization } })
  }
  // What is refused slowly is filled up meanwhile: on a busy machine it takes a few more.
  let asked = 1
  let answer = await knock(asked)
  while (answer.status === 401 && asked < 10 * rateLimits.refusedPerMinute) {
    asked += 1
    answer = await knock(asked)
  }
  assert.equal(answer.status, 429)
  assert.ok(asked > rateLimits.refusedPerMinute)
  assert.match((await problemOf(answer)).detail, /without a good key/)
})

test('a key that is bound to networks opens from there and through no proxy', async (t) => {
  const api = await apiInTest(t)
  const here = await api.key(['scan'], { networks: ['127.0.0.0/8'] })
  const elsewhere = await api.key(['scan'], { networks: ['10.0.0.0/8'], name: 'elsewhere' })
  assert.equal((await api.ask(path, { key: here })).status, 200)
  assert.equal((await api.ask(path, { key: elsewhere })).status, 403)
  for (const name of [
    ...['x-forwarded-for', 'Forwarded', 'X-Real-IP', 'Via', 'CF-Connecting-IP', 'True-Client-IP'],
    ...['X-Client-IP', 'X-Forwarded-Proto', 'X-Forwarded', 'Fastly-Client-IP', 'X-Original-Host'],
  ]) {
    const headers = { [name]: '127.0.0.1' }
    assert.equal((await api.ask(path, { key: here, headers })).status, 403, name)
    assert.equal((await api.ask(path, { key: elsewhere, headers })).status, 403, name)
  }
})

test('every refusal of a key has a code that a program can tell apart', async (t) => {
  const api = await apiInTest(t)
  const codeOf = async (answer: Promise<Response>) => (await problemOf(await answer)).code
  const report = await api.key(['report'])
  const bound = await api.key(['scan'], { networks: ['10.0.0.0/8'], name: 'bound' })
  const slow = await api.key(['scan'], { requestsPerSecond: 1, name: 'slow' })
  assert.equal(await codeOf(fetch(`${api.url}${path}`)), 'no-key')
  assert.equal(await codeOf(api.ask('/api/v1/cases', { key: report })), 'scope-needed')
  assert.equal(await codeOf(api.ask(path, { key: bound })), 'not-from-here')
  const codes = await Promise.all(
    Array.from({ length: 5 }, () => codeOf(api.ask(path, { key: slow }))),
  )
  assert.ok(codes.includes('too-often'), codes.join())
})

test('a revoked key opens nothing a second later', async (t) => {
  const api = await apiInTest(t)
  const key = await api.key(['admin'])
  assert.equal((await api.ask(path, { key })).status, 200)
  const id = key.split('_')[1] ?? ''
  const { app } = api.database
  await changeKey(app, { op: 'revoke', id, principal: api.person, nowMs: Date.now() })
  await sleep(keyRingLimits.freshMs)
  assert.equal((await api.ask(path, { key })).status, 401)
})

test('who asks without a key from the same address keeps no key out that opened before', async (t) => {
  const api = await apiInTest(t)
  const [key, other] = [await api.key(['scan']), await api.key(['scan'], { name: 'other' })]
  assert.equal((await api.ask(path, { key })).status, 200)
  const strangers = Array.from({ length: rateLimits.refusedPerMinute * 3 }, async () =>
    (await fetch(`${api.url}${path}`)).body?.cancel(),
  )
  await Promise.all(strangers)
  assert.equal((await fetch(`${api.url}${path}`)).status, 429)
  assert.equal((await api.ask(path, { key })).status, 200)
  const guess = `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`
  assert.equal((await api.ask(path, { key: guess })).status, 429)
  assert.equal((await api.ask(path, { key: other })).status, 429, 'never seen here')
})
