// A signal type of somebody else at the command line, and in a service over its API: src/plugins/fixtures/odd-plugin.ts, whose
// value is the last eight hex digits of the bytes' sha256.
import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { apiInTest } from '../api/api-in-test.ts'
import { oddFolder, oddValue } from '../plugins/odd-in-test.ts'
import { testDatabase } from '../testing/database.ts'
import { commandLine } from './run-in-test.ts'

const manifests = await oddFolder(after)
const manifestOf = (change: object) => manifests.write('good', { media: ['other'], ...change })

const good = await manifestOf({})
const database = await testDatabase()
const blobwatch = await commandLine(database)
const env = { BLOBWATCH_PLUGINS: good }

const text = 'a text that somebody spread'
const file = join(manifests.dir, 'spread.txt')
await writeFile(file, text)

describe('at the command line', () => {
  test('hash shows the value of each configured plug-in', async () => {
    const { out } = await blobwatch(['hash', file], { env })
    assert.match(out, new RegExp(`^odd +${oddValue(text)} \\(quality 80\\)$`, 'm'))
    const none = await blobwatch(['hash', file])
    assert.doesNotMatch(none.out, /odd/)
  })

  test('bank add takes a value, and a file with its value; match finds both within the radius', async () => {
    await blobwatch(['bank', 'create', 'SPAM'])
    const added = await blobwatch(
      ['bank', 'add', 'SPAM', '--signal', `odd=${oddValue('other', 3)}`, '--json'],
      { env },
    )
    assert.equal(added.code, 0, added.err)
    const byFile = await blobwatch(['bank', 'add', 'SPAM', file, '--json'], { env })
    const { added: [content] = [] } = byFile.json() as { added?: { types: string[] }[] }
    assert.deepEqual(content?.types, ['sha256', 'md5', 'sha1', 'odd'])
    const found = async (...words: string[]) => {
      const { matches } = (await blobwatch(['match', ...words, '--json'], { env })).json() as {
        matches: { type: string; distance: number }[]
      }
      return matches.map(({ type, distance }) => `${type} ${distance}`)
    }
    assert.deepEqual(await found(oddValue('other'), '--type', 'odd'), ['odd 3'])
    assert.deepEqual(await found(oddValue('other'), '--distance', '2'), [])
    assert.deepEqual((await found(file)).toSorted(), ['md5 0', 'odd 0', 'sha1 0', 'sha256 0'])
    const shown = await blobwatch(['bank', 'show', 'SPAM', '--search', oddValue(text), '--json'], {
      env,
    })
    assert.equal((shown.json() as { contents: unknown[] }).contents.length, 1)
    const self = await blobwatch(['bank', 'test', 'SPAM', '--against-self'], { env })
    assert.match(self.out, /5 of 5 signals were found/)
    const pair = await blobwatch(['explain', '--pair', file, oddValue(text, 2)], { env })
    assert.match(pair.out, /odd +│ 2 /)
  })

  test('a type that is not configured is refused with what there is, and so is a wrong value', async () => {
    const add = (value: string, more = {}) =>
      blobwatch(['bank', 'add', 'SPAM', '--signal', value], more)
    const unknown = await add(`odd=${oddValue('x')}`)
    assert.equal(unknown.code, 2)
    assert.match(
      unknown.err,
      /No such signal type odd: ours are sha256, .*; no plug-in is configured/,
    )
    assert.match((await add('even=00', { env })).err, /even: .*; of plug-ins odd$/)
    assert.match((await add('odd=12', { env })).err, /Invalid odd signal: 8 hex digits are needed/)
    assert.match((await add('odd', { env })).err, /--signal has a type and a value/)
  })

  test('doctor tells of bank signals that nothing compares, and of a manifest that cannot be used', async () => {
    type Report = { checks: { id: string; level: string; line: string }[] }
    const doctor = async (more: Record<string, string>) => {
      const { json } = await blobwatch(['doctor', '--offline', '--json'], { env: more })
      const { checks } = json() as Report
      return checks.flatMap(({ id, level, line }) =>
        id.startsWith('plugin') ? [`${id} ${level} ${line}`] : [],
      )
    }
    const [, without] = await doctor({})
    assert.match(without ?? '', /plugin-signals warn 2 signals of odd in banks and not compared/)
    assert.deepEqual(await doctor(env), [
      'plugins ok plug-ins that answer: odd 1',
      'plugin-signals ok every bank signal is of a type that is compared',
    ])
    const crash = await manifests.write('crash')
    const [silent] = await doctor({ BLOBWATCH_PLUGINS: crash })
    assert.match(silent ?? '', /plugins FAIL plug-ins that give no answer: odd \(ended\)/)
    const compare = await manifestOf({ metric: { kind: 'compare', radius: 0.1 } })
    const [wrong] = await doctor({ BLOBWATCH_PLUGINS: compare })
    assert.match(wrong ?? '', /plugins FAIL plug-in odd: metric compare is not searched/)
  })

  test('serve does not start with a type that it cannot search', async () => {
    const start = async (change: object) => {
      const BLOBWATCH_PLUGINS = await manifestOf(change)
      const settings = { BLOBWATCH_PLUGINS, BLOBWATCH_FIREHOSE_URL: 'ws://127.0.0.1:1' }
      const { code, err } = await blobwatch(['serve'], { env: settings })
      return `${code} ${err}`
    }
    assert.match(await start({ metric: { kind: 'compare', radius: 0.1 } }), /^2 .*metric compare/)
    const long = { digits: 130, metric: { kind: 'exact' } }
    assert.match(await start(long), /^2 plug-in odd: the service searches values of 128 hex digits/)
  })
})

describe('in a service', () => {
  test('hashes, takes and looks up values over the API, whose document names the type', async (t) => {
    const api = await apiInTest(t, env)
    const key = await api.key(['scan', 'match:read', 'match:distance', 'bank:read', 'bank:write'])
    const json = async (path: string, body: unknown) => {
      const response = await api.ask(path, {
        ...{ key, method: 'POST', body: JSON.stringify(body) },
        headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
      })
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    }
    const form = new FormData()
    form.set('file', new Blob([text]), 'spread.txt')
    const hashed = await api.ask('/api/v1/hash', { key, method: 'POST', body: form })
    const { hashes } = (await hashed.json()) as { hashes: { algorithm: string }[] }
    assert.deepEqual(
      hashes.find(({ algorithm }) => algorithm === 'odd'),
      { algorithm: 'odd', hash_value: oddValue(text), quality: 80 },
    )
    await blobwatchOf(api)(['bank', 'create', 'SPAM'])
    const signals = [{ type: 'odd', value: oddValue(text, 3) }]
    const added = await json('/api/v1/banks/SPAM/contents', { signals })
    assert.equal(added.status, 201, JSON.stringify(added.body))
    const even = [{ type: 'even', value: oddValue(text) }]
    assert.equal((await json('/api/v1/banks/SPAM/contents', { signals: even })).status, 422)
    await api.service.parts.bankBook.refresh()
    const asked = { hash_type: 'odd', hash_value: oddValue(text) }
    const { body } = await json('/api/v1/match', asked)
    const [match] = body['matches'] as { hash_type: string; distance: number; similarity: number }[]
    assert.deepEqual([match?.hash_type, match?.distance, match?.similarity], ['odd', 3, 1 - 3 / 32])
    const near = { ...asked, threshold: 0.95 }
    const batch = await json('/api/v1/match/batch', { hashes: [asked], threshold: near.threshold })
    assert.equal((batch.body['results'] as { match_count: number }[])[0]?.match_count, 0)
    assert.equal((await json('/api/v1/match', { ...asked, hash_type: 'even' })).status, 422)
    const status = (await (await api.ask('/api/v1/status', { key })).json()) as {
      components: Record<string, unknown>
      config: { plugins: string[] }
    }
    assert.deepEqual(
      [status.components['plugins'], status.config.plugins],
      [{ healthy: true }, ['odd']],
    )
    const document = await (await api.ask('/api/v1/openapi.json', { key })).text()
    assert.match(document, /"clip","odd"/)
  })

  test('started without the plug-in it serves, and says what it does not compare', async (t) => {
    const api = await apiInTest(t, {}, async (seeded) => {
      const run = await commandLine(seeded)
      await run(['bank', 'create', 'SPAM'])
      const { code, err } = await run(['bank', 'add', 'SPAM', file], { env })
      assert.equal(code, 0, err)
    })
    const { index } = api.service.parts.bankBook.status()
    assert.deepEqual([index?.signals.sha256, index?.others], [1, {}])
    assert.ok(
      api.lines.some((line) => line.includes('signals-skipped')),
      api.lines.join(),
    )
    const known = { sha256: createHash('sha256').update(text).digest('hex') }
    assert.equal((await api.service.parts.matcher.match(known)).matches.length, 1)
  })
})

function blobwatchOf(api: Awaited<ReturnType<typeof apiInTest>>) {
  return async (words: string[]) => {
    const run = await commandLine(api.database)
    const { code, err } = await run(words)
    assert.equal(code, 0, err)
  }
}
