// Cases, holds, the ledger and explanations over HTTP against the started service: what they answer, that it is what
// the document says, and what they refuse.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { leafHashOf } from '../../ledger/tree/hash.ts'
import type { KeyScope } from '../../cases/api-keys.ts'
import { testDid, cidOfText } from '../../commands/seed-in-test.ts'
import { checkAnswer, documentOf } from '../openapi-check.ts'
import { ask, seeded } from './resources-in-test.ts'
import type { Body } from './resources-in-test.ts'

test('cases are listed in pages and shown in full; banks and distances only to who may know them', async (t) => {
  const api = await seeded(t)
  const key = await api.key(['case:read'])
  const first = await ask(api, '/cases', '/cases?limit=1', 200, { key })
  const [one] = first['cases'] as Body[]
  assert.equal(one?.['banks'], undefined)
  const second = await ask(api, '/cases', `/cases?limit=1&cursor=${first['cursor']}`, 200, { key })
  const [two] = second['cases'] as Body[]
  assert.ok(Number(two?.['id']) > Number(one?.['id']))
  assert.equal(second['cursor'], undefined)
  const shown = await ask(api, '/cases/{id}', `/cases/${one?.['id']}`, 200, { key })
  assert.doesNotMatch(JSON.stringify(shown), /KNOWN/)
  assert.equal((shown['matches'] as Body[])[0]?.['distance'], undefined)
  const more = await api.key(['case:read', 'bank:read', 'match:distance'], { name: 'console' })
  const named = await ask(api, '/cases/{id}', `/cases/${one?.['id']}`, 200, { key: more })
  assert.equal((named['matches'] as Body[])[0]?.['bank'], 'KNOWN')
  assert.equal((named['matches'] as Body[])[0]?.['distance'], 0)
  const missing = await ask(api, '/cases/{id}', '/cases/99999', 404, { key })
  assert.equal(missing['code'], 'no-such-case')
  for (const odd of ['0', '-1', '1e99', '99999999999', '%00', 'x'])
    await ask(api, '/cases/{id}', `/cases/${odd}`, 422, { key })
  await ask(api, '/cases', '/cases?cursor=99999999999999999999', 422, { key })
  await ask(api, '/cases', '/cases?limit=501', 422, { key })
})

test('a person confirms and takes back; a program may not, whatever its scopes; a second time is a conflict', async (t) => {
  const api = await seeded(t)
  const program = await api.key(['admin'])
  const body = { note: 'looked at it' }
  const refused = await ask(api, '/cases/{id}/confirm', '/cases/1/confirm', 403, {
    key: program,
    method: 'post',
    body,
  })
  assert.equal(refused['code'], 'person-needed')
  const key = await api.key(['case:decide'], { isPerson: true })
  const post = { key, method: 'post' as const, body }
  const confirmed = await ask(api, '/cases/{id}/confirm', '/cases/1/confirm', 200, post)
  assert.equal(confirmed['state'], 'confirmed')
  const again = await ask(api, '/cases/{id}/confirm', '/cases/1/confirm', 409, post)
  assert.equal(again['code'], 'not-in-this-state')
  await ask(api, '/cases/{id}/note', '/cases/1/note', 200, post)
  const overturned = await ask(api, '/cases/{id}/overturn', '/cases/1/overturn', 200, post)
  assert.equal(overturned['state'], 'overturned')
  const released = await ask(api, '/cases/{id}/release', '/cases/2/release', 200, post)
  assert.equal(released['state'], 'released')
  await ask(api, '/cases/{id}/release', '/cases/999/release', 404, post)
  const typo = { ...post, body: { moveto: 'SPAM' } }
  await ask(api, '/cases/{id}/confirm', '/cases/1/confirm', 422, typo)
  const [row] = await api.database.app<{ decided_by: number }[]>`
    select decided_by from case_file where id = 2`
  assert.equal(row?.decided_by, api.person)
})

test('an objection is written down once for one Idempotency-Key, and a person says what became of it', async (t) => {
  const api = await seeded(t)
  const key = await api.key(['case:decide'], { name: 'form' })
  const path = '/cases/1/appeal'
  const declared = '/cases/{id}/appeal'
  const post = { key, method: 'post' as const, body: { note: 'it is my own picture' } }
  await ask(api, declared, path, 422, post)
  const headers = { 'idempotency-key': 'appeal-0001' }
  const first = await ask(api, declared, path, 201, { ...post, headers })
  const again = await ask(api, declared, path, 201, { ...post, headers })
  assert.deepEqual(again, first)
  const other = { ...post, headers, body: { note: 'something else' } }
  assert.equal((await ask(api, declared, path, 409, other))['code'], 'key-reused')
  const [count] = await api.database.app<{ n: number }[]>`select count(*) as n from appeal`
  assert.equal(count?.n, 1)
  const both = { ...post, headers: { 'idempotency-key': 'appeal-0002' } }
  const atOnce = await Promise.all(
    Array.from({ length: 5 }, () =>
      api.ask(`/api/v1${path}`, {
        key,
        method: 'POST',
        headers: { ...both.headers, 'content-type': 'application/json' },
        body: JSON.stringify(both.body),
      }),
    ),
  )
  assert.ok(atOnce.every(({ status }) => status === 201 || status === 409))
  const [two] = await api.database.app<{ n: number }[]>`select count(*) as n from appeal`
  assert.equal(two?.n, 2)
  const person = await api.key(['case:decide'], { isPerson: true })
  const resolve = `/cases/1/appeals/${first['appeal']}/resolve`
  const resolved = '/cases/{id}/appeals/{appeal}/resolve'
  const body = { outcome: 'rejected' }
  await ask(api, resolved, resolve, 403, { key, method: 'post', body })
  await ask(api, resolved, resolve, 200, { key: person, method: 'post', body })
  await ask(api, resolved, resolve, 409, { key: person, method: 'post', body })
})

test('a request whose outcome nobody knows is not done again', async (t) => {
  const api = await seeded(t)
  const key = await api.key(['case:decide'], { name: 'form' })
  const headers = { 'idempotency-key': 'appeal-0001' }
  const post = { key, headers, method: 'post' as const, body: { note: 'mine' } }
  await ask(api, '/cases/{id}/appeal', '/cases/1/appeal', 201, post)
  await api.database.owner`update blobwatch.api_request set status = null, answer = null`
  const again = await ask(api, '/cases/{id}/appeal', '/cases/1/appeal', 409, post)
  assert.equal(again['code'], 'outcome-unknown')
})

test('holds are listed, and only a person tries again', async (t) => {
  const api = await seeded(t)
  const key = await api.key(['case:read'])
  const holds = await ask(api, '/holds', '/holds', 200, { key })
  assert.ok((holds['actions'] as Body[]).some(({ state }) => state === 'held'))
  assert.equal(holds['contents'], undefined)
  const [action] = await api.database.app<
    { id: number }[]
  >`select id from action order by id limit 1`
  const path = `/holds/${action?.id}/retry`
  const declared = '/holds/{action}/retry'
  const program = await api.key(['case:decide'])
  await ask(api, declared, path, 403, { key: program, method: 'post' })
  const person = await api.key(['case:decide'], { isPerson: true })
  await ask(api, declared, path, 409, { key: person, method: 'post' })
  await api.database.owner`
    update blobwatch.action set state = 'dead', ended_at = now(), last_error = 'gone' where id = ${action!.id}`
  const listed = await ask(api, '/holds', '/holds', 200, { key })
  assert.equal((listed['dead'] as Body[])[0]?.['action'], action?.id)
  const retried = await ask(api, declared, path, 200, { key: person, method: 'post' })
  assert.equal(retried['before'], action?.id)
  await ask(api, declared, path, 409, { key: person, method: 'post' })
})

test('the ledger is read in pages by what entries say, and an entry proved under the checkpoint', async (t) => {
  const api = await seeded(t)
  const key = await api.key(['ledger:read'])
  // The first checkpoint may be of an empty log.
  await until(async () => (await api.ask('/api/v1/ledger/0/proof', { key })).status === 200)
  const noteAnswer = await api.ask('/api/v1/ledger/checkpoint', { key })
  const note = String(await checkAnswer(api, '/ledger/checkpoint', 'get', noteAnswer))
  assert.match(note, /\n\n— /)
  const first = await ask(api, '/ledger', '/ledger?limit=2', 200, { key })
  const next = await ask(api, '/ledger', `/ledger?limit=2&before=${first['next']}`, 200, { key })
  const seqs = [...(first['entries'] as Body[]), ...(next['entries'] as Body[])].map(({ seq }) =>
    Number(seq),
  )
  assert.deepEqual(
    seqs,
    seqs.map((_, i) => seqs[0]! - i),
  )
  const cases = await ask(api, '/ledger', '/ledger?type=case.*&order=oldest', 200, { key })
  assert.ok((cases['entries'] as Body[]).every(({ type }) => String(type).startsWith('case.')))
  assert.ok((cases['entries'] as Body[]).length >= 2)
  const named = await api.key(['ledger:read', 'bank:read'], { name: 'knows banks' })
  for (const [bank, asker] of [
    ['b1', key],
    ['KNOWN', named],
  ] as const) {
    const path = `/ledger?bank=${bank}&type=decision`
    const ofBank = await ask(api, '/ledger', path, 200, { key: asker })
    assert.equal((ofBank['entries'] as Body[]).length, 2, bank)
  }
  for (const bank of ['KNOWN', 'NEVER_THERE']) {
    const refused = await ask(api, '/ledger', `/ledger?bank=${bank}`, 403, { key })
    assert.equal(refused['code'], 'bank-number', bank)
  }
  const about = await ask(api, '/ledger', '/ledger?case=1&actor=system', 200, { key })
  assert.ok((about['entries'] as Body[]).length > 0)
  const shown = await ask(api, '/ledger/{seq}', '/ledger/0', 200, { key })
  const bytes = Buffer.from(String(shown['bytes']), 'base64')
  assert.equal((JSON.parse(bytes.toString()) as Body)['type'], (shown['entry'] as Body)['type'])
  assert.equal(leafHashOf(bytes).length, 32)
  const proofAnswer = await api.ask('/api/v1/ledger/0/proof', { key })
  assert.equal(proofAnswer.status, 200, await proofAnswer.clone().text())
  const proof = String(await checkAnswer(api, '/ledger/{seq}/proof', 'get', proofAnswer))
  assert.match(proof, /^c2sp\.org\/tlog-proof@v1\n/)
  await ask(api, '/ledger/{seq}/proof', '/ledger/99999999/proof', 404, { key })
  await ask(api, '/ledger/{seq}', '/ledger/99999999', 404, { key })
  for (const odd of ['1e99', '-1', '..%2f', '99999999999999999999'])
    await ask(api, '/ledger/{seq}', `/ledger/${odd}`, 422, { key })
  await ask(api, '/ledger', '/ledger?actor=nobody', 422, { key })
  await ask(api, '/ledger', "/ledger?type=a'b", 422, { key })
  await ask(api, '/ledger', '/ledger?before=99999999999999999999999', 422, { key })
})

test('a blob is explained in an account: only there what was decided; a restricted bank is counted and entered', async (t) => {
  const api = await seeded(t)
  const key = await api.key(['case:read', 'bank:read', 'match:distance'])
  const declared = '/explain/blobs/{did}/{cid}'
  const here = await ask(api, declared, `/explain/blobs/${testDid}/${cidOfText('bad')}`, 200, {
    key,
  })
  assert.equal((here['decisions'] as Body[]).length, 1)
  assert.equal((here['answer'] as Body)['state'], 'blur')
  const elsewhere = `/explain/blobs/did:plc:${'z'.repeat(24)}/${cidOfText('bad')}`
  assert.deepEqual((await ask(api, declared, elsewhere, 200, { key }))['decisions'], [])
  const [asked] = await api.database.app<{ n: number }[]>`select count(*) as n from explained`
  assert.equal(asked?.n, 2)
  await ask(api, declared, `/explain/blobs/${testDid}/${cidOfText('never')}`, 404, { key })
  const less = await api.key(['case:read'], { name: 'less' })
  await ask(api, declared, elsewhere, 403, { key: less })
})

test('a content is explained by what it matched and caused; one of a restricted bank is counted and entered', async (t) => {
  const api = await seeded(t)
  const key = await api.key(['case:read', 'bank:read', 'match:distance'])
  const declared = '/explain/contents/{id}'
  const [content] = await api.database.app<{ id: number }[]>`
    select c.id from bank_content c join bank b on b.id = c.bank where b.class = 'restricted' order by c.id limit 1`
  const path = `/explain/contents/${content?.id}`
  const story = await ask(api, declared, path, 200, { key })
  assert.ok((story['matched'] as Body[]).some(({ blobs }) => blobs === 1))
  assert.equal(story['class'], 'restricted')
  const [asked] = await api.database.app<{ n: number }[]>`select count(*) as n from explained`
  assert.equal(asked?.n, 1)
  assert.equal(
    (await ask(api, declared, '/explain/contents/99999', 404, { key }))['code'],
    'no-such-content',
  )
  await ask(api, declared, '/explain/contents/0', 422, { key })
})

test('the blobs of a case are explained in pages, and two hashes by how far they are apart', async (t) => {
  const api = await seeded(t)
  const key = await api.key(['case:read', 'bank:read', 'match:distance'])
  const [known] = await api.database.app<
    { id: number }[]
  >`select id from case_file order by id limit 1`
  const path = `/explain/cases/${known?.id}`
  const page = await ask(api, '/explain/cases/{id}', `${path}?limit=1`, 200, { key })
  assert.equal((page['blobs'] as Body[])[0]?.['cid'], cidOfText('bad'))
  assert.equal(page['cursor'], undefined)
  await ask(api, '/explain/cases/{id}', '/explain/cases/99999', 404, { key })
  const near = `${'f'.repeat(63)}e`
  const pair = `/explain/pair?type=pdq&a=${'f'.repeat(64)}&b=${near}`
  const { distances, thresholds } = await ask(api, '/explain/pair', pair, 200, { key })
  assert.equal((distances as Body[])[0]?.['distance'], 1)
  assert.deepEqual(
    (thresholds as Body[]).map(({ bank, matches }) => [bank, matches]),
    [
      ['KNOWN', true],
      ['SPAM', true],
    ],
  )
  await ask(api, '/explain/pair', '/explain/pair?a=x&b=y', 422, { key })
  await ask(api, '/explain/pair', `${pair}&bank=NOBODY`, 404, { key })
})

test('every route is in the document, and asks for one of its scopes', async (t) => {
  const api = await seeded(t)
  const scopes: Record<string, KeyScope[]> = {
    blobs: ['blob:read'],
    cases: ['case:read', 'case:decide'],
    banks: ['bank:read', 'bank:write'],
    holds: ['case:read', 'case:decide'],
    ledger: ['ledger:read'],
    explain: ['case:read', 'bank:read', 'match:distance'],
  }
  const { paths } = await documentOf(api)
  const declared = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method} ${path}`),
  )
  assert.ok(declared.length >= 26, String(declared.length))
  const none = await api.key(['report'], { name: 'none' })
  let asked = 0
  for (const one of declared) {
    const [method, path] = one.split(' ') as [string, string]
    const group = path.split('/')[1] ?? ''
    if (scopes[group] === undefined) continue
    asked += 1
    const real = path
      .replace('{did}', testDid)
      .replace('{cid}', cidOfText('bad'))
      .replaceAll(/\{[a-z]+\}/g, '1')
    const answer = await api.ask(`/api/v1${real}`, { key: none, method: method.toUpperCase() })
    assert.equal(answer.status, 403, one)
    assert.equal(
      (await fetch(`${api.url}/api/v1${real}`, { method: method.toUpperCase() })).status,
      401,
      one,
    )
  }
  assert.ok(asked >= 26)
})

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(50)
}
