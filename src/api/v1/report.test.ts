import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { noOtherTypes } from '../../domain/other-type.ts'
import { addContent, createBank } from '../../banks/bank-store.ts'
import { emptyBatch } from '../../domain/batch.ts'
import { blobCidOf } from '../../domain/cid.ts'
import { createTakeIn } from '../../steps/take-in.ts'
import { requestErasure } from '../../steps/personal.ts'
import { apiInTest } from '../api-in-test.ts'
import type { ApiInTest } from '../api-in-test.ts'
import { checkedAsk } from '../openapi-check.ts'
import type { CheckedAsk } from '../openapi-check.ts'

const digest = (text: string) => createHash('sha256').update(text).digest('hex')
const cidOf = (text: string) => blobCidOf(digest(text))
const did = `did:plc:${'a'.repeat(24)}`
const record = `at://${did}/app.bsky.feed.post/3kabc`
const cdn = (text: string) =>
  `https://cdn.bsky.app/img/feed_fullsize/plain/${did}/${cidOf(text)}@jpeg`

describe('POST /report', () => {
  const cleanups: (() => unknown)[] = []
  let api: ApiInTest
  let ask: CheckedAsk
  let key: string
  before(async () => {
    api = await apiInTest(
      { after: (clean) => void cleanups.unshift(clean as () => unknown) },
      { BLOBWATCH_PLC_URL: 'http://127.0.0.1:9' },
    )
    ask = await checkedAsk(api)
    key = await api.key(['report'], { name: 'appview' })
    const by = { principal: api.person, nowMs: Date.now() }
    await createBank(api.database.app, { name: 'BAD', mode: 'act', class: 'restricted', ...by })
    const signals = [{ type: 'sha256' as const, value: digest('known') }]
    await addContent(api.database.app, { bank: 'BAD', signals, ...by })
    await api.service.parts.bankBook.refresh()
    const takeIn = createTakeIn({
      others: noOtherTypes,
      ...{ db: api.database.app, clock: Date.now, source: 'webhook', host: 'atproto-callback' },
    })
    await takeIn({
      ...emptyBatch(),
      delivery: { endpoint: 'atproto-callback', id: 'msg_1', contentId: 'post-7' },
      sightings: [{ did, blobCid: cidOf('announced'), source: 'webhook' }],
    })
  })
  after(async () => {
    for (const clean of cleanups) await clean()
  })

  const report = (json: unknown) =>
    ask<{ action: string; report_id: string }>('/report', { key, json })
  const seen = async (text: string) => {
    const rows = await api.database.owner<
      { source: string; collection: string | null }[]
    >`select source, collection from sighting where blob_cid = decode(${digest(text)}, 'hex') and source = 'api'`
    return rows.map((row) => ({ ...row }))
  }

  it('gives one answer, whether what is reported matches, is clean, unknown or nothing at all', async () => {
    const reports = [
      { contentId: record, imageUrl: cdn('known'), reportReason: 'bad' },
      { contentId: record, imageUrl: cdn('clean'), reportReason: 'bad' },
      { contentId: 'nobody knows', imageUrl: 'https://example.com/a.jpg', reportReason: 'bad' },
      { contentId: 'nothing', reportReason: 'a\nb\tc' },
    ]
    const ids = new Set<string>()
    for (const json of reports) {
      const { status, body, headers } = await report(json)
      assert.deepEqual(
        [status, Object.keys(body), body.action],
        [202, ['action', 'report_id'], 'received'],
      )
      assert.equal(headers.get('content-length'), '54')
      ids.add(body.report_id)
    }
    assert.equal(ids.size, reports.length)
    const kept = await api.database.owner`select id from user_report`
    assert.deepEqual(new Set(kept.map((row) => row['id'] as string)), ids)
    const notes = await api.database.owner`
      select 1 from (select convert_from(bytes, 'UTF8')::jsonb->>'type' as type from ledger_entry
        union all select type from ledger_intake) x where type = 'user-report.received'`
    assert.equal(notes.length, reports.length)
  })

  it('has what is reported scanned, like an announced upload', async () => {
    assert.deepEqual(await seen('known'), [{ source: 'api', collection: 'app.bsky.feed.post' }])
    await report({ contentId: 'post-7', imageUrl: 'https://example.com/b', reportReason: 'x' })
    assert.deepEqual(await seen('announced'), [{ source: 'api', collection: null }])
    const url = 'https://images.invalid/c.jpg'
    await report({ contentId: record, imageUrl: url, reportReason: 'x' })
    const jobs = await api.database.owner`
      select detail->>'source' as source from job where kind = 'url' and detail->>'url' = ${url}`
    assert.ok(jobs.every((row) => row['source'] === 'api'))
  })

  it('opens nothing else, and refuses what is no report', async () => {
    const good = { contentId: 'c', imageUrl: 'https://example.com/a.jpg', reportReason: 'r' }
    const wrong = [
      ...['', 'x'.repeat(513), 'a\0', 7, null].map((contentId) => ({ ...good, contentId })),
      ...['', 'file:///x', 'javascript:1', 7, null].map((imageUrl) => ({ ...good, imageUrl })),
      ...['', 'x'.repeat(2_001), 'a\0', 7, null].map((reportReason) => ({ ...good, reportReason })),
      [],
    ]
    for (const json of wrong) assert.equal((await report(json)).status, 422, JSON.stringify(json))
    for (const path of ['/match', '/hash/url', '/action'])
      assert.equal((await ask(path, { key, json: {} })).status, 403)
  })

  it('forgets a report with the account that it is about, and its name in others', async () => {
    await report({ contentId: 'elsewhere', reportReason: `see ${did}` })
    const about = () => api.database.owner`
      select reason, content_id from user_report where account is not null or position(${did} in concat(reason, content_id)) > 0`
    assert.ok((await about()).length > 2)
    for (let tries = 0; tries < 100; tries += 1) {
      const { result } = await requestErasure(api.database.app, {
        ...{ did, basis: 'asked', principal: api.person, nowMs: Date.now() },
      })
      if (result === 'erased') break
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    assert.deepEqual([...(await about())], [])
    const [rest] = await api.database.owner`
      select reason from user_report where content_id = 'elsewhere'`
    assert.equal(rest?.['reason'], 'see (erased)')
  })
})
