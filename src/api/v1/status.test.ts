import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiInTest } from '../api-in-test.ts'
import { checkedAsk } from '../openapi-check.ts'

type Status = {
  healthy: boolean
  components: Record<string, { healthy: boolean; note?: string }>
  config: Record<string, unknown>
}
type Figures = {
  request_volume: { total: number; by_kind: Record<string, number> }
  match_rate: number | null
  response_time: Record<string, { count: number; mean_ms: number; p95_ms_max: number | null }>
}

test('the state and the figures are told, without secrets, and figures not to those who only report', async (t) => {
  const webhookSecret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
  const api = await apiInTest(t, { BLOBWATCH_WEBHOOK_SECRET: webhookSecret })
  const ask = await checkedAsk(api)
  const key = await api.key(['report'], { name: 'reports only' })
  const reader = await api.key(['match:read'])

  await t.test('/status names every part and no secret', async () => {
    const { body } = await ask<Status>('/status', { key })
    assert.deepEqual(Object.keys(body.components).toSorted(), [
      'database',
      'decoder',
      'disk',
      'index',
      'ledger',
    ])
    assert.deepEqual(body.components['decoder'], { healthy: true })
    assert.deepEqual(body.components['database'], { healthy: true })
    assert.equal(body.config['mode'], 'observe')
    assert.equal(body.config['webhook'], true)
    const text = JSON.stringify(body)
    assert.ok(!text.includes('whsec_') && !text.includes('postgres://'))
    assert.ok(!text.includes(api.service.parts.config.dataDir))
  })

  await t.test('/status/metrics counts what was asked', async () => {
    const before = (await ask<Figures>('/status/metrics', { key: reader })).body
    const json = { hash_type: 'md5', hash_value: '0'.repeat(32) }
    for (let n = 0; n < 3; n += 1) await ask('/match', { key: reader, json })
    const { body } = await ask<Figures>('/status/metrics', { key: reader })
    const match = body.request_volume.by_kind['match'] ?? 0
    assert.equal(match - (before.request_volume.by_kind['match'] ?? 0), 3)
    assert.equal(body.response_time['match']?.count, match)
    assert.ok((body.response_time['match']?.p95_ms_max ?? 0) > 0)
    const meanMs = body.response_time['match']?.mean_ms ?? 0
    assert.match(String(meanMs), /^\d+(\.\d{1,2})?$/)
    assert.equal(body.match_rate, null)
    assert.equal((await ask('/status/metrics', { key })).status, 403)
  })

  await t.test('/webhook/hma-callback says that it is not offered', async () => {
    const { status } = await ask('/webhook/hma-callback', { key, json: { anything: 1 } })
    assert.equal(status, 501)
  })
})
