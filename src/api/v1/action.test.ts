import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { noOtherTypes } from '../../domain/other-type.ts'
import { addContent, createBank } from '../../banks/bank-store.ts'
import { readBlobStates } from '../../cases/blob-states.ts'
import { listCases } from '../../cases/case-list.ts'
import { emptyBatch } from '../../domain/batch.ts'
import { blobCidOf } from '../../domain/cid.ts'
import { sweepOld } from '../../roles/keep-house.ts'
import { requestErasure } from '../../steps/personal.ts'
import { createTakeIn } from '../../steps/take-in.ts'
import { decideCase } from '../../steps/withdraw.ts'
import { whereNamed } from '../../testing/where-named.ts'
import { apiInTest } from '../api-in-test.ts'
import type { ApiInTest } from '../api-in-test.ts'
import { checkedAsk } from '../openapi-check.ts'
import type { CheckedAsk } from '../openapi-check.ts'

type Accepted = {
  action_id: string
  status: string
  result: string
  case?: number
  status_url: string
}
type State = { status: string; case?: number; places: { cid: string; status: string }[] }
type Problem = { detail: string; code?: string }

const digest = (text: string) => createHash('sha256').update(text).digest('hex')
const cidOf = (text: string) => blobCidOf(digest(text))
const did = `did:plc:${'a'.repeat(24)}`
const other = `did:plc:${'b'.repeat(24)}`

describe('POST /action', () => {
  const cleanups: (() => unknown)[] = []
  let api: ApiInTest
  let ask: CheckedAsk
  let key: string
  let rival: string
  let match: { match_id: string; bank_name: string }

  before(async () => {
    api = await apiInTest(
      { after: (clean) => void cleanups.unshift(clean as () => unknown) },
      // Nobody answers there: what is asked for stays open.
      { BLOBWATCH_PLC_URL: 'http://127.0.0.1:9', BLOBWATCH_API_REQUESTS_PER_SECOND: '10000' },
    )
    ask = await checkedAsk(api)
    const scopes = ['scan', 'match:read', 'act', 'bank:read'] as const
    key = await api.key([...scopes], { name: 'pds' })
    rival = await api.key([...scopes], { name: 'rival' })
    const by = { principal: api.person, nowMs: Date.now() }
    await createBank(api.database.app, { name: 'NCMEC', mode: 'act', class: 'restricted', ...by })
    const signals = [{ type: 'sha256' as const, value: digest('known') }]
    await addContent(api.database.app, { bank: 'NCMEC', signals, ...by })
    await api.service.parts.bankBook.refresh()
    match = await matchOf(key)
    const takeIn = createTakeIn({
      others: noOtherTypes,
      ...{ db: api.database.app, clock: Date.now, source: 'webhook', host: 'atproto-callback' },
    })
    await takeIn({
      ...emptyBatch(),
      delivery: { endpoint: 'atproto-callback', id: 'msg_1', contentId: 'content_123' },
      sightings: [{ did, blobCid: cidOf('announced'), source: 'webhook' }],
    })
  })
  after(async () => {
    for (const clean of cleanups) await clean()
  })

  async function matchOf(by: string) {
    const json = { hash_value: digest('known'), hash_type: 'sha256' }
    const { body } = await ask<{ matches: (typeof match)[] }>('/match', { key: by, json })
    const [found] = body.matches
    assert.ok(found)
    return found
  }
  const act = <Body = Accepted>(change: Record<string, unknown>, by = key) => {
    const json = {
      ...{
        action_id: '123',
        action_type: 'takedown',
        content_id: 'content_123',
        match_info: match,
      },
      ...change,
    }
    return ask<Body>('/action', { key: by, json })
  }
  const stateOf = async (id: string) =>
    (await ask<State>(`/action/${encodeURIComponent(id)}`, { key })).body
  const entries = (type: string) =>
    api.database.owner<{ pub: Record<string, unknown>; actor: Record<string, unknown> }[]>`
      select doc->'pub' as pub, doc->'actor' as actor from (
        select convert_from(bytes, 'UTF8')::jsonb as doc from ledger_entry
        union all select jsonb_build_object('type', type, 'pub', pub, 'actor', actor) from ledger_intake
      ) x where doc->>'type' = ${type}`

  it("takes the guide's own words, and the same again without doing anything twice", async () => {
    const first = await act({})
    assert.equal(first.status, 202)
    assert.deepEqual(first.body, {
      action_id: '123',
      action_type: 'takedown',
      status: 'accepted',
      result: 'requested',
      status_url: '/api/v1/action/123',
    })
    const requested = (await entries('action.requested')).length
    assert.deepEqual((await act({})).body, first.body)
    assert.equal((await entries('action.requested')).length, requested)
    const state = await stateOf('123')
    assert.equal(state.status, 'accepted')
    assert.deepEqual(
      state.places.map(({ cid }) => cid),
      [cidOf('announced')],
    )
  })

  it('refuses the same id for something else, and gives each caller ids of its own', async () => {
    await act({ action_id: 'mine' })
    for (const change of [{ content_id: `${did}/${cidOf('x')}` }, { action_type: 'review' }]) {
      const { status, body } = await act<Problem>({ action_id: 'mine', ...change })
      assert.deepEqual([status, body.code], [409, 'conflict'])
    }
    assert.equal((await ask('/action/mine', { key: rival })).status, 404)
    const theirs = await act({ action_id: 'mine', match_info: await matchOf(rival) }, rival)
    assert.equal(theirs.status, 202)
  })

  it('is one request when it is sent fifty times at once', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => act({ action_id: 'many' })))
    assert.ok(answers.every(({ status }) => status === 202))
    const rows = await api.database.owner`select 1 from api_action where action_id = 'many'`
    assert.equal(rows.length, 1)
    const seen = await api.database.owner`
      select 1 from sighting s join api_action x on x.at = s.at where x.action_id = 'many'`
    assert.equal(seen.length, 1)
  })

  it("takes down on nobody's word alone: a match that this caller was told of is needed", async () => {
    const unknown = [
      undefined,
      { match_id: 'm_AAAAAAAAAAAAAAAA' },
      { match_id: (await matchOf(rival)).match_id },
    ]
    for (const [n, match_info] of unknown.entries()) {
      for (const action_type of ['takedown', 'report_ncmec']) {
        const { status, body } = await act<Problem>({ action_id: `u${n}`, action_type, match_info })
        assert.deepEqual([status, body.code], [422, 'no-match'])
      }
      assert.equal((await ask(`/action/u${n}`, { key })).status, 404)
    }
  })

  it('needs no match for a review: it opens a case for a person, under the name of who asked', async () => {
    const { body } = await act({
      ...{ action_id: 'look', action_type: 'review', match_info: undefined },
      content_id: `${did}/${cidOf('odd')}`,
    })
    assert.equal(body.result, 'review-opened')
    const [opened] = await listCases(api.database.app, { state: 'open', limit: 10, offset: 0 })
    assert.deepEqual([opened?.id, opened?.reason, opened?.blobs], [body.case, 'review-asked', 1])
    const [event] = await api.database.owner`
      select e.event, p.name from case_event e join principal p on p.id = e.principal where e.case_file = ${body.case ?? 0}`
    assert.deepEqual({ ...event }, { event: 'review-asked', name: 'pds' })
    const [state] = await readBlobStates(api.database.app, [{ did, digest: digest('odd') }])
    assert.deepEqual([state?.state, state?.reason], ['unscanned', 'waiting'], 'it blurs nothing')
    await api.database.owner`delete from job where key = decode(${digest('odd')}, 'hex')`
    await api.database.owner`
      insert into blob (blob_cid, verdict, kind, coverage, hashed_at, bank_generation)
      values (decode(${digest('odd')}, 'hex'), 'clear', 'image', 15, now(), 0)`
    const stateNow = async () => (await ask<State>('/action/look', { key })).body.status
    assert.equal(await stateNow(), 'held', 'a person decides, though nothing matched')
    const caseNumber = body.case ?? 0
    await decideCase(api.database.app, {
      ...{ caseNumber, verb: 'release', principal: api.person, nowMs: Date.now() },
    })
    assert.equal(await stateNow(), 'released')
  })

  it('drafts a report to NCMEC for a person and files none; what a person decided is not opened again', async () => {
    const content_id = `${other}/${cidOf('known')}`
    const draft = await act({ action_id: 'draft', action_type: 'report_ncmec', content_id })
    assert.deepEqual([draft.status, draft.body.result], [202, 'draft-opened'])
    const first = draft.body.case ?? 0
    await decideCase(api.database.app, {
      ...{ caseNumber: first, verb: 'release', principal: api.person, nowMs: Date.now() },
    })
    const again = await act({ action_id: 'draft-2', action_type: 'report_ncmec', content_id })
    assert.notEqual(again.body.case, first)
    const cases = await api.database.owner`
      select c.id, c.state, c.reason, (select string_agg(e.note, '') from case_event e where e.case_file = c.id) as note
      from case_file c where c.id in (${first}, ${again.body.case ?? 0}) order by c.id`
    assert.deepEqual(
      cases.map((row) => ({ ...row })),
      [
        { id: first, state: 'released', reason: 'report-asked', note: null },
        {
          id: again.body.case,
          state: 'open',
          reason: 'report-asked',
          note: `the blob is in case ${first}, which is released`,
        },
      ],
    )
    const notes = await entries('action.requested')
    assert.ok(notes.some(({ pub }) => pub['case'] === first && pub['kind'] === 'report_ncmec'))
    assert.ok(notes.every(({ actor }) => actor['kind'] === 'service'))
  })

  it('knows a record, did/cid, a CID that was seen and a name from a webhook, and nothing else', async () => {
    const good = [`${did}/${cidOf('new')}`, cidOf('announced'), 'content_123']
    for (const [n, content_id] of good.entries())
      assert.equal((await act({ action_id: `c${n}`, content_id })).status, 202, content_id)
    const wrong: [string, string][] = [
      ['content_124', 'unknown'],
      ['/data/uploads/1.jpg', 'unknown'],
      [cidOf('never seen'), 'unknown'],
      [`did:plc:/${cidOf('x')}`, 'content'],
      [`${did}/nonsense`, 'content'],
      ['at://alice.test/app.bsky.feed.post/3k', 'content'],
      [`at://${did}`, 'content'],
      [`at://${did}/app.bsky.feed.post/../x`, 'content'],
    ]
    for (const [n, [content_id, code]] of wrong.entries()) {
      const { status, body } = await act<Problem>({ action_id: `w${n}`, content_id })
      assert.deepEqual([status, body.code], [422, code], content_id)
      assert.ok(!body.detail.includes(content_id))
    }
    const away = await act<Problem>({
      action_id: 'away',
      content_id: `at://${did}/app.bsky.feed.post/3kabc`,
    })
    assert.equal(away.status, 503)
    assert.ok(Number(away.headers.get('retry-after')) > 0)
  })

  it('refuses what is no request', async () => {
    const wrong = [
      ...['', 'a b', 'ä', 'x'.repeat(129), 1, null, 'a\0'].map((action_id) => ({ action_id })),
      ...['delete', 'TAKEDOWN', '', null, 7].map((action_type) => ({ action_type })),
      ...['', 'a\0b', 'x'.repeat(3_000), null, 7, ['a']].map((content_id) => ({ content_id })),
      ...['m_1', [], { match_id: 7 }, { match_id: 'a\0' }, {}].map((match_info) => ({
        match_info,
      })),
    ]
    for (const change of wrong) {
      const { status } = await act(change)
      assert.equal(status, 422, JSON.stringify(change))
    }
    assert.equal((await ask(`/action/${'x'.repeat(129)}`, { key })).status, 422)
    const reader = await api.key(['match:read'], { name: 'reader' })
    assert.equal((await act({ action_id: 'r' }, reader)).status, 403)
  })

  it('answers each of a batch by itself', async () => {
    const one = { action_type: 'takedown', content_id: 'content_123', match_info: match }
    const { status, body } = await ask<{
      results: { action_id: string; status: string; code?: string; accepted?: Accepted }[]
    }>('/action/batch', {
      key,
      json: {
        actions: [
          { ...one, action_id: 'b1' },
          { ...one, action_id: 'b2', content_id: 'unknown' },
          { ...one, action_id: 'b1', action_type: 'review' },
          { ...one, action_id: 'b1' },
        ],
      },
    })
    assert.equal(status, 202)
    assert.deepEqual(
      body.results.map((result) => [result.action_id, result.status, result.code]),
      [
        ['b1', 'accepted', undefined],
        ['b2', 'refused', 'unknown'],
        ['b1', 'refused', 'conflict'],
        ['b1', 'accepted', undefined],
      ],
    )
    assert.deepEqual(body.results[3]?.accepted, body.results[0]?.accepted)
    const many = Array.from({ length: 101 }, (_, n) => ({ ...one, action_id: `n${n}` }))
    assert.equal((await ask('/action/batch', { key, json: { actions: many } })).status, 422)
  })

  it('forgets requests with the account, and all of them after thirty days', async () => {
    const gone = `did:plc:${'c'.repeat(24)}`
    const content_id = `${gone}/${cidOf('gone')}`
    await act({ action_id: 'gone', content_id })
    const places = () => api.database.owner`
      select 1 from api_action_place x join account a on a.id = x.account where a.did = ${gone}`
    assert.equal((await places()).length, 1)
    const named = { action_id: `about-${gone}`, content_id: `${other}/${cidOf('known')}` }
    assert.equal((await act(named)).status, 202)
    assert.ok((await whereNamed(api.database.owner, gone)).includes('api_action.action_id'))
    await untilEntered()
    const erased = await requestErasure(api.database.app, {
      ...{ did: gone, basis: 'asked', principal: api.person, nowMs: Date.now() },
    })
    assert.equal(erased.result, 'erased')
    assert.equal((await ask('/action/gone', { key })).status, 404)
    assert.deepEqual(await whereNamed(api.database.owner, gone), [])
    const rows = () => api.database.owner<{ n: number }[]>`
      select (select count(*) from api_action) + (select count(*) from api_match) as n`
    assert.ok(((await rows())[0]?.n ?? 0) > 0)
    await sweepOld(api.database.app, Date.now() + 29 * 86_400_000)
    assert.ok(((await rows())[0]?.n ?? 0) > 0)
    await sweepOld(api.database.app, Date.now() + 31 * 86_400_000)
    assert.equal((await rows())[0]?.n, 0)
  })

  async function untilEntered(): Promise<void> {
    for (let tries = 0; tries < 200; tries += 1) {
      const [row] = await api.database.owner<
        { n: number }[]
      >`select count(*) as n from ledger_intake`
      if (row?.n === 0) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    assert.fail('the ledger does not move')
  }
})
