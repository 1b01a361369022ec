import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { pdqOfBytes } from '../../testing/world.ts'
import { filesUrl, form, near, pdq, sharedWorld } from './hma-in-test.ts'

describe("HMA's matcher", { timeout: 120_000 }, () => {
  const world = sharedWorld()
  const ids: Record<string, number> = {}
  const get = (path: string) => world.now.hma('GET', path)
  const known = pdqOfBytes('known')
  const md5 = '9e107d9d372bb6826bd81d3542a419d6'
  before(async () => {
    const { bank, content, hma } = world.now
    await bank('WIDE', { pdqDistanceMax: 60 })
    await bank('HALF', { ratio: 0.3 })
    await bank('OFF', { ratio: 0 })
    ids['wide'] = await content('WIDE', [pdq('known'), { type: 'md5', value: md5 }])
    ids['half'] = await content('HALF', [pdq('known')])
    ids['off'] = await content('OFF', [pdq('known')])
    const { json } = await hma('GET', `/h/hash?url=${filesUrl}/photo.png`)
    await bank('PHOTOS')
    ids['photo'] = await content('PHOTOS', [{ type: 'pdq', value: json.pdq }])
  })

  test('finds a signal in each bank, with its distance as a text', async () => {
    const signal = near(known, 4)
    const { status, json } = await get(
      `/m/lookup?signal=${signal}&signal_type=pdq&bypass_coinflip=true`,
    )
    assert.equal(status, 200)
    const hit = (id: string) => [{ bank_content_id: ids[id], distance: '4' }]
    assert.deepEqual(json, { WIDE: hit('wide'), HALF: hit('half'), OFF: hit('off') })
  })

  test('matches at a distance of 31 and not of 32, however far the bank goes', async () => {
    const at = async (bits: number) =>
      (await get(`/m/lookup?signal=${near(known, bits)}&signal_type=pdq&banks=WIDE`)).json
    assert.deepEqual(await at(31), { WIDE: [{ bank_content_id: ids['wide'], distance: '31' }] })
    assert.deepEqual(await at(32), {})
  })

  test('has a dash for the distance of a digest', async () => {
    const { json } = await get(`/m/lookup?signal=${md5.toUpperCase()}&signal_type=video_md5`)
    assert.deepEqual(json, { WIDE: [{ bank_content_id: ids['wide'], distance: '-' }] })
  })

  test("draws with Python's numbers: a seed decides which banks are asked", async () => {
    // random.Random('a').random() is 0.272, of '12345' 0.457.
    const seeded = async (seed: string) =>
      Object.keys((await get(`/m/lookup?signal=${known}&signal_type=pdq&seed=${seed}`)).json)
    assert.deepEqual(await seeded('a'), ['WIDE', 'HALF'])
    assert.deepEqual(await seeded('12345'), ['WIDE'])
  })

  test('asks only the banks that are named', async () => {
    const { json } = await get(
      `/m/lookup?signal=${known}&signal_type=pdq&banks=OFF,HALF,NOPE&bypass_coinflip=1`,
    )
    assert.deepEqual(Object.keys(json), ['HALF', 'OFF'])
  })

  test('lists contents without looking at ratios, with distances where asked', async () => {
    const { json } = await get(`/m/raw_lookup?signal=${known}&signal_type=pdq`)
    assert.deepEqual(json, { matches: [ids['wide'], ids['half'], ids['off']] })
    const near3 = await get(
      `/m/raw_lookup?signal=${near(known, 3)}&signal_type=pdq&include_distance=True&banks=OFF`,
    )
    assert.deepEqual(near3.json, { matches: [{ bank_content_id: ids['off'], distance: '3' }] })
  })

  test('looks a file up by its address, keyed by type, or by the one type that is asked for', async () => {
    const hit = { PHOTOS: [{ bank_content_id: ids['photo'], distance: '0' }] }
    assert.deepEqual((await get(`/m/lookup?url=${filesUrl}/photo.png`)).json, { pdq: hit })
    const one = await get(`/m/lookup?url=${filesUrl}/photo.png&signal_type=pdq`)
    assert.deepEqual(one.json, hit)
    assert.deepEqual((await get(`/m/lookup?url=${filesUrl}/clip.mp4`)).json, { video_md5: {} })
  })

  test('looks an upload up, keyed by type', async () => {
    const body = form('photo', world.now.files['/photo.png']?.bytes ?? new Uint8Array())
    const { status, json } = await world.now.hma('POST', '/m/lookup?bypass_coinflip=true', body)
    assert.equal(status, 200)
    assert.deepEqual(json, { pdq: { PHOTOS: [{ bank_content_id: ids['photo'], distance: '0' }] } })
  })

  test('refuses with the words that clients know', async () => {
    const says = async (query: string, status: number, message: string) => {
      const answer = await get(query)
      assert.deepEqual({ status: answer.status, message: answer.json.message }, { status, message })
    }
    await says('/m/lookup', 400, 'Either url or both signal and signal_type are required')
    await says('/m/lookup?signal=aa&signal_type=pdq', 400, 'invalid signal: invalid PDQ hash')
    await says(
      `/m/lookup?signal=${known.toUpperCase()}&signal_type=pdq`,
      400,
      'invalid signal: invalid PDQ hash',
    )
    await says('/m/raw_lookup?signal=aa&signal_type=nope', 400, "No such SignalType 'nope'")
    await says('/m/index/status?signal_type=nope', 400, "No such signal type 'nope'")
    assert.equal((await get('/m/raw_lookup?signal_type=pdq')).status, 422)
    assert.equal(
      (await get(`/m/raw_lookup?signal=${known}&signal_type=pdq&include_distance=maybe`)).status,
      422,
    )
  })

  test('compares two hashes', async () => {
    const compare = (body: unknown) => world.now.hma('POST', '/m/compare', body)
    const { status, json } = await compare({ pdq: [known, near(known, 9)], video_md5: [md5, md5] })
    assert.equal(status, 200)
    assert.deepEqual(json, { pdq: [true, { distance: 9 }], video_md5: [true, {}] })
    assert.deepEqual((await compare({ pdq: [known, near(known, 40)] })).json, {
      pdq: [false, { distance: 40 }],
    })
    for (const wrong of [
      [],
      { pdq: 'x' },
      { pdq: [known] },
      { pdq: ['x', known] },
      { nope: [known, known] },
    ])
      assert.equal((await compare(wrong)).status, 400)
  })

  test('tells how far the index is', async () => {
    const { json } = await get('/m/index/status')
    assert.deepEqual(Object.keys(json), ['pdq', 'video_md5'])
    assert.deepEqual([json.pdq.present, json.pdq.size, json.video_md5.size], [true, 4, 1])
    assert.ok(Math.abs(json.pdq.built_to - Date.now() / 1000) < 600)
    const backlog = await get('/c/signal_type/index?signal_type=pdq')
    const { db_size, index_size, index_out_of_date } = backlog.json.pdq
    assert.deepEqual([db_size, index_size, index_out_of_date], [4, 4, false])
    assert.ok(backlog.json.pdq.newest_db_item > 0)
  })

  test('answers with a key as its scopes allow, and names the one that is missing', async () => {
    const read = world.now.keyed(await world.now.key(['match:read']))
    const near = world.now.keyed(await world.now.key(['match:read', 'match:distance', 'bank:read']))
    const nameless = world.now.keyed(await world.now.key(['match:read', 'match:distance']))
    const lookup = `/m/lookup?signal=${known}&signal_type=pdq&banks=WIDE`
    const raw = `/m/raw_lookup?signal=${known}&signal_type=pdq&banks=WIDE`
    const all = raw.replace('&banks=WIDE', '')
    assert.ok((await read('GET', all)).json.matches.includes(ids['wide']))
    for (const path of [lookup, raw, raw.replace('WIDE', 'NEVER_THERE')]) {
      const { status, json } = await nameless('GET', path)
      assert.equal(status, 403)
      assert.match(json.message, /bank:read/)
    }
    for (const path of [lookup, `${raw}&include_distance=1`]) {
      const { status, json } = await read('GET', path)
      assert.equal(status, 403)
      assert.match(json.message, /match:distance/)
      assert.equal((await near('GET', path)).status, 200)
    }
    const hash = await near('GET', `/h/hash?url=${filesUrl}/photo.png`)
    assert.deepEqual(
      [hash.status, hash.json.message],
      [403, 'This needs a key with the scope scan.'],
    )
    const nobody = await world.now.keyed('none')('GET', lookup)
    assert.equal(nobody.status, 401)
    assert.equal(typeof nobody.json.message, 'string')
  })
})

describe('a process without the hasher', { timeout: 120_000 }, () => {
  const world = sharedWorld({ BLOBWATCH_HMA_ROLES: 'matcher' })

  test('answers lookups by signal, and says which role is missing for files', async () => {
    const { hma, files } = world.now
    assert.deepEqual(
      (await hma('GET', `/m/lookup?signal=${pdqOfBytes('x')}&signal_type=pdq`)).json,
      {},
    )
    const byUrl = await hma('GET', `/m/lookup?url=${filesUrl}/photo.png`)
    const upload = await hma(
      'POST',
      '/m/lookup',
      form('photo', files['/photo.png']?.bytes ?? new Uint8Array()),
    )
    for (const { status, json } of [byUrl, upload])
      assert.deepEqual([status, json.message], [403, 'Hashing is disabled, missing role'])
    for (const path of ['/h/hash?url=x', '/c/banks'])
      assert.equal((await hma('GET', path)).status, 404)
  })
})
