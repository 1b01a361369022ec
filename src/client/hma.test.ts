import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, hmaClient } from './index.ts'
import { recordedServer } from './recorded-in-test.ts'

const pdq = 'f0'.repeat(32)
const bank = { name: 'A', matching_enabled_ratio: 1 }

test('hashes and looks up as HMA’s own clients do', async (t) => {
  const found = { A: [{ bank_content_id: 12, distance: '4' }] }
  const { baseUrl, finish } = await recordedServer(t, [
    {
      request: 'GET /h/hash?url=https%3A%2F%2Fx.example%2Fa.jpg&content_type=photo&types=pdq',
      answer: { pdq },
    },
    { request: 'POST /h/hash', form: { photo: 'bytes' }, answer: { pdq: '' } },
    {
      request: `GET /m/lookup?signal=${pdq}&signal_type=pdq&banks=A%2CB&seed=s`,
      answer: found,
    },
    { request: 'GET /m/lookup?url=https%3A%2F%2Fx.example%2F', answer: { pdq: found } },
    {
      request: 'POST /m/lookup?bypass_coinflip=true',
      form: { video: 'bytes' },
      answer: { video_md5: {} },
    },
    {
      request: `GET /m/raw_lookup?signal=${pdq}&signal_type=pdq&include_distance=true`,
      answer: { matches: found.A },
    },
    {
      request: 'POST /m/compare',
      body: { pdq: [pdq, pdq] },
      answer: { pdq: [true, { distance: 0 }] },
    },
    { request: 'GET /m/index/status', answer: {} },
  ])
  const client = hmaClient({ baseUrl: `${baseUrl}/` })
  const file = new Blob(['bytes'])
  assert.deepEqual(
    await client.hashUrl({ url: 'https://x.example/a.jpg', contentType: 'photo', types: ['pdq'] }),
    { pdq },
  )
  assert.deepEqual(await client.hashFile('photo', file), { pdq: '' })
  const about = { signal: pdq, signalType: 'pdq' }
  assert.deepEqual(await client.lookup({ ...about, banks: ['A', 'B'], seed: 's' }), found)
  assert.deepEqual(await client.lookupUrl({ url: 'https://x.example/' }), { pdq: found })
  assert.deepEqual(await client.lookupFile('video', file, { bypassCoinflip: true }), {
    video_md5: {},
  })
  assert.deepEqual(await client.rawLookup(about), found.A)
  assert.deepEqual(await client.compare({ pdq: [pdq, pdq] }), { pdq: [true, { distance: 0 }] })
  assert.deepEqual(await client.indexStatus(), {})
  finish()
})

test('changes banks, contents and exchanges', async (t) => {
  const content = { id: 3, disable_until_ts: 1, original_media_uri: null, bank }
  const added = { id: 3, signals: { pdq } }
  const status = { checkpoint_ts: null, up_to_date: true }
  const exchange = { bank: 'N', api: 'ncmec', api_json: {} }
  const { baseUrl, finish } = await recordedServer(t, [
    { request: 'GET /c/banks', answer: [bank] },
    {
      request: 'POST /c/banks',
      body: { name: 'A', enabled_ratio: 0.5 },
      status: 201,
      answer: bank,
    },
    { request: 'PUT /c/bank/A', body: { enabled: false }, answer: bank },
    { request: 'GET /c/bank/A', answer: bank },
    { request: 'GET /c/bank/A/content/3?include_signals=true', answer: content },
    {
      request: 'POST /c/bank/A/content?url=https%3A%2F%2Fx.example%2F&content_type=photo',
      body: { note: 'n' },
      answer: added,
    },
    {
      request: 'POST /c/bank/A/content',
      form: { photo: 'bytes', metadata: '{"content_id":"7"}', note: 'n' },
      answer: added,
    },
    { request: 'POST /c/bank/A/signal', body: { pdq }, answer: added },
    { request: 'PUT /c/bank/A/content/3', body: { disable_until_ts: 0 }, answer: { id: 3 } },
    { request: 'DELETE /c/bank/A/content/3', answer: { deleted: 0 } },
    { request: 'DELETE /c/bank/A', answer: { message: 'Done' } },
    { request: 'GET /c/exchanges', answer: ['N'] },
    { request: 'GET /c/exchange/N', answer: { name: 'N' } },
    { request: 'GET /c/exchange/N/status', answer: status },
    { request: 'GET /c/exchanges/apis', answer: ['ncmec'] },
    { request: 'POST /c/exchanges', body: exchange, status: 201, answer: { message: 'x' } },
    { request: 'DELETE /c/exchange/N', answer: { message: 'Exchange deleted' } },
  ])
  const client = hmaClient({ baseUrl })
  assert.deepEqual(await client.banks(), [bank])
  assert.deepEqual(await client.createBank({ name: 'A', enabled_ratio: 0.5 }), bank)
  assert.deepEqual(await client.updateBank('A', { enabled: false }), bank)
  assert.deepEqual(await client.bank('A'), bank)
  assert.deepEqual(await client.content('A', 3, { includeSignals: true }), content)
  const about = { contentType: 'photo', note: 'n' }
  assert.deepEqual(await client.addContentUrl('A', { ...about, url: 'https://x.example/' }), added)
  const file = new Blob(['bytes'])
  const metadata = { content_id: '7' }
  assert.deepEqual(await client.addContentFile('A', { ...about, file, metadata }), added)
  assert.deepEqual(await client.addSignals('A', { pdq }), added)
  assert.deepEqual(await client.updateContent('A', 3, { disable_until_ts: 0 }), { id: 3 })
  assert.equal(await client.deleteContent('A', 3), false)
  await client.deleteBank('A')
  assert.deepEqual(await client.exchanges(), ['N'])
  assert.deepEqual(await client.exchange('N'), { name: 'N' })
  assert.deepEqual(await client.exchangeStatus('N'), status)
  assert.deepEqual(await client.exchangeApis(), ['ncmec'])
  await client.createExchange(exchange)
  await client.deleteExchange('N')
  finish()
})

test('says what HMA said: its message, and its three states without an error', async (t) => {
  const { baseUrl, finish } = await recordedServer(t, [
    { request: 'GET /c/bank/X', status: 404, answer: { message: "bank 'X' not found" } },
    { request: 'GET /m/lookup?signal=z&signal_type=pdq', status: 422, answer: [{ type: 'x' }] },
    { request: 'GET /status', answer: 'I-AM-ALIVE' },
    { request: 'GET /status', status: 503, answer: 'INDEX-STALE' },
    { request: 'GET /status', status: 503, answer: 'INDEX-NOT-LOADED' },
    { request: 'GET /status', answer: '<html>another service</html>' },
  ])
  const client = hmaClient({ baseUrl })
  await assert.rejects(client.bank('X'), (error) => {
    assert.ok(error instanceof ApiError)
    assert.equal(error.message, "GET /c/bank/{name}: 404 bank 'X' not found")
    return true
  })
  await assert.rejects(client.lookup({ signal: 'z', signalType: 'pdq' }), { status: 422 })
  assert.equal(await client.state(), 'alive')
  assert.equal(await client.state(), 'stale')
  assert.equal(await client.state(), 'not-loaded')
  await assert.rejects(client.state(), { name: 'ApiError', status: 200 })
  finish()
})

test('what changes a bank is never sent twice', async (t) => {
  const { baseUrl, finish } = await recordedServer(t, [
    { request: 'POST /c/bank/A/signal', body: { pdq }, status: 503, answer: { message: 'busy' } },
    { request: 'GET /c/banks', status: 503, answer: { message: 'busy' } },
    { request: 'GET /c/banks', answer: [] },
  ])
  const client = hmaClient({ baseUrl, sleep: async () => {} })
  await assert.rejects(client.addSignals('A', { pdq }), { status: 503 })
  assert.deepEqual(await client.banks(), [])
  finish()
})
