// shadow as it is typed: a process of its own between clients, a stand-in for an old HMA and one for ours.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { commandLine } from './run-in-test.ts'

const signal = '0'.repeat(64)

async function standIn(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function fileOf(t: TestContext, text: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'blobwatch-shadow-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  await writeFile(join(dir, 'key'), text, { mode: 0o600 })
  return join(dir, 'key')
}

async function startShadow(t: TestContext, words: string[]) {
  const main = join(import.meta.dirname, '..', 'main.ts')
  const child = spawn(process.execPath, [main, 'shadow', '--listen', '127.0.0.1:0', ...words], {
    env: {},
  })
  t.after(() => child.kill('SIGKILL'))
  const told = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (told.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (told.err += chunk.toString()))
  const url = () => /listening on (http:\S+);/.exec(told.err)?.[1]
  while (url() === undefined) await once(child.stderr, 'data')
  return {
    told,
    url: url() ?? '',
    stop: async () => {
      const closed = once(child, 'close')
      child.kill('SIGTERM')
      return await closed
    },
  }
}

test('gives the old one’s answers, asks ours with its key, tells differences and sums them up at the end', async (t) => {
  const keys: unknown[] = []
  const upstream = await standIn(t, (request, response) => {
    response.writeHead(request.url?.startsWith('/m/') === true ? 200 : 404, { 'x-of': 'old' })
    response.end('{"BANK":[{"bank_content_id":1,"distance":"4"}]}')
  })
  const ours = await standIn(t, (request, response) => {
    keys.push(request.headers.authorization)
    response.end('{}')
  })
  const { url, told, stop } = await startShadow(t, [
    ...['--upstream', upstream, '--ours', ours, '--ours-key-file', await fileOf(t, 'mk_test\n')],
  ])
  const answer = await fetch(`${url}/m/lookup?signal=${signal}&signal_type=pdq&seed=1`)
  assert.equal(answer.headers.get('x-of'), 'old')
  assert.equal(await answer.text(), '{"BANK":[{"bank_content_id":1,"distance":"4"}]}')
  assert.equal((await fetch(`${url}/nope`)).status, 404)
  assert.deepEqual(await stop(), [0, null], told.err)
  const { at, ...line } = JSON.parse(told.out) as Record<string, unknown>
  assert.match(String(at), /^\d{4}-\d\d-\d\dT/)
  assert.deepEqual(line, {
    ...{ method: 'GET', path: '/m/lookup', reason: 'ours-has-less' },
    ...{ theirs: { BANK: ['4'] }, ours: {}, why: { 'ours BANK not-told': 1 } },
  })
  assert.match(
    told.err,
    /\n2 calls, 0 the same, different: ours-has-less 1; left out 0, .*upstream 0\n$/,
  )
  assert.deepEqual(new Set(keys), new Set(['Bearer mk_test']))
  assert.ok(!`${told.out}${told.err}`.includes(signal))
})

test('ends when it is told to although clients keep coming and the old one is silent', async (t) => {
  const waiting = Promise.withResolvers<void>()
  const upstream = await standIn(t, (request, response) => {
    if (request.url === '/silent') waiting.resolve()
    else response.end('[]')
  })
  const ours = await standIn(t, (_request, response) => void response.end('[]'))
  const { url, told, stop } = await startShadow(t, ['--upstream', upstream, '--ours', ours])
  const over = new AbortController()
  const silent = fetch(`${url}/silent`).catch(() => undefined)
  const clients = [1, 2, 3].map(async () => {
    while (!over.signal.aborted) await fetch(`${url}/c/banks`).catch(() => over.abort())
  })
  await waiting.promise
  assert.deepEqual(await stop(), [0, null], told.err)
  over.abort()
  await Promise.all([silent, ...clients])
})

test('what is typed wrong is a sentence', async (t) => {
  const twoWords = await fileOf(t, 'mk_a mk_b')
  const blobwatch = await commandLine()
  for (const [words, sentence] of [
    [['--upstream', 'ftp://x'], /--upstream is an http or https URL/],
    [['--upstream', 'http://u:p@x'], /--upstream is an http or https URL/],
    [['--upstream', 'http://x', '--ours-key-file', '/nowhere'], /--ours-key-file cannot be read/],
    [['--upstream', 'http://x', '--ours-key-file', twoWords], /--ours-key-file holds no key/],
    [['--upstream', 'http://x', '--ours-key', 'a', '--ours-key-file', twoWords], /not both/],
    [['--upstream', 'http://x', '--listen', '5101'], /--listen is an address and a port/],
    [['--upstream', 'http://x', '--listen', '192.0.2.1:1'], /cannot be listened on: see --listen/],
  ] as const) {
    const { code, err } = await blobwatch(['shadow', ...words])
    assert.equal(code, 2)
    assert.match(err, sentence)
  }
})
