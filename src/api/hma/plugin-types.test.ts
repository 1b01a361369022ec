// A signal type of a plug-in over HMA's interface, as an extension of HMA's would be there.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { oddFolder, oddValue } from '../../plugins/odd-in-test.ts'
import { filesUrl, hmaInTest } from './hma-in-test.ts'

const manifests = await oddFolder(after)

test('is listed, hashed, added, looked up and compared', async (t) => {
  const world = await hmaInTest(t, { BLOBWATCH_PLUGINS: await manifests.write('good') })
  const { hma } = world
  const listed = await hma('GET', '/c/signal_type')
  assert.deepEqual(
    (listed.json as { name: string }[]).map(({ name }) => name),
    ['pdq', 'video_md5', 'odd'],
  )
  const photo = world.files['/photo.png']?.bytes ?? new Uint8Array()
  const value = oddValue(photo)
  const hashed = await hma('GET', `/h/hash?url=${filesUrl}/photo.png`)
  assert.deepEqual([Object.keys(hashed.json), hashed.json.odd], [['pdq', 'odd'], value])

  await world.bank('BANK')
  const added = await hma('POST', '/c/bank/BANK/signal', { odd: oddValue(photo, 3) })
  assert.equal(added.status, 200, added.text)
  const { id } = added.json as { id: number }
  await world.settled()
  const raw = await hma(
    'GET',
    `/m/raw_lookup?signal=${value}&signal_type=odd&include_distance=true`,
  )
  assert.deepEqual(raw.json, { matches: [{ bank_content_id: id, distance: '3' }] })
  const looked = await hma('GET', `/m/lookup?url=${filesUrl}/photo.png`)
  assert.deepEqual(looked.json, {
    pdq: {},
    odd: { BANK: [{ bank_content_id: id, distance: '3' }] },
  })
  const compared = await hma('POST', '/m/compare', { odd: [value, oddValue(photo, 5)] })
  assert.deepEqual(compared.json, { odd: [false, { distance: 5 }] })
  const index = await hma('GET', '/m/index/status')
  assert.equal(index.json.odd.size, 1)
  const wrong = await hma('GET', '/m/raw_lookup?signal=00&signal_type=odd')
  assert.deepEqual([wrong.status, wrong.json.message], [400, 'invalid signal: invalid odd hash'])
})

test('that fails is not taken for a type that matches nothing: the whole lookup comes again', async (t) => {
  const world = await hmaInTest(t, { BLOBWATCH_PLUGINS: await manifests.write('crash') })
  const looked = await world.hma('GET', `/m/lookup?url=${filesUrl}/photo.png`)
  assert.equal(looked.status, 503, looked.text)
  assert.ok(looked.headers.get('retry-after') !== null)
  const without = await world.hma('GET', `/m/lookup?url=${filesUrl}/photo.png&types=pdq`)
  assert.deepEqual([without.status, without.json], [200, { pdq: {} }])
})

test('that has no value for a file is left out of its answer', async (t) => {
  const world = await hmaInTest(t, { BLOBWATCH_PLUGINS: await manifests.write('none') })
  const hashed = await world.hma('GET', `/h/hash?url=${filesUrl}/photo.png`)
  assert.deepEqual(Object.keys(hashed.json), ['pdq'])
})
