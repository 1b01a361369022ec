import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { benignHashes } from '../../banks/benign-hashes.ts'
import { pdqOfBytes } from '../../testing/world.ts'
import { credentialContext } from '../../banks/exchange-credentials.ts'
import { filesUrl, form, sharedWorld } from './hma-in-test.ts'

describe("HMA's curator", { timeout: 120_000 }, () => {
  const world = sharedWorld()
  const ask = (method: string, path: string, body?: unknown) => world.now.hma(method, path, body)
  const signalOf = (text: string) => ({ pdq: pdqOfBytes(text) })
  /** Kinds of the actors, whether the sequencer has made entries of the rows yet or not. */
  const notes = async (type: string): Promise<{ actor: string }[]> =>
    world.now.database.owner`
      select actor->>'kind' as actor from ledger_intake where type = ${type}
      union all
      select e.body->'actor'->>'kind' from (
        select convert_from(bytes, 'UTF8')::jsonb as body from ledger_entry
      ) e where e.body->>'type' = ${type}`

  test('makes, shows, renames and removes a bank', async () => {
    const made = await ask('POST', '/c/banks', { name: 'FIRST', enabled_ratio: 0.5 })
    assert.deepEqual(
      [made.status, made.json],
      [201, { matching_enabled_ratio: 0.5, name: 'FIRST' }],
    )
    assert.deepEqual((await ask('GET', '/c/banks')).json, [
      { name: 'FIRST', matching_enabled_ratio: 0.5 },
    ])
    const renamed = await ask('PUT', '/c/bank/FIRST', { name: 'SECOND', enabled: false })
    assert.deepEqual(
      [renamed.status, renamed.json],
      [200, { name: 'SECOND', matching_enabled_ratio: 0 }],
    )
    assert.equal((await ask('GET', '/c/bank/FIRST')).status, 404)
    for (const name of ['SECOND', 'SECOND', 'NEVER_THERE', 'no name'])
      assert.deepEqual((await ask('DELETE', `/c/bank/${name}`)).json, { message: 'Done' })
    assert.deepEqual((await ask('GET', '/c/banks')).json, [])
    // Its name is free again.
    assert.equal((await ask('POST', '/c/banks', { name: 'SECOND' })).status, 201)
    await ask('DELETE', '/c/bank/SECOND')
  })

  test('writes down every change in the name of its principal', async () => {
    await ask('POST', '/c/banks', { name: 'NOTED' })
    await ask('PUT', '/c/bank/NOTED', { name: 'NOTED_TOO' })
    await ask('DELETE', '/c/bank/NOTED_TOO')
    for (const type of ['bank.create', 'bank.rename', 'bank.remove']) {
      const [note] = await notes(type)
      assert.equal(note?.actor, 'service', type)
    }
  })

  test('reads as pydantic reads', async () => {
    const lax = await ask('POST', '/c/banks', { name: 'LAX', enabled_ratio: '1', color: 'red' })
    assert.deepEqual(lax.json, { matching_enabled_ratio: 1, name: 'LAX' })
    const put = await ask('PUT', '/c/bank/LAX', { enabled: 'FALSE', matching_enabled_ratio: 1 })
    assert.deepEqual(put.json, { matching_enabled_ratio: 0, name: 'LAX' })
    const wrong = await ask('POST', '/c/banks', { enabled: 'perhaps', enabled_ratio: [] })
    assert.equal(wrong.status, 422)
    assert.deepEqual(
      wrong.json.map((error: any) => `${error.loc} ${error.type}`),
      ['name missing', 'enabled_ratio float_type', 'enabled bool_parsing'],
    )
  })

  test('reads JSON with a byte order mark', async () => {
    const { status } = await fetch(`${world.now.hmaUrl}/c/banks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '\uFEFF{"name":"MARKED"}',
    })
    assert.equal(status, 201)
  })

  test('refuses banks with the words that clients know', async () => {
    await ask('POST', '/c/banks', { name: 'TAKEN' })
    await ask('POST', '/c/banks', { name: 'OTHER' })
    const says = async (method: string, path: string, body: unknown, expected: string) => {
      const { status, json } = await ask(method, path, body)
      assert.equal(`${status} ${json.message}`, expected)
    }
    await says(
      'POST',
      '/c/banks',
      { name: 'lower' },
      '400 Bank names must be UPPER_WITH_UNDERSCORE',
    )
    await says('POST', '/c/banks', { name: 'TAKEN' }, '403 Bank already exists')
    await says('PUT', '/c/bank/OTHER', { name: 'TAKEN' }, '403 Bank name already exists')
    await says(
      'PUT',
      '/c/bank/OTHER',
      { name: 'no' },
      '400 Bank names must be UPPER_WITH_UNDERSCORE',
    )
    await says('GET', '/c/bank/GONE', undefined, "404 bank 'GONE' not found")
    await says('PUT', '/c/bank/GONE', {}, '404 Bank not found')
  })

  test('takes a content by its address, shows it, changes it and removes it', async () => {
    await ask('POST', '/c/banks', { name: 'PHOTOS' })
    const body = {
      note: 'a note',
      metadata: { content_id: 'c1', json: { a: 1 }, collab: 'dropped' },
    }
    const added = await ask('POST', `/c/bank/PHOTOS/content?url=${filesUrl}/photo.png`, body)
    assert.equal(added.status, 200, added.text)
    assert.deepEqual(Object.keys(added.json), ['id', 'signals'])
    const { id, signals } = added.json
    const path = `/c/bank/PHOTOS/content/${id}`
    const bank = { name: 'PHOTOS', matching_enabled_ratio: 1 }
    assert.deepEqual((await ask('GET', path)).json, {
      ...{ id, disable_until_ts: 1, original_media_uri: null, bank, note: 'a note' },
      metadata: { content_id: 'c1', content_uri: null, json: { a: 1 }, collab: null },
    })
    const bare = await ask('GET', `${path}?include_signals=true&include_metadata=false`)
    assert.deepEqual(bare.json.signals, signals)
    assert.ok(!('metadata' in bare.json))
    const put = await ask('PUT', path, { disable_until_ts: 0, note: 'other' })
    assert.deepEqual(put.json, {
      ...{ id, disable_until_ts: 0, collab_metadata: {}, original_media_uri: null, bank },
      user_metadata: { content_id: 'c1', json: { a: 1 } },
      note: 'other',
    })
    await world.now.settled()
    assert.deepEqual((await ask('GET', `/m/lookup?url=${filesUrl}/photo.png`)).json, { pdq: {} })
    assert.deepEqual((await ask('DELETE', path)).json, { deleted: 1 })
    assert.deepEqual((await ask('DELETE', path)).json, { deleted: 0 })
    assert.equal((await ask('GET', path)).status, 404)
  })

  test('lets nobody approve into a bank that is gone', async () => {
    await ask('POST', '/c/banks', { name: 'GOING' })
    const waits = await ask('POST', '/c/bank/GOING/signal', { pdq: benignHashes[0]?.pdq })
    assert.equal(waits.status, 403)
    const number = /approve (\d+)$/.exec(waits.json.message)?.[1]
    await ask('DELETE', '/c/bank/GOING')
    const [row] = await world.now.database
      .owner`select state from proposal where id = ${Number(number)}`
    assert.equal(row?.['state'], 'rejected')
  })

  test('takes an upload with its words in the form', async () => {
    await ask('POST', '/c/banks', { name: 'UPLOADS' })
    const photo = world.now.files['/photo.png']?.bytes ?? new Uint8Array()
    const texts = { note: 'n', metadata: '{"content_uri":"x://y"}' }
    const added = await ask('POST', '/c/bank/UPLOADS/content', form('photo', photo, texts))
    assert.equal(added.status, 200, added.text)
    const { json } = await ask('GET', `/c/bank/UPLOADS/content/${added.json.id}`)
    assert.deepEqual([json.note, json.metadata.content_uri], ['n', 'x://y'])
  })

  test('takes signals', async () => {
    await ask('POST', '/c/banks', { name: 'SIGNALS' })
    const both = { ...signalOf('both'), video_md5: '0123456789abcdef0123456789abcdef' }
    const added = await ask('POST', '/c/bank/SIGNALS/signal', { ...both, note: 'x' })
    assert.deepEqual([added.status, added.json.signals], [200, both])
    const shown = await ask('GET', `/c/bank/SIGNALS/content/${added.json.id}?include_signals=True`)
    assert.deepEqual(shown.json.signals, both)
    await world.now.settled()
    const found = await ask('GET', `/m/lookup?signal=${both.video_md5}&signal_type=video_md5`)
    assert.deepEqual(found.json, { SIGNALS: [{ bank_content_id: added.json.id, distance: '-' }] })
  })

  test('refuses contents with the words that clients know', async () => {
    await ask('POST', '/c/banks', { name: 'STRICT' })
    const says = async (path: string, body: unknown, expected: RegExp) => {
      const { status, json } = await ask('POST', `/c/bank/STRICT/${path}`, body)
      assert.match(`${status} ${json.message}`, expected)
    }
    await says('content', undefined, /^400 Neither `url` nor multipart file upload was received$/)
    await says('signal', {}, /^400 No signals given$/)
    await says('signal', { nope: 'x' }, /^400 No such signal type nope$/)
    await says('signal', { pdq: 'x' }, /^400 Invalid pdq signal/)
    await says('signal', { pdq: 1 }, /^400 Invalid pdq signal/)
    await says('signal', { pdq: '0'.repeat(64) }, /^400 Invalid pdq signal/)
    await says(
      'signal',
      { ...signalOf('a'), note: 'x'.repeat(256) },
      /^400 note must be at most 255/,
    )
    await says(`content?url=${filesUrl}/flat.png`, undefined, /^400 Invalid pdq signal/)
    await says(
      `content?url=${filesUrl}/photo.png`,
      { metadata: { tags: [] } },
      /^400 Invalid metadata: 'tags': Extra inputs/,
    )
    const until = await ask('POST', '/c/bank/STRICT/signal', signalOf('until'))
    const put = (body: unknown) => ask('PUT', `/c/bank/STRICT/content/${until.json.id}`, body)
    assert.equal((await put({ disable_until_ts: -1 })).status, 400)
    assert.equal((await put({ disable_until_ts: Date.now() })).status, 400)
    assert.equal((await put({ disable_until_ts: 'x' })).status, 400)
    assert.equal((await put({ note: 'x'.repeat(256) })).status, 400)
    assert.equal((await ask('POST', '/c/bank/GONE/signal', signalOf('a'))).status, 404)
  })

  test('sets an exchange up with its bank, switches it off and removes both', async () => {
    const api_json = { environment: 'https://report.cybertip.org/hashsharing' }
    const made = await ask('POST', '/c/exchanges', { bank: 'NCMEC_LIST', api: 'ncmec', api_json })
    assert.deepEqual([made.status, made.json], [201, { message: 'Created successfully' }])
    assert.deepEqual((await ask('GET', '/c/exchanges')).json, ['NCMEC_LIST'])
    const config = {
      ...api_json,
      only_esp_ids: [],
      name: 'NCMEC_LIST',
      api: 'ncmec',
      enabled: true,
    }
    assert.deepEqual((await ask('GET', '/c/exchange/NCMEC_LIST')).json, config)
    const off = await ask('PUT', '/c/exchange/NCMEC_LIST', { enabled: 'false' })
    assert.deepEqual(off.json, { ...config, enabled: false })
    const status = await ask('GET', '/c/exchange/NCMEC_LIST/status')
    assert.deepEqual(status.json, {
      ...{ checkpoint_ts: null, running_fetch_start_ts: null, last_fetch_complete_ts: null },
      ...{ last_fetch_succeeded: null, up_to_date: false, fetched_items: 0 },
    })
    assert.equal((await ask('GET', '/c/bank/NCMEC_LIST')).status, 200)
    for (const name of ['NCMEC_LIST', 'NCMEC_LIST', 'a b'])
      assert.deepEqual((await ask('DELETE', `/c/exchange/${name}`)).json, {
        message: 'Exchange deleted',
      })
    assert.equal((await ask('GET', '/c/bank/NCMEC_LIST')).status, 404)
    assert.equal((await ask('GET', '/c/exchange/NCMEC_LIST')).status, 404)
    assert.ok((await notes('exchange.remove')).length === 1)
  })

  test('refuses exchanges with the words that clients know', async () => {
    await ask('POST', '/c/banks', { name: 'HAS_IT' })
    const says = async (body: unknown, expected: RegExp) => {
      const { status, json } = await ask('POST', '/c/exchanges', body)
      assert.match(`${status} ${json.message}`, expected)
    }
    await says({}, /^400 bank is required$/)
    await says({ bank: 'a' }, /^400 Field `bank` must match \/\^\[A-Z0-9_\]\+\$\/$/)
    await says({ bank: 'A', api: 'ncmec', api_json: [] }, /^400 Field `api_json` must be object$/)
    await says({ bank: 'A' }, /^400 Field `api_type` is required$/)
    await says({ bank: 'A', api: 'nope' }, /^400 No such exchange type 'nope'$/)
    await says({ bank: 'A', api: 'ncmec' }, /^400 Failed to parse `api_json` - /)
    await says({ bank: '1A', api: 'tat' }, /^400 Bank names must be/)
    await says({ bank: 'HAS_IT', api: 'tat' }, /^403 Bank already exists$/)
  })

  test('takes of an exchange what HMA takes, and leaves alone what is not given', async () => {
    const make = async (body: object) => (await ask('POST', '/c/exchanges', body)).status
    assert.equal(await make({ bank: 'OFF', api: 'tat', api_json: { enabled: false, x: 1 } }), 201)
    const config = { name: 'OFF', api: 'tat', enabled: false }
    assert.deepEqual((await ask('GET', '/c/exchange/OFF')).json, config)
    for (const body of [{}, { enabled: null }, { x: 1 }])
      assert.deepEqual((await ask('PUT', '/c/exchange/OFF', body)).json, config)
    assert.equal((await ask('PUT', '/c/exchange/NOPE', {})).status, 404)
    const environment = 'https://lesp.ncmec.org/csam-hashsharing'
    const api_json = { environment, only_esp_ids: [3, 1, 3] }
    assert.equal(await make({ bank: 'ESPS', api: 'ncmec', api_json }), 201)
    assert.deepEqual((await ask('GET', '/c/exchange/ESPS')).json.only_esp_ids, [1, 3])
    for (const wrong of [
      { api: 'ncmec', api_json: { environment: 'https://x.ncmec.org/' } },
      { api: 'fb_threatexchange', api_json: { privacy_group: '5' } },
      { api: 'tat', api_json: { enabled: 'no' } },
    ])
      assert.equal(await make({ bank: 'WRONG', ...wrong }), 400)
    for (const name of ['OFF', 'ESPS']) await ask('DELETE', `/c/exchange/${name}`)
  })

  test('keeps credentials sealed and never shows them', async () => {
    const path = '/c/exchanges/api/ncmec'
    const none = { supports_authentification: true, has_set_authentification: false }
    assert.deepEqual((await ask('GET', path)).json, none)
    const credential_json = { user: 'esp', password: 'word-of-pass' }
    const set = await ask('POST', path, { credential_json })
    assert.deepEqual(set.json, { ...none, has_set_authentification: true })
    const [row] = await world.now.database.owner<
      { sealed: Buffer }[]
    >`select sealed from exchange_credentials`
    assert.ok(row !== undefined && !row.sealed.includes('word-of-pass'))
    const opened = world.now.service.parts.identity.dataKey.open(
      credentialContext('ncmec'),
      row.sealed,
    )
    assert.deepEqual(JSON.parse(opened.toString()), credential_json)
    assert.deepEqual((await ask('POST', path, {})).json, set.json, 'without a word about them')
    for (const nothing of [null, [], {}]) {
      await ask('POST', path, { credential_json: { ...credential_json, more: 1 } })
      assert.deepEqual((await ask('POST', path, { credential_json: nothing })).json, none)
    }
    assert.equal((await ask('POST', path, { credential_json: { user: 'x' } })).status, 400)
    assert.equal((await ask('GET', '/c/exchanges/api/nope')).status, 400)
    const missing = await ask('GET', '/c/exchanges/api/nope/schema')
    assert.deepEqual([missing.status, missing.json.message], [404, "Exchange API 'nope' not found"])
    const { json } = await ask('GET', `${path}/schema`)
    const [first] = json.config_schema.fields
    assert.deepEqual(Object.keys(first), ['name', 'type', 'required', 'default', 'help', 'choices'])
    assert.equal(
      (await ask('GET', '/c/exchanges/api/local_file/schema')).json.credentials_schema,
      null,
    )
    assert.deepEqual((await ask('GET', '/c/exchanges/apis')).json, [
      'fb_threatexchange',
      'local_file',
      'ncmec',
      'stop_ncii',
      'tat',
    ])
  })

  test('lists the types as HMA does', async () => {
    assert.deepEqual((await ask('GET', '/c/signal_type')).json, [
      { name: 'pdq', enabled_ratio: 1 },
      { name: 'video_md5', enabled_ratio: 1 },
    ])
    assert.deepEqual((await ask('GET', '/c/content_type')).json, [
      { name: 'photo', enabled: true },
      { name: 'video', enabled: true },
    ])
  })

  test('needs bank:read to look and bank:write to change', async () => {
    const read = world.now.keyed(await world.now.key(['bank:read']))
    assert.equal((await read('GET', '/c/banks')).status, 200)
    const { status, json } = await read('POST', '/c/banks', { name: 'KEYED' })
    assert.deepEqual([status, json.message], [403, 'This needs a key with the scope bank:write.'])
    const write = world.now.keyed(await world.now.key(['bank:read', 'bank:write']))
    assert.equal((await write('POST', '/c/banks', { name: 'KEYED' })).status, 201)
  })
})
