// The client against the started service.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { apiInTest } from '../api/api-in-test.ts'
import { canaryPicture } from '../testing/canary.ts'
import { ApiError, blobwatchClient, hmaClient } from './index.ts'
import type { BatchHash } from './index.ts'

const blob = {
  did: 'did:plc:ewvi7nxzyoun6zhxrhs64oiz',
  cid: 'bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy',
}

const api = await apiInTest({ after: (end) => after(end as () => Promise<void>) })
const key = await api.key([
  'scan',
  'match:read',
  'match:distance',
  'act',
  'report',
  'blob:read',
  'bank:read',
])
const client = blobwatchClient({ baseUrl: api.url, key })

test('a call without a key, or with a wrong one, ends in the problem document', async () => {
  for (const wrong of [{}, { key: 'bw_wrong' }]) {
    const stranger = blobwatchClient({ baseUrl: api.url, ...wrong })
    await assert.rejects(stranger.get('/openapi.json'), (error) => {
      assert.ok(error instanceof ApiError)
      assert.deepEqual([error.status, error.problem.title], [401, 'Unauthorized'])
      assert.ok(error.problem.requestId)
      return true
    })
  }
  await assert.rejects(client.get('/nothing-here'), { name: 'ApiError', status: 404 })
})

test('hashes an upload, and matches what it hashed', async () => {
  const bytes = Uint8Array.from(await canaryPicture({ seed: 8, width: 300, format: 'png' }))
  const hashed = await client.hash(bytes)
  assert.deepEqual([hashed.media, hashed.format, hashed.bytes], ['image', 'png', bytes.length])
  const [pdq] = hashed.hashes
  assert.equal(pdq?.algorithm, 'pdq')
  const { hash_value } = pdq
  assert.deepEqual(await client.match({ hash_type: 'pdq', hash_value, threshold: 0.9 }), {
    match_count: 0,
    matches: [],
  })
  await assert.rejects(client.match({ hash_type: 'pdq', hash_value: 'zz' }), { status: 422 })
})

test('a batch and a stream answer each hash in its order', async () => {
  const hashes = Array.from({ length: 1100 }, (_, id): BatchHash => ({
    hash_type: 'md5',
    hash_value: id.toString(16).padStart(32, '0'),
    id,
  }))
  const batch = await client.matchBatch(hashes)
  const streamed: unknown[] = []
  for await (const { id } of client.matchStream(hashes, { threshold: 0.5 })) streamed.push(id)
  const ids = hashes.map(({ id }) => id)
  assert.deepEqual([batch.map(({ id }) => id), streamed], [ids, ids])
})

test('asks for an action and reports', async () => {
  const request = {
    action_id: 'one',
    action_type: 'review',
    content_id: `${blob.did}/${blob.cid}`,
  } as const
  const accepted = await client.action(request)
  assert.deepEqual([accepted.action_id, accepted.status], ['one', 'accepted'])
  assert.deepEqual(await client.action(request), accepted)
  assert.equal((await client.actionState('one')).action_type, 'review')
  const [first, second] = await client.actions([request, { ...request, action_id: 'two' }])
  assert.deepEqual([first?.accepted, second?.status], [accepted, 'accepted'])
  await assert.rejects(client.action({ ...request, action_type: 'report_ncmec' }), { status: 409 })
  const report = await client.report({ contentId: request.content_id, reportReason: 'spam' })
  assert.equal(report.action, 'received')
  assert.match(report.report_id, /./)
})

test('says how the service is', async () => {
  const status = await client.status()
  assert.equal(status.service, 'blobwatch')
  assert.equal(typeof status.healthy, 'boolean')
})

test('tells the state of blobs, and follows their changes until it is told to stop', async () => {
  const one = await client.blob(blob)
  assert.deepEqual([one.did, one.cid], [blob.did, blob.cid])
  const [same, ...more] = await client.blobs([blob])
  assert.deepEqual([same?.state, more], [one.state, []])
  const stop = new AbortController()
  const follow = async () => {
    for await (const change of client.changes({ signal: stop.signal })) void change
  }
  setTimeout(() => stop.abort(new Error('enough')), 300)
  await assert.rejects(follow(), /enough/)
})

test('HMA’s clients are answered with a key on the private listener', async () => {
  const hma = hmaClient({ baseUrl: api.url, key })
  assert.deepEqual(await hma.banks(), [])
  const bytes = Uint8Array.from(await canaryPicture({ seed: 8, width: 300, format: 'png' }))
  const { pdq = '' } = await hma.hashFile('photo', bytes)
  assert.match(pdq, /^[0-9a-f]{64}$/)
  assert.deepEqual(await hma.lookup({ signal: pdq, signalType: 'pdq' }), {})
  assert.deepEqual((await hma.compare({ pdq: [pdq, pdq] }))['pdq'], [true, { distance: 0 }])
  await assert.rejects(hma.bank('NO_SUCH'), /not found/)
})
