import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { after, describe, test } from 'node:test'
import { Lexicons } from '@atproto/lexicon'
import type { LexiconDoc } from '@atproto/lexicon'
import { RetryableError } from '../../domain/errors.ts'
import { startNetwork } from '../../testing/network.ts'
import { formatCheckpoint } from '../note/checkpoint.ts'
import { formatVerifierKey } from '../note/key.ts'
import { formatNote } from '../note/note.ts'
import { makeSignerKey } from '../note/signer-key.ts'
import type { SignerKey } from '../note/signer-key.ts'
import { makeTestLog } from '../signer/log-in-test.ts'
import type { TestLog } from '../signer/log-in-test.ts'
import type { SubmittedHead } from './anchor.ts'
import { checkpointCollection, createRecordAnchor, recordKeyOf } from './record.ts'

const origin = 'log.test/main'
const logKey = makeSignerKey(origin, 'log', Buffer.alloc(32, 1))
const log = makeTestLog(origin, { size: 600 })
const { signal } = new AbortController()
const network = await startNetwork()
after(() => network.close())
const alice = await network.createAccount('alice')
const appPassword = await alice.agent.com.atproto.server.createAppPassword({ name: 'ledger' })
const verifierKey = (of: string) =>
  Promise.resolve(formatVerifierKey((of === origin ? logKey : logKey.named(of)).verifier))

function anchorAt(pdsUrl: string, password = appPassword.data.password) {
  return createRecordAnchor({
    account: { pdsUrl, did: alice.did, password, timeoutMs: 5_000 },
    verifierKey,
    nowMs: () => Date.parse('2026-11-29T05:00:00.000Z'),
  })
}

async function headOf(
  size: number,
  of: TestLog = log,
  key: SignerKey = logKey,
): Promise<SubmittedHead> {
  const head = await of.at(size)
  const text = formatCheckpoint(head)
  const note = formatNote({ text, signatures: [key.sign(text, 0)] })
  return { ...head, note, prove: () => Promise.reject(new TypeError('a record needs no proof')) }
}

async function records() {
  const { data } = await alice.agent.com.atproto.repo.listRecords({
    ...{ repo: alice.did, collection: checkpointCollection },
  })
  return data.records
}

/** Passes everything on to the PDS but what `instead` answers; keeps what it saw. */
async function between(instead: (method: string, count: number) => [number, unknown] | undefined) {
  const seen: string[] = []
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const method = /^\/xrpc\/([^?]+)/.exec(request.url ?? '')?.[1] ?? ''
      const count = seen.filter((one) => one === method).length
      seen.push(method)
      const own = instead(method, count)
      if (own !== undefined) {
        response.writeHead(own[0], { 'content-type': 'application/json' })
        response.end(JSON.stringify(own[1]))
        return
      }
      const { authorization, 'content-type': type } = request.headers
      const headers = {
        ...(authorization && { authorization }),
        ...(type && { 'content-type': type }),
      }
      const body = chunks.length > 0 ? Buffer.concat(chunks) : null
      void fetch(new URL(request.url ?? '', network.pdsUrl), {
        ...{ method: request.method ?? 'GET', headers, body },
      }).then(async (answer) => {
        response.writeHead(answer.status, { 'content-type': 'application/json' })
        response.end(Buffer.from(await answer.arrayBuffer()))
      })
    })
  }
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

describe('a record of the newest head', () => {
  test('is written once a size however often it is sent, as its lexicon says, and read back', async () => {
    const anchor = anchorAt(network.pdsUrl)
    assert.equal(await anchor.newest(origin, signal), undefined)
    for (const size of [9, 10, 300, 300]) {
      const outcome = await anchor.submit(await headOf(size), signal)
      assert.ok(outcome.kind === 'anchored', JSON.stringify(outcome))
      const kept = JSON.parse(Buffer.from(outcome.body).toString()) as { uri: string }
      assert.equal(kept.uri, `${outcome.who}/${recordKeyOf(origin, size)}`)
      const newest = await anchor.newest(origin, signal)
      assert.equal(newest?.size, size)
      assert.deepEqual(newest?.root, Uint8Array.from(await log.prover.rootAt(size)))
    }
    const written = await records()
    assert.equal(written.length, 3)
    const document = JSON.parse(
      readFileSync(
        new URL('../../../lexicons/org/blobwatch/ledger/checkpoint.json', import.meta.url),
        'utf8',
      ),
    ) as LexiconDoc
    const lexicons = new Lexicons([document])
    assert.equal(document.id, checkpointCollection)
    for (const { value } of written) lexicons.assertValidRecord(checkpointCollection, value)
  })

  test('of a log that was recovered stands apart from the one before', async () => {
    const anchor = anchorAt(network.pdsUrl)
    const recovered = makeTestLog(`${origin}/recovered-2`, { size: 5 })
    assert.equal(await anchor.newest(recovered.origin, signal), undefined)
    const head = await headOf(5, recovered, logKey.named(recovered.origin))
    assert.equal((await anchor.submit(head, signal)).kind, 'anchored')
    assert.equal((await anchor.newest(recovered.origin, signal))?.size, 5)
    assert.equal((await anchor.newest(origin, signal))?.size, 300)
  })

  test('that our key signed and ours does not continue is a conflict, and nothing is written', async () => {
    const anchor = anchorAt(network.pdsUrl)
    const before = (await records()).length
    const smaller = await anchor.submit(await headOf(200), signal)
    assert.ok(smaller.kind === 'conflict')
    assert.deepEqual([smaller.theirSize, /larger tree/.test(smaller.reason)], [300, true])
    const fork = makeTestLog(origin, { size: 600, forkAt: 5 })
    const other = await anchor.submit(await headOf(300, fork), signal)
    assert.ok(other.kind === 'conflict')
    assert.match(other.reason, /another root/)
    assert.equal((await records()).length, before)
  })

  test('that somebody else put there anchors nothing and raises no alarm', async () => {
    const stranger = makeSignerKey(origin, 'log')
    const { note, size } = await headOf(600, log, stranger)
    const forged = [
      { note, size },
      { note: 'rubbish', size: 500 },
      { note: (await headOf(10)).note, size: 400 },
      { size: 450 },
    ]
    for (const { size, ...fields } of forged) {
      await alice.agent.com.atproto.repo.putRecord({
        repo: alice.did,
        collection: checkpointCollection,
        rkey: recordKeyOf(origin, size),
        record: { $type: checkpointCollection, size, ...fields },
        validate: false,
      })
    }
    const anchor = anchorAt(network.pdsUrl)
    assert.equal((await anchor.newest(origin, signal))?.size, 300)
    assert.equal((await anchor.submit(await headOf(310), signal)).kind, 'anchored')
  })
})

describe('the session of a record', () => {
  test('is kept, renewed when it has expired, and begun again when it cannot be renewed', async () => {
    const { url, seen } = await between((method, count) => {
      const expired: [number, unknown] = [400, { error: 'ExpiredToken', message: 'x' }]
      if (method === 'com.atproto.repo.putRecord' && (count === 1 || count === 3)) return expired
      return method === 'com.atproto.server.refreshSession' && count === 1 ? expired : undefined
    })
    const anchor = anchorAt(url)
    for (const size of [311, 312, 313])
      assert.equal((await anchor.submit(await headOf(size), signal)).kind, 'anchored')
    const short = seen
      .map((method) => method.split('.').at(-1))
      .filter((method) => method !== 'listRecords')
    assert.deepEqual(short, [
      'createSession',
      'putRecord',
      ...['putRecord', 'refreshSession', 'putRecord'],
      ...['putRecord', 'refreshSession', 'createSession', 'putRecord'],
    ])
  })

  test('fails with a reason of ours: wrong password, a host that is away, says no, or talks rubbish', async () => {
    const password = 'wrong-wrong-wrong'
    const refused = await anchorAt(network.pdsUrl, password).submit(await headOf(400), signal)
    assert.ok(refused.kind === 'failed')
    assert.match(refused.reason, /createSession was answered 401/)
    const away = anchorAt('http://127.0.0.1:1')
    assert.equal((await away.submit(await headOf(400), signal)).kind, 'failed')
    await assert.rejects(away.newest(origin, signal), RetryableError)
    for (const answer of [
      [500, { error: 'secretsecret' }],
      [429, {}],
      [200, ['secretsecret']],
    ] as [number, unknown][]) {
      const { url } = await between((method) =>
        method.includes('listRecords') ? undefined : answer,
      )
      const outcome = await anchorAt(url).submit(await headOf(400), signal)
      assert.ok(outcome.kind === 'failed', JSON.stringify(outcome))
      assert.ok(!outcome.reason.includes('secret'))
    }
    assert.equal((await anchorAt(network.pdsUrl).newest(origin, signal))?.size, 313)
  })

  test('sends the password to no other host, not even where the host points', async () => {
    const got: string[] = []
    const other = createServer((request, response) => {
      got.push(request.url ?? '')
      response.end('{}')
    })
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    after(() => other.close())
    const target = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
    const asked: string[] = []
    const redirecting = createServer((request, response) => {
      asked.push(request.url ?? '')
      if (request.method === 'GET') response.end('{"records":[]}')
      else response.writeHead(307, { location: `${target}${request.url}` }).end()
    })
    redirecting.listen(0, '127.0.0.1')
    await once(redirecting, 'listening')
    after(() => redirecting.close())
    const anchor = anchorAt(`http://127.0.0.1:${(redirecting.address() as AddressInfo).port}`)
    assert.equal((await anchor.submit(await headOf(400), signal)).kind, 'failed')
    assert.ok(asked.includes('/xrpc/com.atproto.server.createSession'))
    assert.deepEqual(got, [])
  })
})
