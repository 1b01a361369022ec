// The client against the started service, for what exists of /api/v1.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiInTest } from '../api/api-in-test.ts'
import { ApiError, blobwatchClient } from './index.ts'

test('reads the service’s own description with a key, and hears why without one', async (t) => {
  const api = await apiInTest(t)
  const key = await api.key(['match:read'])
  const described = await blobwatchClient({ baseUrl: api.url, key }).get<{
    openapi: string
    info: { title: string }
  }>('/openapi.json')
  assert.deepEqual([described.openapi, described.info.title], ['3.1.0', 'Blobwatch'])
  for (const wrong of [undefined, 'bw_wrong']) {
    const client = blobwatchClient({
      baseUrl: api.url,
      ...(wrong !== undefined && { key: wrong }),
    })
    await assert.rejects(client.get('/openapi.json'), (error) => {
      assert.ok(error instanceof ApiError)
      assert.equal(error.status, 401)
      assert.equal(error.problem.title, 'Unauthorized')
      assert.ok(error.problem.requestId)
      return true
    })
  }
  await assert.rejects(blobwatchClient({ baseUrl: api.url, key }).get('/nothing-here'), {
    status: 404,
  })
})
