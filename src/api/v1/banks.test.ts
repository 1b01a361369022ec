// Banks and contents over HTTP against the started service: what they answer, that it is what the document says, and what
// they refuse.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digestOfText, see, testDid, cidOfText } from '../../commands/seed-in-test.ts'
import { apiInTest } from '../api-in-test.ts'
import { checkAnswer } from '../openapi-check.ts'
import { ask, seed, seeded } from './resources-in-test.ts'
import type { Body } from './resources-in-test.ts'

test('banks are made, changed and read; a restricted bank gives no value to anybody', async (t) => {
  const api = await seeded(t)
  const reader = await api.key(['bank:read'], { name: 'reader' })
  const writer = await api.key(['bank:write'], { name: 'writer' })
  const listed = await ask(api, '/banks', '/banks', 200, { key: reader })
  assert.deepEqual(
    (listed['banks'] as Body[]).map(({ name }) => name),
    ['KNOWN', 'SPAM'],
  )
  const post = { key: writer, method: 'post' as const }
  const body = { name: 'SCAMS', class: 'open', policy: { pdqDistanceMax: 20 } }
  const made = await ask(api, '/banks', '/banks', 201, { ...post, body })
  assert.equal((made['policy'] as Body)['pdqDistanceMax'], 20)
  assert.equal((await ask(api, '/banks', '/banks', 409, { ...post, body }))['code'], 'bank-exists')
  await ask(api, '/banks', '/banks', 422, { ...post, body: { name: 'lower' } })
  const patch = { key: writer, method: 'patch' as const }
  const changed = await ask(api, '/banks/{name}', '/banks/SCAMS', 200, {
    ...patch,
    body: { mode: 'hold', policy: { label: 'scam', actions: ['label'] } },
  })
  assert.equal(changed['mode'], 'hold')
  assert.equal((changed['policy'] as Body)['pdqDistanceMax'], 20)
  const without = { policy: { label: null } }
  const bare = await ask(api, '/banks/{name}', '/banks/SCAMS', 200, { ...patch, body: without })
  assert.equal((bare['policy'] as Body)['label'], undefined)
  await ask(api, '/banks/{name}', '/banks/KNOWN', 422, {
    ...patch,
    body: { policy: { label: 'known' } },
  })
  await ask(api, '/banks/{name}', '/banks/NONE', 404, { key: reader })
  const all = (await ask(api, '/banks', '/banks', 200, { key: reader }))['banks'] as Body[]
  const known = await ask(api, '/banks/{name}', '/banks/KNOWN', 200, { key: reader })
  assert.deepEqual(
    known,
    all.find(({ name }) => name === 'KNOWN'),
  )
  const contents = '/banks/{name}/contents'
  const page = await ask(api, contents, '/banks/KNOWN/contents?limit=1', 200, { key: reader })
  const next = `/banks/KNOWN/contents?limit=1&cursor=${page['cursor']}`
  const rest = await ask(api, contents, next, 200, { key: reader })
  assert.notDeepEqual(rest['contents'], page['contents'])
  const closed = '/banks/KNOWN/contents?values=true'
  assert.equal((await ask(api, contents, closed, 403, { key: reader }))['code'], 'values-closed')
})

test('a program lets no bank do more by itself; a person may', async (t) => {
  const api = await seeded(t)
  const program = await api.key(['admin'], { name: 'writer' })
  const person = await api.key(['bank:write'], { isPerson: true })
  const change = (key: string, status: number, body: Body, name = 'KNOWN') =>
    ask(api, '/banks/{name}', `/banks/${name}`, status, { key, method: 'patch', body })
  const acting = { name: 'ACTING', mode: 'act' }
  const made = (key: string, status: number, body: Body) =>
    ask(api, '/banks', '/banks', status, { key, method: 'post', body })
  assert.equal((await made(program, 403, acting))['code'], 'person-needed')
  await made(program, 403, { name: 'ACTING', policy: { perceptual: 'act' } })
  assert.equal((await change(program, 403, { mode: 'act' }))['code'], 'person-needed')
  await change(program, 403, { policy: { perceptual: 'act' } })
  await change(person, 200, { mode: 'act', policy: { preserve: true, pdqDistanceMax: 10 } })
  for (const policy of [
    { pdqDistanceMax: 11 },
    { clipDistanceMax: 63 },
    { actions: ['takedown-blob', 'takedown-record', 'label'] },
    { preserve: false },
    { exact: 'act', perceptual: 'act' },
  ])
    await change(program, 403, { policy })
  await change(program, 200, { policy: { pdqDistanceMax: 5, actions: ['takedown-blob'] } })
  await change(person, 200, { policy: { perceptual: 'act' } })
  await change(program, 200, { mode: 'observe', policy: { perceptual: 'hold' } })
  const content = '/banks/{name}/contents/{id}'
  const resume = { method: 'patch' as const, body: { resume: true } }
  await ask(api, content, '/banks/KNOWN/contents/1', 403, { key: program, ...resume })
  await ask(api, content, '/banks/KNOWN/contents/1', 200, { key: person, ...resume })
})

test('a content comes in by signals or by a file, is disabled, enabled and removed', async (t) => {
  const api = await seeded(t)
  const key = await api.key(['bank:read', 'bank:write'])
  const path = '/banks/SPAM/contents'
  const declared = '/banks/{name}/contents'
  const value = digestOfText('advert')
  const post = {
    key,
    method: 'post' as const,
    headers: { 'idempotency-key': 'content-1' },
    body: { signals: [{ type: 'sha256', value }], note: 'coin advert' },
  }
  const { content } = await ask(api, declared, path, 201, post)
  assert.deepEqual(await ask(api, declared, path, 201, post), { content })
  const flat = { ...post, headers: { 'idempotency-key': 'content-2' } }
  const nothing = { signals: [{ type: 'sha256', value: '0'.repeat(64) }] }
  await ask(api, declared, path, 422, { ...flat, body: nothing })
  const counted = await ask(api, declared, path, 403, {
    ...{ key, method: 'post', headers: { 'idempotency-key': 'content-4' } },
    body: { signals: [{ type: 'sha256', value: digestOfText('another') }], accounts: 7 },
  })
  assert.equal(counted['code'], 'person-needed')
  const file = await api.ask(`/api/v1${path}?note=a%20file`, {
    key,
    method: 'POST',
    headers: {
      'idempotency-key': 'content-3',
      'content-type': 'application/octet-stream',
    },
    body: 'the bytes of a file',
  })
  const byFile = (await checkAnswer(api, declared, 'post', file)) as Body
  assert.equal(file.status, 201)
  assert.match(String(byFile['leftOut']), /only exact copies/)
  const otherNote = await api.ask(`/api/v1${path}?note=another`, {
    key,
    method: 'POST',
    headers: { 'idempotency-key': 'content-3', 'content-type': 'application/octet-stream' },
    body: 'the bytes of a file',
  })
  const reused = (await checkAnswer(api, declared, 'post', otherNote)) as Body
  assert.deepEqual([otherNote.status, reused['code']], [409, 'key-reused'])
  const answer = await api.ask(`/api/v1${path}?values=true`, { key })
  const listed = (await checkAnswer(api, declared, 'get', answer)) as { contents: Body[] }
  const values = listed.contents.flatMap(({ signals }) => signals.map((one: Body) => one['value']))
  assert.ok(values.includes(value) && values.includes(digestOfText('the bytes of a file')))
  const one = `${path}/${content}`
  const change = { key, method: 'patch' as const, body: { disableUntil: 0 } }
  await ask(api, `${declared}/{id}`, one, 200, change)
  await ask(api, `${declared}/{id}`, one, 200, { ...change, body: { disableUntil: 1 } })
  const wrong = { ...change, body: { state: 'disabled' } }
  const refused = await ask(api, `${declared}/{id}`, one, 422, wrong)
  assert.match(refused['errors']?.[0]?.message ?? '', /disableUntil .*resume/)
  await ask(api, `${declared}/{id}`, one, 422, { ...change, body: {} })
  const resume = { ...change, body: { resume: true } }
  const held = await ask(api, `${declared}/{id}`, one, 403, resume)
  assert.equal(held['code'], 'person-needed')
  const person = await api.key(['bank:write'], { isPerson: true })
  await ask(api, `${declared}/{id}`, one, 200, { ...resume, key: person })
  await ask(api, `${declared}/{id}`, `${path}/99999`, 404, change)
  const remove = { key, method: 'delete' as const }
  await ask(api, `${declared}/{id}`, one, 200, remove)
  await ask(api, `${declared}/{id}`, one, 404, remove)
})

test('a body without a length is read, and refused once it is too large', async (t) => {
  const api = await seeded(t)
  const key = await api.key(['blob:read'])
  const stream = (text: string) =>
    api.ask('/api/v1/blobs', {
      key,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: new Blob([text]).stream(),
      duplex: 'half',
    })
  const blobs = [{ did: testDid, cid: cidOfText('bad') }]
  assert.equal((await stream(JSON.stringify({ blobs }))).status, 200)
  assert.equal((await stream(' '.repeat(1024 * 1024 + 1))).status, 413)
  assert.deepEqual(api.lines, [])
})

test('what matches many accounts waits for their number and for a second person', async (t) => {
  const api = await apiInTest(t, { BLOBWATCH_SECOND_PERSON_ACCOUNTS: '1' }, async (database) => {
    await seed(database)
    for (const n of [1, 2, 3])
      await see(database, {
        text: 'seen',
        rkey: `s${n}`,
        did: `did:plc:${String.fromCharCode(96 + n).repeat(24)}`,
        mode: 'act',
      })
  })
  const key = await api.key(['bank:write'])
  const body = { signals: [{ type: 'sha256', value: digestOfText('seen') }] }
  const headers = { 'idempotency-key': 'content-1' }
  const post = { key, method: 'post' as const, headers, body }
  const asked = await ask(api, '/banks/{name}/contents', '/banks/KNOWN/contents', 202, post)
  assert.ok(Number(asked['proposal']) > 0)
})
