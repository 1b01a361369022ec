import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import sharp from 'sharp'
import { pdqOfBytes } from '../../testing/world.ts'
import { benignHashes } from '../../banks/benign-hashes.ts'
import { differences } from './differences.ts'
import type { DifferenceId } from './differences.ts'
import { filesUrl, form, near, pdq, sharedWorld } from './hma-in-test.ts'
import { picture } from '../../signals/fixtures/hostile.ts'

describe('on purpose otherwise than HMA:', { timeout: 120_000 }, () => {
  const world = sharedWorld({ BLOBWATCH_BLOB_BYTES_MAX: '1000000' })
  const ask = (method: string, path: string, body?: unknown) => world.now.hma(method, path, body)
  const lookup = async (text: string, more = '') =>
    (await ask('GET', `/m/lookup?signal=${pdqOfBytes(text)}&signal_type=pdq${more}`)).json
  const raw = async (text: string) =>
    (await ask('GET', `/m/raw_lookup?signal=${pdqOfBytes(text)}&signal_type=pdq`)).json.matches
  const bankWith = async (name: string, text: string, policy = {}, more = {}) => {
    await world.now.bank(name, policy, more)
    return world.now.content(name, [pdq(text)])
  }

  const cases: Record<DifferenceId, () => Promise<void>> = {
    'bypass-on-get': async () => {
      await bankWith('OFF', 'bypass', { ratio: 0 })
      assert.deepEqual(await lookup('bypass'), {})
      assert.deepEqual(Object.keys(await lookup('bypass', '&bypass_coinflip=true')), ['OFF'])
    },
    'low-quality-lookup': async () => {
      const { status, json } = await ask(
        'GET',
        `/m/lookup?url=${filesUrl}/flat.png&types=pdq,sha256`,
      )
      assert.deepEqual([status, json], [200, { pdq: {}, sha256: {} }])
    },
    'undecodable-photo': async () => {
      const torn = world.now.files['/torn.png']?.bytes ?? new Uint8Array()
      for (const answer of [
        await ask('GET', `/h/hash?url=${filesUrl}/torn.png`),
        await ask('POST', '/h/hash', form('photo', torn)),
        await ask('POST', '/h/hash', form('photo', Buffer.from('no picture at all'))),
        await ask('POST', '/h/hash', form('photo', new Uint8Array())),
        await ask('POST', '/h/hash', form('video', new Uint8Array())),
      ])
        assert.deepEqual([answer.status, typeof answer.json.message], [400, 'string'])
    },
    colours: async () => {
      const hashOf = async (bytes: Uint8Array) =>
        (await ask('POST', '/h/hash', form('photo', bytes))).json.pdq as string
      const photo = await picture('png')
      const seen = await hashOf(photo)
      for (const bytes of [
        await sharp(photo).png({ palette: true }).toBuffer(),
        await sharp(photo).gif().toBuffer(),
        await sharp(photo).toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer(),
      ])
        assert.ok(bitsBetween(await hashOf(bytes), seen) <= 31)
      assert.equal(
        (await hashOf(await sharp(photo).greyscale().toColourspace('grey16').png().toBuffer()))
          .length,
        64,
      )
    },
    formats: async () => {
      const bytes = await sharp(await picture('png'))
        .tiff()
        .toBuffer()
      assert.equal((await ask('POST', '/h/hash', form('photo', bytes))).status, 400)
    },
    'no-content-type': async () => {
      const { status, json } = await ask('GET', `/h/hash?url=${filesUrl}/nameless`)
      assert.equal(status, 400)
      assert.match(json.message, /^unsupported url ContentType: ''/)
    },
    'private-addresses': async () => {
      for (const url of [
        'http://127.0.0.1/',
        'http://10.0.0.1/',
        'http://[::1]/',
        'http://169.254.169.254/',
      ])
        assert.equal((await ask('GET', `/h/hash?url=${encodeURIComponent(url)}`)).status, 400, url)
    },
    'upload-limit': async () => {
      const { status, json } = await ask('POST', '/h/hash', form('photo', new Uint8Array(2 ** 21)))
      assert.deepEqual([status, json], [413, { message: 'Content too large' }])
    },
    'exchange-put': async () => {
      await ask('POST', '/c/exchanges', { bank: 'PUT_IT', api: 'tat' })
      const { json } = await ask('PUT', '/c/exchange/PUT_IT', { enabled: false })
      assert.deepEqual(json, { name: 'PUT_IT', api: 'tat', enabled: false })
    },
    'enabled-false-on-create': async () => {
      const { json } = await ask('POST', '/c/banks', { name: 'BORN_OFF', enabled: false })
      assert.equal(json.matching_enabled_ratio, 0)
    },
    'exchange-name': async () => {
      await ask('POST', '/c/exchanges', { bank: 'TWICE', api: 'tat' })
      assert.equal((await ask('POST', '/c/exchanges', { bank: 'TWICE', api: 'tat' })).status, 403)
      assert.equal((await ask('POST', '/c/exchanges', { bank: '1TH', api: 'tat' })).status, 400)
    },
    'content-of-its-bank': async () => {
      const content = await bankWith('OWNER', 'owned')
      await world.now.bank('STRANGER')
      const path = `/c/bank/STRANGER/content/${content}`
      assert.equal((await ask('GET', path)).status, 404)
      assert.equal((await ask('PUT', path, { note: 'x' })).status, 404)
      assert.deepEqual((await ask('DELETE', path)).json, { deleted: 0 })
      assert.equal((await ask('GET', `/c/bank/OWNER/content/${content}`)).status, 200)
    },
    'compare-digests': async () => {
      const pair = ['0'.repeat(31) + '1', '0'.repeat(31) + '2']
      assert.deepEqual((await ask('POST', '/m/compare', { video_md5: pair })).json, {
        video_md5: [false, {}],
      })
    },
    'ratio-range': async () => {
      for (const enabled_ratio of [1.5, -1, 'nan', '-Infinity', '1e999'])
        assert.equal(
          (await ask('POST', '/c/banks', { name: 'RATIO', enabled_ratio })).status,
          400,
          `${enabled_ratio}`,
        )
    },
    'signal-type-put': async () => {
      const put = async (ratio: unknown) =>
        (await ask('PUT', '/c/signal_type/video_md5', { enabled_ratio: ratio })).status
      const md5 = '9e107d9d372bb6826bd81d3542a419d6'
      assert.deepEqual([await put(0), await put(2), await put('x')], [204, 400, 422])
      const off = await ask('GET', `/m/lookup?signal_type=video_md5&signal=${md5}`)
      assert.deepEqual(
        [off.status, off.json.message],
        [400, "SignalType 'video_md5' is not enabled"],
      )
      assert.deepEqual((await ask('GET', `/h/hash?url=${filesUrl}/clip.mp4`)).json, {})
      const named = await ask('GET', `/h/hash?url=${filesUrl}/clip.mp4&types=video_md5`)
      assert.equal(named.json.message, "signal type 'video_md5' doesn't exist or is disabled")
      assert.equal((await ask('GET', '/c/signal_type')).json[1].enabled_ratio, 0)
      assert.equal(await put('0.5'), 204)
      assert.equal((await ask('GET', `/m/lookup?signal_type=video_md5&signal=${md5}`)).status, 200)
      assert.equal((await ask('PUT', '/c/signal_type/nope', { enabled_ratio: 1 })).status, 404)
    },
    'validation-input': async () => {
      const { json } = await ask('GET', '/m/raw_lookup?signal=abc')
      assert.equal(json[0].input, null)
      const signal = 'not-a-digest'
      const { text } = await ask('GET', `/m/raw_lookup?signal=${signal}&signal_type=video_md5`)
      assert.ok(text.includes('invalid signal') && !text.includes(signal))
    },
    'no-500': async () => {
      await world.now.bank('EXPECTED')
      for (const { status } of [
        await ask('POST', '/c/banks', { name: 'B'.repeat(256) }),
        await ask('POST', '/c/bank/EXPECTED/signal', []),
        await ask('GET', `/m/raw_lookup?signal=${pdqOfBytes('x')}%0A&signal_type=pdq`),
      ])
        assert.equal(status, 400)
    },
    'unknown-type-of-url': async () => {
      const by = (type: string) => ask('GET', `/m/lookup?url=${filesUrl}/photo.png${type}`)
      assert.equal((await by('&signal_type=pqd')).status, 400)
      assert.equal((await by('&signal_type=pdq')).status, 200)
    },
    'metadata-with-signals': async () => {
      await world.now.bank('WORDS')
      const sent = { pdq: pdqOfBytes('words'), metadata: { content_id: 'c' } }
      const { json } = await ask('POST', '/c/bank/WORDS/signal', sent)
      const shown = await ask('GET', `/c/bank/WORDS/content/${json.id}`)
      assert.equal(shown.json.metadata.content_id, 'c')
    },
    'order-of-matches': async () => {
      await world.now.bank('ORDER')
      const second = await world.now.content('ORDER', [pdq('order')])
      const third = await world.now.content('ORDER', [pdq('order')])
      assert.deepEqual(await raw('order'), [second, third])
    },
    'negative-banks': async () => {
      await bankWith('BAD', 'both')
      await bankWith('HARMLESS', 'both', { suppresses: 'all' })
      assert.deepEqual([await lookup('both', '&bypass_coinflip=true'), await raw('both')], [{}, []])
      // Switched off it sets nothing aside.
      await ask('PUT', '/c/bank/HARMLESS', { enabled: false })
      await world.now.settled()
      assert.deepEqual(Object.keys(await lookup('both')), ['BAD'])
    },
    'disabled-in-raw': async () => {
      const content = await bankWith('SWITCHED', 'switched')
      assert.deepEqual(await raw('switched'), [content])
      await ask('PUT', `/c/bank/SWITCHED/content/${content}`, { disable_until_ts: 0 })
      await world.now.settled()
      assert.deepEqual(await raw('switched'), [])
    },
    'bank-distance': async () => {
      const content = await bankWith('NARROW', 'narrow', { pdqDistanceMax: 5 })
      const at = async (bits: number) =>
        (
          await ask(
            'GET',
            `/m/raw_lookup?signal_type=pdq&signal=${near(pdqOfBytes('narrow'), bits)}`,
          )
        ).json.matches
      assert.deepEqual([await at(5), await at(6)], [[content], []])
    },
    admission: async () => {
      await world.now.bank('ADMITTED')
      const add = (value: string) => ask('POST', '/c/bank/ADMITTED/signal', { pdq: value })
      assert.equal((await add('f'.repeat(64))).status, 400)
      const harmless = benignHashes.at(0)
      const { status, json } = await add(harmless?.pdq ?? '')
      assert.equal(status, 403, JSON.stringify(json))
      assert.match(json.message, /second person .*blobwatch approval approve \d+$/)
    },
    'new-banks-observe': async () => {
      await ask('POST', '/c/banks', { name: 'QUIET' })
      const [row] = await world.now.database
        .owner`select mode, class from bank where name = 'QUIET'`
      assert.deepEqual({ ...row }, { mode: 'observe', class: 'restricted' })
    },
    confidential: async () => {
      const content = await bankWith('SECRET', 'secret', {}, { confidential: true })
      const { json } = await ask('GET', `/c/bank/SECRET/content/${content}?include_signals=true`)
      assert.deepEqual(json.signals, {})
    },
    'collab-of-hashes': async () => {
      await world.now.bank('CAME', {}, { confidential: true })
      const collabOf = async (text: string, fetchId: string) => {
        const content = await world.now.content('CAME', [pdq(text)])
        await world.now.database.owner`update bank_content set
          provenance = ${JSON.stringify({ hma: { exchange: 'CAME', fetchId } })}::text::jsonb where id = ${content}`
        return (await ask('GET', `/c/bank/CAME/content/${content}`)).json.metadata
      }
      assert.deepEqual(await collabOf('numbered', '12-345'), {
        ...{ content_id: null, content_uri: null, json: null },
        collab: { CAME: ['12-345'] },
      })
      assert.equal(await collabOf('hashed', `('pdq', '${pdqOfBytes('hashed')}')`), undefined)
    },
    'signals-are-exports': async () => {
      const content = await bankWith('LEAVING', 'leaving')
      const path = `/c/bank/LEAVING/content/${content}?include_signals=true`
      const read = world.now.keyed(await world.now.key(['bank:read']))
      const exporting = world.now.keyed(await world.now.key(['bank:read', 'export']))
      const refused = await read('GET', path)
      assert.deepEqual([refused.status, /scope export/.test(refused.json.message)], [403, true])
      assert.ok(!refused.text.includes(pdqOfBytes('leaving')))
      const { json } = await exporting('GET', path)
      assert.deepEqual(json.signals, { pdq: pdqOfBytes('leaving') })
      const notes = await world.now.database.owner<{ format: string }[]>`
        select pub->>'format' as format from ledger_intake where type = 'bank.export'
        union all
        select e.body->'pub'->>'format' from (
          select convert_from(bytes, 'UTF8')::jsonb as body from ledger_entry
        ) e where e.body->>'type' = 'bank.export'`
      assert.deepEqual(
        notes.map(({ format }) => format),
        ['hma'],
      )
    },
    'fetched-by-plug-ins': async () => {
      await ask('POST', '/c/exchanges', { bank: 'IDLE', api: 'tat' })
      const { json } = await ask('GET', '/c/exchange/IDLE/status')
      assert.deepEqual(
        [json.fetched_items, json.up_to_date, json.last_fetch_complete_ts],
        [0, false, null],
      )
    },
    'exchange-bank': async () => {
      await ask('POST', '/c/exchanges', { bank: 'PAIR', api: 'tat' })
      await ask('DELETE', '/c/bank/PAIR')
      assert.equal((await ask('GET', '/c/exchange/PAIR')).status, 404)
    },
    'doubled-slashes': async () => {
      assert.equal((await ask('GET', '//c//banks')).status, 200)
    },
    'more-types': async () => {
      const { json } = await ask('GET', `/h/hash?url=${filesUrl}/photo.png&types=md5,sha1,sha256`)
      assert.deepEqual(Object.keys(json), ['md5', 'sha1', 'sha256'])
    },
    'keys-or-networks': async () => {
      assert.equal((await fetch(`${world.now.url}/c/banks`)).status, 401)
      const proxied = { headers: { 'x-forwarded-for': '127.0.0.1' } }
      assert.equal((await fetch(`${world.now.hmaUrl}/c/banks`, proxied)).status, 403)
    },
  }

  for (const [id, check] of Object.entries(cases)) test(differences[id as DifferenceId].ours, check)
})

function bitsBetween(a: string, b: string): number {
  const other = Buffer.from(b, 'hex')
  return Buffer.from(a, 'hex').reduce((bits, byte, at) => {
    const apart = (byte ^ (other[at] ?? 0)).toString(2)
    return bits + apart.replaceAll('0', '').length
  }, 0)
}
