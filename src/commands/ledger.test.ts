import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { connect } from '../db/client.ts'
import { silentLog, testDatabase } from '../testing/database.ts'
import { commandLine } from './run-in-test.ts'
import { digestOfText, enter, see, testDataKey } from './seed-in-test.ts'

const database = await testDatabase()
const blobwatch = await commandLine(database)
const env = { BLOBWATCH_DATA_KEY: testDataKey }

describe('ledger', () => {
  test('says that there is none before the first start', async () => {
    assert.match((await blobwatch(['ledger', 'verify'])).out, /There is no ledger yet/)
    assert.equal((await blobwatch(['ledger', 'log'])).out, 'There is no such entry.')
  })

  test('verify computes every entry and every kept value anew', async () => {
    await blobwatch(['bank', 'create', 'SPAM', '--class', 'open', '--mode', 'hold'])
    await blobwatch(['bank', 'add', 'SPAM', '--sha256', digestOfText('one')])
    await see(database, { text: 'one', rkey: '1', mode: 'act' })
    await enter(database)
    const { code, out } = await blobwatch(['ledger', 'verify'], { env })
    assert.equal(code, 0)
    assert.match(out, /The ledger holds: \d+ entries, head \d+:[0-9a-f]{64}/)
    assert.match(out, /[1-9]\d* kept values compared/)
    const other = await blobwatch(['ledger', 'verify'], {
      env: { BLOBWATCH_DATA_KEY: '22'.repeat(32) },
    })
    assert.equal(other.code, 2)
    assert.match(other.err, /another data key/)
  })

  test('log shows the newest, of one type if asked, and carries no personal value', async () => {
    const { out } = await blobwatch(['ledger', 'log'])
    assert.match(out, /bank\.create/)
    assert.ok(!out.includes('did:plc:'))
    const { json } = await blobwatch(['ledger', 'log', '--type', 'content.add', '--json'])
    const { entries } = json() as { entries: { type: string }[] }
    assert.deepEqual(
      entries.map((entry) => entry.type),
      ['content.add'],
    )
    assert.equal((await blobwatch(['ledger', 'log', '--limit', 'all'])).code, 2)
  })

  test('log --follow goes on with what is appended until it is stopped', async () => {
    const stop = new AbortController()
    const following = blobwatch(['ledger', 'log', '--follow', '--limit', '1', '--json'], {
      stop: stop.signal,
      onOut: (text) => {
        if (text.includes('"actions.paused"')) stop.abort()
      },
    })
    await blobwatch(['pause', '--reason', 'a test'])
    await enter(database)
    const { out } = await following
    const types = out.split('\n').map((line) => (JSON.parse(line) as { type: string }).type)
    assert.ok(types.includes('actions.paused'))
  })

  test('export writes a copy that verifies from the file alone, and never over another file', async () => {
    const file = join(blobwatch.dir, 'copy.jsonl')
    const { code, out } = await blobwatch(['ledger', 'export', file])
    assert.equal(code, 0)
    const head = / head (\d+:[0-9a-f]{64})/.exec(out)?.[1] ?? ''
    assert.equal((await blobwatch(['ledger', 'verify', '--file', file, '--expect', head])).code, 0)
    const again = await blobwatch(['ledger', 'export', file])
    assert.equal(again.code, 2)
    assert.match(again.err, /exists already/)
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
    await writeFile(file, `${lines.slice(0, -1).join('\n')}\n`)
    const cut = await blobwatch(['ledger', 'verify', '--file', file, '--expect', head])
    assert.equal(cut.code, 1)
    assert.match(cut.out, /shorter than the/)
    await writeFile(file, `${lines[0]}\nnot an entry\n${lines.slice(2).join('\n')}\n`)
    const broken = await blobwatch(['ledger', 'verify', '--file', file, '--json'])
    assert.equal(broken.code, 1)
    const { faults } = broken.json() as { faults: { problem: string }[] }
    assert.deepEqual(faults.map((fault) => fault.problem).slice(0, 2), [
      'line 2 is not an entry',
      'entry 1 is missing or out of order',
    ])
  })

  test('mistakes are exit code 2', async () => {
    assert.equal((await blobwatch(['ledger', 'verify', '--expect', 'x'])).code, 2)
    assert.equal((await blobwatch(['ledger', 'verify', '--file', '/nowhere'])).code, 2)
  })

  test('verify finds an entry changed by a superuser and a kept value exchanged', async () => {
    const root = connect(database.superuserAddress, {
      max: 1,
      applicationName: 'test',
      log: silentLog,
    })
    await root`alter table ledger_entry disable trigger all`
    await root.unsafe('alter table ledger_entry_0 disable trigger all')
    await root`update ledger_entry set bytes = set_byte(bytes, 20, 65) where seq = 1`
    await root`update ledger_private set sealed = set_byte(sealed, 20, 1 - sign(get_byte(sealed, 20))::integer)
      where (seq, field) = (select seq, field from ledger_private order by seq limit 1)`
    await root.end({ timeout: 1 })
    const { code, out } = await blobwatch(['ledger', 'verify'], { env })
    assert.equal(code, 1)
    assert.match(out, /the stored hash is not the hash of the bytes/)
    assert.match(out, /is not the one committed to/)
    assert.match(out, /The ledger does NOT hold/)
    const { json } = await blobwatch(['doctor', '--offline', '--only', 'ledger', '--json'], { env })
    const { checks } = json() as { checks: { id: string; level: string }[] }
    assert.equal(checks.find((check) => check.id === 'ledger-tail')?.level, 'FAIL')
  })
})
