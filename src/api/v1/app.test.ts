import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KeyRing } from '../key-ring.ts'
import type { RateLimits } from '../rate-limits.ts'
import { createV1App } from './app.ts'

test('computes its document once, however often it is asked for', async (t) => {
  const access = { principal: 1, kind: 'service', name: 'client', scopes: new Set<never>() }
  const keys = {
    open: async () => ({ kind: 'open', keyId: 'a', requestsPerSecond: undefined, access }),
    isKnown: () => true,
  }
  const limits = {
    refusedTooOften: () => 0,
    spend: () => ({ limit: 400, remaining: 399, waitMs: 0 }),
  }
  const app = createV1App({
    keys: keys as unknown as KeyRing,
    limits: limits as unknown as RateLimits,
    routes: [],
    onError: (error) => assert.fail(String(error)),
  })
  const computed = t.mock.method(app, 'getOpenAPI31Document')
  const incoming = { socket: { remoteAddress: '127.0.0.1' } }
  const ask = async () => (await app.request('/openapi.json', {}, { incoming })).text()
  assert.match(await ask(), /^{"openapi":"3.1.0"/)
  assert.equal(await ask(), await ask())
  assert.equal(computed.mock.callCount(), 1)
})
