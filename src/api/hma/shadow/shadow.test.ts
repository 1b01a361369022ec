import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { pdqOfBytes } from '../../../testing/world.ts'
import { asker, filesUrl, form, near, pdq, sharedWorld } from '../hma-in-test.ts'
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
    const { shadow, ask, lines } = await start()
    await using _ = shadow
    const bypass = 'signal_type=pdq&bypass_coinflip=true'
    await ask('GET', `/m/lookup?signal=${pdqOfBytes('ours')}&${bypass}`)
    await ask('GET', `/m/lookup?signal=${known}&${bypass}`)
    await ask('GET', `/m/lookup?signal=${known}&signal_type=pdq&banks=BOTH`)
    await ask('GET', `/m/lookup?signal=${known}&signal_type=pdq`)
    await ask('GET', '/c/bank/THEIRS')
    await shadow.idle()
    assert.deepEqual(lines.map(({ path, reason }) => `${path} ${reason}`).toSorted(), [
      '/c/bank/… status',
      '/m/lookup ours-has-less',
      '/m/lookup ours-has-less: unseeded',
      '/m/lookup ours-has-more',
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
  assert.equal(
    reason('/c/banks', reply([{ a: 1 }, { b: 2 }]), reply([{ b: 2 }, { a: 1 }])),
    undefined,
  )
  assert.equal(reason('/c/banks', reply([{ a: 1 }]), reply([])), 'body')
})
