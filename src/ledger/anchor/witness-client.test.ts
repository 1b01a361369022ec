import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { RetryableError } from '../../domain/errors.ts'
import { formatCheckpoint } from '../note/checkpoint.ts'
import { formatNote, formatSignature, parseNote, verifyNote } from '../note/note.ts'
import { makeSignerKey } from '../note/signer-key.ts'
import { createHeadKeeper } from '../signer/head-keeper.ts'
import { makeTestLog } from '../signer/log-in-test.ts'
import type { TestLog } from '../signer/log-in-test.ts'
import { serveWitness } from '../witness/witness-server.ts'
import { createWitness } from '../witness/witness.ts'
import type { SubmittedHead } from './anchor.ts'
import { createWitnessAnchor } from './witness-client.ts'

const origin = 'log.test/main'
const logKey = makeSignerKey(origin, 'log', Buffer.alloc(32, 1))
const witnessKey = makeSignerKey('witness.test/w1', 'witness', Buffer.alloc(32, 3))
const log = makeTestLog(origin, { size: 600 })
const dir = await mkdtemp(join(tmpdir(), 'blobwatch-witnesses-'))
after(() => rm(dir, { recursive: true, force: true }))
const { signal } = new AbortController()

async function headOf(size: number, of: TestLog = log): Promise<SubmittedHead> {
  const head = await of.at(size)
  const text = formatCheckpoint(head)
  return {
    ...head,
    note: formatNote({ text, signatures: [logKey.sign(text, 0)] }),
    prove: (old) => of.prover.consistency(old, size),
  }
}

let made = 0
/** A witness of our own that counts what it is asked. */
async function start(key = witnessKey) {
  const witness = createWitness({
    key,
    logs: [logKey.verifier],
    keeper: await createHeadKeeper({ folder: join(dir, `heads-${(made += 1)}`) }),
    nowMs: Date.now,
  })
  let asked = 0
  const addCheckpoint = (body: Uint8Array) => {
    asked += 1
    return witness.addCheckpoint(body)
  }
  const server = await serveWitness({
    ...{ witness: { ...witness, addCheckpoint }, host: '127.0.0.1', port: 0 },
  })
  after(() => server.close())
  return { url: server.url, asked: () => asked }
}

const anchorAt = (url: string, timeoutMs = 2_000) =>
  createWitnessAnchor({ name: 'w1', key: witnessKey.verifier, url, timeoutMs })

/** Something that answers as it is told to. */
async function standIn(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('a witness', () => {
  test('cosigns each head, and what comes back makes the note a cosigned one', async () => {
    const { url, asked } = await start()
    const anchor = anchorAt(`${url}/`)
    for (const size of [1, 300, 300, 600]) {
      const head = await headOf(size)
      const outcome = await anchor.submit(head, signal)
      assert.ok(outcome.kind === 'anchored' && outcome.signature, JSON.stringify(outcome))
      assert.equal(outcome.body.length, 0)
      const note = parseNote(`${head.note}${formatSignature(outcome.signature)}`)
      assert.ok(note)
      const verdict = verifyNote(note, [logKey.verifier, witnessKey.verifier])
      assert.ok(verdict.kind === 'verified' && verdict.by.length === 2)
    }
    assert.equal(asked(), 4)
  })

  test('that knows more than this process is asked again from the size it names, once', async () => {
    const { url, asked } = await start()
    await anchorAt(url).submit(await headOf(300), signal)
    const outcome = await anchorAt(url).submit(await headOf(600), signal)
    assert.equal(outcome.kind, 'anchored')
    assert.equal(asked(), 3)
    const same = await anchorAt(url).submit(await headOf(600), signal)
    assert.equal(same.kind, 'anchored')
  })

  test('that holds another story is a conflict: a larger tree, another root, no continuation', async () => {
    const { url } = await start()
    await anchorAt(url).submit(await headOf(300), signal)
    const fork = makeTestLog(origin, { size: 600, forkAt: 299 })
    const cases = [
      [await headOf(200), /larger tree/],
      [await headOf(300, fork), /another root/],
      [await headOf(600, fork), /does not continue/],
    ] as const
    for (const [head, reason] of cases) {
      const outcome = await anchorAt(url).submit(head, signal)
      assert.ok(outcome.kind === 'conflict', JSON.stringify(outcome))
      assert.match(outcome.reason, reason)
      assert.equal(outcome.theirSize, 300)
    }
    assert.equal((await anchorAt(url).submit(await headOf(300), signal)).kind, 'anchored')
  })

  test('tells the newest head that it cosigned, and nothing of a log that it has not seen', async () => {
    const { url } = await start()
    assert.equal(await anchorAt(url).newest(origin, signal), undefined)
    await anchorAt(url).submit(await headOf(300), signal)
    const { size, root } = await log.at(300)
    assert.deepEqual(await anchorAt(url).newest(origin, signal), {
      size,
      root: Uint8Array.from(root),
    })
    const impostor = createWitnessAnchor({
      ...{ name: 'w1', url },
      key: makeSignerKey('witness.test/w1', 'witness').verifier,
    })
    assert.equal(await impostor.newest(origin, signal), undefined)
  })

  test('of another key than the pinned one anchors nothing, and lines of unknown keys are passed over', async () => {
    const { url } = await start(makeSignerKey('witness.test/w1', 'witness'))
    const outcome = await anchorAt(url).submit(await headOf(10), signal)
    assert.match(
      outcome.kind === 'failed' ? outcome.reason : '',
      /no cosignature of the pinned key/,
    )
    const head = await headOf(10)
    const text = parseNote(head.note)?.text ?? ''
    const strange = formatSignature(makeSignerKey('else.test', 'witness').sign(text, 1))
    const wrong = formatSignature(witnessKey.sign('else\n', 1))
    const right = formatSignature(witnessKey.sign(text, 1))
    const answering = (body: string) => standIn((_, response) => response.end(body))
    const among = await anchorAt(await answering(`${strange}${right}${strange}`)).submit(
      head,
      signal,
    )
    assert.equal(among.kind === 'anchored' && among.signature?.name, 'witness.test/w1')
    const forged = await anchorAt(await answering(`${wrong}${right}`)).submit(head, signal)
    assert.match(forged.kind === 'failed' ? forged.reason : '', /does not verify/)
  })
})

describe('something that is no witness', () => {
  const secret = 'did:plc:secretsecretsecret'
  const answers: [string, RequestListener, RegExp][] = [
    ['rubbish', (_, response) => response.end(`hello ${secret}`), /not lines of signatures/],
    ['nothing', (_, response) => response.end(), /not lines of signatures/],
    ['404', (_, response) => response.writeHead(404).end(secret), /does not know our log/],
    ['403', (_, response) => response.writeHead(403).end(secret), /does not know our key/],
    ['422 from nothing', (_, response) => response.writeHead(422).end(), /empty proof/],
    ['500', (_, response) => response.writeHead(500).end(secret), /answered 500/],
    [
      '409 without a size',
      (_, response) => response.writeHead(409).end(`${secret}\n`),
      /without a size/,
    ],
    [
      '409 of another type',
      (_, response) => response.writeHead(409, { 'content-type': 'text/plain' }).end('9999\n'),
      /without a size/,
    ],
    [
      '409 for what was asked',
      (_, response) => response.writeHead(409, { 'content-type': 'text/x.tlog.size' }).end('0\n'),
      /the very size that it names/,
    ],
    ['huge', (_, response) => response.end('x'.repeat(1_000_000)), /over 65536 bytes/],
    ['silent', () => undefined, /no answer in 300 ms/],
    [
      'trickling',
      (_, response) => {
        response.writeHead(200, { 'content-length': 100 })
        response.write('x')
      },
      /no answer in 300 ms/,
    ],
  ]
  for (const [what, listener, reason] of answers) {
    test(`${what}: fails with a reason of ours`, async () => {
      const anchor = anchorAt(await standIn(listener), 300)
      const outcome = await anchor.submit(await headOf(10), signal)
      assert.ok(outcome.kind === 'failed', JSON.stringify(outcome))
      assert.match(outcome.reason, reason)
      assert.ok(!outcome.reason.includes(secret))
    })
  }

  test('a size that moves at each request ends after a few', async () => {
    let theirs = 0
    const url = await standIn((_, response) => {
      theirs += 1
      response.writeHead(409, { 'content-type': 'text/x.tlog.size' }).end(`${theirs}\n`)
    })
    const outcome = await anchorAt(url).submit(await headOf(10), signal)
    assert.match(outcome.kind === 'failed' ? outcome.reason : '', /another size each time/)
    assert.equal(theirs, 3)
  })

  test('a redirect is not followed', async () => {
    let followed = 0
    const target = await standIn((_, response) => {
      followed += 1
      response.end()
    })
    const url = await standIn((_, response) => response.writeHead(307, { location: target }).end())
    const outcome = await anchorAt(url).submit(await headOf(10), signal)
    assert.match(outcome.kind === 'failed' ? outcome.reason : '', /answered 307/)
    assert.equal(await anchorAt(url).newest(origin, signal), undefined)
    assert.equal(followed, 0)
  })

  test('who is away fails to cosign, and cannot be asked for the newest', async () => {
    const anchor = anchorAt('http://127.0.0.1:1')
    assert.equal((await anchor.submit(await headOf(10), signal)).kind, 'failed')
    await assert.rejects(anchor.newest(origin, signal), RetryableError)
    const stopped = AbortSignal.abort()
    assert.equal((await anchor.submit(await headOf(10), stopped)).kind, 'failed')
  })

  test('a proof that cannot be made is our own fault and comes through', async () => {
    const { url } = await start()
    const head = { ...(await headOf(10)), prove: () => Promise.reject(new TypeError('no tiles')) }
    await assert.rejects(anchorAt(url).submit(head, signal), /no tiles/)
  })
})
