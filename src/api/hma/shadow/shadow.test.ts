import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { pdqOfBytes } from '../../../testing/world.ts'
import { asker, filesUrl, form, near, pdq, sharedWorld } from '../hma-in-test.ts'
import { causesOf, counted } from './cause.ts'
import { compareReplies } from './compare.ts'
import { startShadow } from './proxy.ts'
import type { ShadowLine } from './proxy.ts'

describe('a shadow between two services', { timeout: 120_000 }, () => {
  const theirs = sharedWorld()
  const ours = sharedWorld()
  const start = async (change: { ours?: URL } = {}) => {
    const lines: ShadowLine[] = []
    const shadow = await startShadow({
      ...{ host: '127.0.0.1', port: 0, clock: Date.now, limits: { askAgainMs: 1 } },
      upstream: new URL(theirs.now.hmaUrl),
      ours: new URL(ours.now.hmaUrl),
      onLine: (line) => lines.push(line),
      ...change,
    })
    return { shadow, lines, ask: asker(shadow.url) }
  }

  test('answers with the bytes, status and headers of the old one', async () => {
    const { shadow, ask, lines } = await start()
    await using _ = shadow
    const photo = theirs.now.files['/photo.png']?.bytes ?? new Uint8Array()
    for (const [method, path, body] of [
      ['GET', '/status', undefined],
      ['GET', `/h/hash?url=${filesUrl}/photo.png`, undefined],
      ['POST', '/h/hash', form('photo', photo)],
      ['GET', '//c/banks', undefined],
      ['GET', '/nope', undefined],
      ['GET', '/m/raw_lookup', undefined],
    ] as const) {
      const [direct, through] = [
        await theirs.now.hma(method, path, body),
        await ask(method, path, body),
      ]
      assert.deepEqual([through.status, through.text], [direct.status, direct.text], path)
      for (const name of ['content-type', 'content-security-policy'])
        assert.equal(through.headers.get(name), direct.headers.get(name))
    }
    await shadow.idle()
    assert.deepEqual(lines, [])
    assert.equal(shadow.counters().same, 4)
  })

  test('sends what changes something to the old one only', async () => {
    const { shadow, ask } = await start()
    await using _ = shadow
    assert.equal((await ask('POST', '/c/banks', { name: 'WRITTEN' })).status, 201)
    assert.equal((await theirs.now.hma('GET', '/c/bank/WRITTEN')).status, 200)
    assert.equal((await ours.now.hma('GET', '/c/bank/WRITTEN')).status, 404)
    await ask('DELETE', '/c/bank/WRITTEN')
  })

  test('says in a line how the two differ, and nothing that was sent', async () => {
    const known = pdqOfBytes('shadowed')
    for (const world of [theirs.now, ours.now]) {
      await world.bank('BOTH')
      await world.content('BOTH', [pdq('shadowed')])
    }
    await ours.now.bank('OURS')
    await ours.now.content('OURS', [pdq('ours')])
    await theirs.now.bank('THEIRS')
    await theirs.now.content('THEIRS', [{ type: 'pdq', value: near(known, 2) }])
    // The numbers are the same on both sides, as an import leaves them.
    const disabled = await ours.now.content('BOTH', [pdq('disabled')])
    assert.equal(await theirs.now.content('BOTH', [pdq('disabled')]), disabled)
    await ours.now.hma('PUT', `/c/bank/BOTH/content/${disabled}`, { disable_until_ts: 0 })
    await ours.now.settled()
    await ours.now.bank('DRAWN', { ratio: 0 })
    await theirs.now.bank('DRAWN')
    for (const world of [theirs.now, ours.now]) await world.content('DRAWN', [pdq('drawn')])
    await theirs.now.content('BOTH', [pdq('only theirs')])
    const { shadow, ask, lines } = await start()
    await using _ = shadow
    const bypass = 'signal_type=pdq&bypass_coinflip=true'
    await ask('GET', `/m/lookup?signal=${pdqOfBytes('ours')}&${bypass}`)
    await ask('GET', `/m/lookup?signal=${known}&${bypass}`)
    await ask('GET', `/m/lookup?signal=${pdqOfBytes('disabled')}&${bypass}`)
    await ask('GET', `/m/lookup?signal=${pdqOfBytes('only theirs')}&${bypass}`)
    await ask('GET', `/m/lookup?signal=${known}&signal_type=pdq&banks=BOTH`)
    await ask('GET', `/m/lookup?signal=${known}&signal_type=pdq`)
    await ask('GET', `/m/lookup?signal=${pdqOfBytes('drawn')}&signal_type=pdq`)
    await ask('GET', `/m/lookup?signal=${pdqOfBytes('drawn')}&signal_type=pdq&seed=1`)
    await ask('GET', '/c/bank/THEIRS')
    await shadow.idle()
    const told = lines.map(({ path, reason, why = {} }) =>
      [path, reason, ...Object.keys(why)].join(' '),
    )
    assert.deepEqual(told.toSorted(), [
      '/c/bank/… status',
      '/m/lookup draw',
      '/m/lookup ours-has-less ours BOTH disabled',
      '/m/lookup ours-has-less ours BOTH no-content',
      '/m/lookup ours-has-less ours DRAWN ratio',
      '/m/lookup ours-has-less ours THEIRS no-bank',
      '/m/lookup ours-has-less ours THEIRS no-bank',
      '/m/lookup ours-has-more theirs OURS no-bank',
    ])
    assert.ok(!JSON.stringify(lines).includes(known))
    assert.equal(shadow.counters().same, 1)
  })

  test('is not disturbed when ours is gone', async () => {
    const { shadow, ask } = await start({ ours: new URL('http://127.0.0.1:1') })
    await using _ = shadow
    const { status } = await ask('GET', '/c/banks')
    await shadow.idle()
    assert.deepEqual([status, shadow.counters().oursFailed], [200, 1])
  })
})

test('a difference that is gone a moment later, a distance and an empty hash have their own words', () => {
  const call = (path: string) => ({ method: 'GET', path, query: new URLSearchParams('seed=1') })
  const reply = (body: unknown, status = 200) => ({ status, body: JSON.stringify(body) })
  const hit = (distance: string) => reply({ BANK: [{ bank_content_id: 1, distance }] })
  const reason = (path: string, a: ReturnType<typeof reply>, b: ReturnType<typeof reply>) =>
    compareReplies(call(path), a, b)?.reason
  assert.equal(reason('/m/lookup', hit('4'), hit('6')), 'distance')
  assert.equal(reason('/m/lookup', hit('4'), hit('4')), undefined)
  assert.equal(reason('/m/lookup', reply({}, 503), hit('4')), 'index-lag')
  assert.equal(reason('/h/hash', reply({ pdq: '' }), reply({ pdq: 'ab' })), 'hash: low quality')
  assert.equal(reason('/h/hash', reply({ pdq: 'cd' }), reply({ pdq: 'ab' })), 'hash')
  const hashes = compareReplies(call('/h/hash'), reply({ pdq: '0f' }), reply({ pdq: '00' }))
  assert.deepEqual(hashes?.ours, { pdq: 'a hash 4 bits apart' })
  const fields = compareReplies(call('/c/bank/A'), reply({ name: 'A', b: 1 }), reply({ name: 'A' }))
  assert.deepEqual([fields?.theirs, fields?.ours], ['fields b', 'fields none of its own'])
  const lists = compareReplies(call('/c/banks'), reply([{ a: 1 }]), reply([{ a: 1 }, { b: 2 }]))
  assert.equal(lists?.ours, 'a list of 2, 1 of them only here')
  assert.equal(
    reason('/c/banks', reply([{ a: 1 }, { b: 2 }]), reply([{ b: 2 }, { a: 1 }])),
    undefined,
  )
  assert.equal(reason('/c/banks', reply([{ a: 1 }]), reply([])), 'body')
})

test('says why one side did not find a content, from what that side tells of it', async () => {
  const found = (...ids: number[]) => ({
    status: 200,
    body: JSON.stringify({ pdq: { B: ids.map((id) => ({ bank_content_id: id, distance: '0' })) } }),
  })
  const content = (until: number, ratio: number) => ({
    id: 1,
    disable_until_ts: until,
    bank: { matching_enabled_ratio: ratio },
  })
  const told: Record<string, unknown> = {
    '/c/bank/B/content/1': content(1, 1),
    '/c/bank/B/content/2': content(1, 0.5),
    '/c/bank/B/content/3': content(1001, 1),
    '/c/bank/B/content/4': content(999, 1),
    '/c/banks': [{ name: 'B' }],
  }
  const ask = async (_side: string, target: string) =>
    target in told ? { status: 200, body: JSON.stringify(told[target]) } : { status: 404, body: '' }
  const replies = { theirs: found(1, 2, 3, 4, 5, 6), ours: found(7) }
  assert.deepEqual(counted(await causesOf(replies, ask, 1000)), {
    'ours B has-it': 2,
    'ours B ratio': 1,
    'ours B disabled': 1,
    'ours B no-content': 1,
    'ours B not-asked': 1,
    'theirs B not-asked': 1,
  })
  const raw = { ...found(), body: '{"matches":[{"bank_content_id":1,"distance":"0"}]}' }
  assert.deepEqual(await causesOf({ theirs: raw, ours: found() }, ask, 1000), [])
  const silent = async () => ({ status: 404, body: '' })
  const untold = await causesOf({ theirs: found(1), ours: found() }, silent, 0)
  assert.deepEqual(untold, [{ side: 'ours', bank: 'B', cause: 'not-told' }])
  const gone = () => Promise.reject(new Error('gone'))
  const unasked = await causesOf({ theirs: found(), ours: found(1) }, gone, 0)
  assert.deepEqual(unasked, [{ side: 'theirs', bank: 'B', cause: 'not-told' }])
})
