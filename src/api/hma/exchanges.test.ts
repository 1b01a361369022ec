import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { hmaInTest } from './hma-in-test.ts'

const fixture = join(import.meta.dirname, '../../exchanges/fixtures/listed-exchange.ts')
const md5 = '0cc175b9c0f1b6a831c399e269772661'
const waitMsMax = 60_000

test(
  'an exchange of a plug-in is set up over HMA’s API, fetched at once, and matched',
  { timeout: 120_000 },
  async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'blobwatch-listed-'))
    t.after(() => rm(dir, { recursive: true, force: true }))
    // The program is another user and reads it.
    await chmod(dir, 0o755)
    const file = join(dir, 'pages.json')
    const item = { op: 'put', id: 'a', signals: [{ type: 'video_md5', value: md5 }] }
    await writeFile(file, JSON.stringify({ pages: [[item], [{ ...item, id: 'b' }]] }))
    const manifest = join(dir, 'manifest.json')
    const command = [process.execPath, '--no-warnings', fixture]
    await writeFile(
      manifest,
      JSON.stringify({
        ...{ blobwatch: 1, kind: 'exchange', name: 'listed', version: '1', command },
        ...{ config: { file }, limits: { memoryMb: 1024, wallMs: 20_000 } },
      }),
    )
    const world = await hmaInTest(t, { BLOBWATCH_PLUGINS: manifest })
    const { hma } = world
    assert.ok((await hma('GET', '/c/exchanges/apis')).json.includes('listed'))
    assert.deepEqual((await hma('GET', '/c/exchanges/api/listed/schema')).json, {
      config_schema: { fields: [] },
      credentials_schema: null,
    })
    const asks = { bank: 'LIST', api: 'listed' }
    // The manifest alone says what the program gets.
    const sneaky = await hma('POST', '/c/exchanges', { ...asks, api_json: { file: '/etc/passwd' } })
    assert.equal(sneaky.status, 201)
    const shown = { name: 'LIST', api: 'listed', enabled: true }
    assert.deepEqual((await hma('GET', '/c/exchange/LIST')).json, shown)
    assert.equal((await hma('POST', '/c/exchanges', { bank: 'IDLE', api: 'tat' })).status, 201)

    const statusOf = async (name: string) => (await hma('GET', `/c/exchange/${name}/status`)).json
    const untilMs = performance.now() + waitMsMax
    while ((await statusOf('LIST')).last_fetch_succeeded === null) {
      assert.ok(performance.now() < untilMs, 'it is never fetched')
      await sleep(100)
    }
    const { checkpoint_ts, last_fetch_complete_ts, ...status } = await statusOf('LIST')
    assert.deepEqual(status, {
      ...{ running_fetch_start_ts: null, last_fetch_succeeded: true },
      ...{ up_to_date: true, fetched_items: 2 },
    })
    assert.ok(checkpoint_ts > 0 && last_fetch_complete_ts >= checkpoint_ts)
    const idle = await statusOf('IDLE')
    assert.deepEqual([idle.last_fetch_succeeded, idle.fetched_items], [null, 0])

    await world.settled()
    const found = await hma('GET', `/m/lookup?signal=${md5}&signal_type=video_md5`)
    assert.deepEqual(Object.keys(found.json), ['LIST'])
    assert.equal(found.json.LIST.length, 2)
  },
)
