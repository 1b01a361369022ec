import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { appendFile, chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { exchangeClientContract } from '../exchanges/exchange-client.contract.ts'
import type { Sandbox } from '../signals/sandbox.ts'
import { pluginClient } from './exchange-plugin.ts'
import { parseManifest } from './manifest.ts'
import type { ExchangeManifest } from './manifest.ts'
import { sandboxInTest } from '../testing/plugin-sandbox.ts'

const fixture = fileURLToPath(new URL('../exchanges/fixtures/listed-exchange.ts', import.meta.url))
const example = fileURLToPath(
  new URL('../../examples/plugins/change-list/manifest.json', import.meta.url),
)
const going = new AbortController().signal

let sandbox: Sandbox
before(async () => {
  sandbox = await sandboxInTest()
})
const dir = await mkdtemp(join(tmpdir(), 'blobwatch-exchange-'))
after(() => rm(dir, { recursive: true, force: true }))
// A child of another user reads what lies here.
await chmod(dir, 0o755)

function open(manifest: ExchangeManifest, config: Record<string, unknown>) {
  const spawn: Sandbox['spawnProgram'] = (argv, limits) => sandbox.spawnProgram(argv, limits)
  return pluginClient(manifest, { config }, { spawn, clock: Date.now })
}

const md5 = (n: number) => `0cc175b9c0f1b6a831c399e26977${String(n).padStart(4, '0')}`
const putOf = (n: number) => ({
  ...{ op: 'put', id: `i${n}`, tags: ['spam'] },
  signals: [{ type: 'md5', value: md5(n) }],
})

const listed = parseManifest(
  JSON.stringify({
    ...{ blobwatch: 1, kind: 'exchange', name: 'listed', version: '1' },
    command: [process.execPath, '--no-warnings', fixture],
    config: { file: '/nowhere' },
    limits: { memoryMb: 1024 },
  }),
  '/listed.json',
) as ExchangeManifest
const pagesFile = join(dir, 'pages.json')
const pages = [[putOf(1), putOf(2)], [{ op: 'delete', id: 'i1' }], [putOf(3)]]
await writeFile(pagesFile, JSON.stringify({ pages }))

exchangeClientContract('a plug-in in Node', async () => open(listed, { file: pagesFile }))

test('hands over the configuration of the exchange, and a checkpoint that was no text as JSON', async () => {
  await using client = open(listed, { file: pagesFile })
  const second = await client.fetch(1, going)
  assert.deepEqual(second, { kind: 'updates', updates: pages[1], checkpoint: '2', more: true })
  await using manifestOnly = open(listed, {})
  assert.deepEqual(await manifestOnly.fetch(undefined, going), { kind: 'failed', reason: 'ended' })
})

test('what a database cannot keep is a breach of the protocol', async () => {
  const file = join(dir, 'odd.json')
  for (const id of ['a\0', '\ud800']) {
    await using client = open(listed, { file })
    await writeFile(file, JSON.stringify({ pages: [[{ op: 'delete', id }]] }))
    assert.deepEqual(await client.fetch(undefined, going), { kind: 'failed', reason: 'protocol' })
  }
})

if (existsSync('/usr/bin/python3')) {
  const manifest = parseManifest(readFileSync(example, 'utf8'), example) as ExchangeManifest
  const path = join(dir, 'changes.csv')
  const lines = Array.from({ length: 2500 }, (_, n) => `put,i${n},md5,${md5(n)},spam\n`)
  await writeFile(path, `# our list\n${lines.join('')}`)
  exchangeClientContract('the example in Python', async () => open(manifest, { path }))

  test('the example in Python: goes on where the file ended, and refuses one that shrank', async () => {
    const list = join(dir, 'more.csv')
    await writeFile(list, `put,a,md5,${md5(1)},\nput,a,md5,${md5(2)},old spam\nput,b,md5,${md5(3)}`)
    await using client = open(manifest, { path: list })
    const first = await client.fetch(undefined, going)
    assert.ok(first.kind === 'updates')
    const both = [1, 2].map((n) => ({ type: 'md5', value: md5(n) }))
    // The last line has no end yet.
    assert.deepEqual(first.updates, [{ op: 'put', id: 'a', signals: both, tags: ['old', 'spam'] }])
    await appendFile(list, '\ndelete,a\n')
    const second = await client.fetch(first.checkpoint, going)
    assert.ok(second.kind === 'updates')
    assert.deepEqual(
      second.updates.map(({ op, id }) => `${op} ${id}`),
      ['put b', 'delete a'],
    )
    await writeFile(list, 'delete,b\n')
    const refused = await client.fetch(second.checkpoint, going)
    assert.deepEqual(refused, { kind: 'failed', reason: 'refused' })
  })
} else {
  test('the example in Python', { skip: 'there is no /usr/bin/python3' }, () => {})
}
