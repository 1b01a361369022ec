import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { formatCheckpoint } from '../note/checkpoint.ts'
import { formatNote } from '../note/note.ts'
import { makeSignerKey } from '../note/signer-key.ts'
import { makeTestLog } from '../signer/log-in-test.ts'
import type { SubmittedHead } from './anchor.ts'
import { createTimestampAnchor, stampedBytes } from './timestamp.ts'

const run = promisify(execFile)
const { signal } = new AbortController()
const origin = 'log.test/main'
const logKey = makeSignerKey(origin, 'log', Buffer.alloc(32, 1))
const witnessKey = makeSignerKey('witness.test/w1', 'witness', Buffer.alloc(32, 3))
const log = makeTestLog(origin, { size: 10 })
const dir = await mkdtemp(join(tmpdir(), 'blobwatch-tsa-'))
after(() => rm(dir, { recursive: true, force: true }))
const skip = await makeAuthority().then(
  () => false,
  () => 'there is no openssl on this machine',
)

/** A throw-away authority: its own root, a certificate for time stamps, and what `openssl ts -reply` wants to know. */
async function makeAuthority(): Promise<void> {
  const config = `
[req]
distinguished_name = name
[name]
[stamping]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = one
[one]
serial = ${dir}/serial
crypto_device = builtin
signer_cert = ${dir}/tsa.pem
certs = ${dir}/root.pem
signer_key = ${dir}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
`
  await writeFile(join(dir, 'tsa.cnf'), config)
  await writeFile(join(dir, 'serial'), '01\n')
  const openssl = (line: string) => run('openssl', line.split(' '), { cwd: dir })
  await openssl(
    'req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -days 2 -subj /CN=Test-root',
  )
  await openssl(
    'req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=Test-TSA -config tsa.cnf',
  )
  await openssl(
    'x509 -req -in tsa.csr -CA root.pem -CAkey root.key -CAcreateserial -out tsa.pem -days 2 -extfile tsa.cnf -extensions stamping',
  )
}

let made = 0
async function reply(query: Buffer): Promise<Buffer> {
  const file = join(dir, `${(made += 1)}.tsq`)
  await writeFile(file, query)
  await run(
    'openssl',
    ['ts', '-reply', '-config', 'tsa.cnf', '-queryfile', file, '-out', `${file}.tsr`],
    {
      cwd: dir,
    },
  )
  return await readFile(`${file}.tsr`)
}

/** Answers with what `answer` makes of the query. */
async function standIn(
  answer: (query: Buffer, response: ServerResponse) => Promise<Buffer | string | undefined>,
): Promise<string> {
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
      assert.equal(request.headers['content-type'], 'application/timestamp-query')
      const bytes = await answer(Buffer.concat(chunks), response)
      if (bytes === undefined) return
      response.setHeader('content-type', 'application/timestamp-reply')
      response.end(bytes)
    })()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/tsr`
}

async function headOf(size: number): Promise<SubmittedHead> {
  const head = await log.at(size)
  const text = formatCheckpoint(head)
  const signatures = [logKey.sign(text, 0), witnessKey.sign(text, 1)]
  return {
    ...head,
    note: formatNote({ text, signatures }),
    prove: () => Promise.reject(new TypeError('a time stamp needs no proof')),
  }
}

const anchorAt = (url: string, nowMs = Date.now()) =>
  createTimestampAnchor({ url, timeoutMs: 2_000, nowMs: () => nowMs })

async function reasonOf(url: string, nowMs?: number): Promise<string> {
  const outcome = await anchorAt(url, nowMs).submit(await headOf(10), signal)
  assert.ok(outcome.kind === 'failed', JSON.stringify(outcome))
  return outcome.reason
}

describe('a time stamp', { skip }, () => {
  test('is kept as it came, and openssl accepts it for the note with the log’s own signature', async () => {
    const anchor = anchorAt(await standIn(reply))
    const head = await headOf(10)
    const outcome = await anchor.submit(head, signal)
    assert.ok(outcome.kind === 'anchored', JSON.stringify(outcome))
    await writeFile(join(dir, 'kept.tsr'), outcome.body)
    const verify = async (data: Uint8Array) => {
      await writeFile(join(dir, 'note.txt'), data)
      const words = 'ts -verify -in kept.tsr -data note.txt -CAfile root.pem'.split(' ')
      return await run('openssl', words, { cwd: dir })
    }
    // Whatever cosignatures the note has by the time it is checked.
    const text = formatCheckpoint(await log.at(10))
    const alone = formatNote({ text, signatures: [logKey.sign(text, 0)] })
    assert.deepEqual(Buffer.from(stampedBytes(head.note, origin)), Buffer.from(alone))
    assert.match((await verify(Buffer.from(alone))).stdout, /Verification: OK/)
    await assert.rejects(verify(Buffer.from(head.note)))
    assert.equal(await anchor.newest(origin, signal), undefined)
  })

  test('of another question, of other bytes, or by a clock that is off is not kept', async () => {
    let first: Buffer | undefined
    const replay = await standIn(async (query) => (first ??= await reply(query)))
    assert.equal((await anchorAt(replay).submit(await headOf(10), signal)).kind, 'anchored')
    assert.match(await reasonOf(replay), /another question/)
    const other = await standIn(async (query) => {
      const changed = Buffer.from(query)
      // Version (5 bytes), the imprint's heads and its algorithm are before the digest.
      const at = changed.indexOf(Buffer.from([0x04, 0x20])) + 2
      changed.fill(7, at, at + 32)
      return await reply(changed)
    })
    assert.match(await reasonOf(other), /of something else/)
    const without = await standIn(async (query) => {
      await writeFile(join(dir, 'again.tsq'), query)
      const digest = query.subarray(query.indexOf(Buffer.from([0x04, 0x20])) + 2).subarray(0, 32)
      const words = [
        'ts',
        '-query',
        '-digest',
        digest.toString('hex'),
        '-sha256',
        '-no_nonce',
        '-cert',
      ]
      await run('openssl', [...words, '-out', 'no-nonce.tsq'], { cwd: dir })
      return await reply(await readFile(join(dir, 'no-nonce.tsq')))
    })
    assert.match(await reasonOf(without), /another question/)
    assert.match(await reasonOf(await standIn(reply), Date.now() + 7_200_000), /clock/)
  })

  test('that is refused, changed, or no time stamp at all is not kept', async () => {
    const refusing = await standIn((query) => {
      // A digest that this authority does not take: SHA-1 by its object identifier.
      const oid = query.indexOf(Buffer.from('608648016503040201', 'hex'))
      return reply(Buffer.from(query).fill(9, oid + 8, oid + 9))
    })
    assert.match(await reasonOf(refusing), /the authority refuses \(status 2\)/)
    const changed = await standIn(async (query) => {
      const answer = await reply(query)
      answer[answer.length - 5] = (answer.at(-5) ?? 0) ^ 1
      return answer
    })
    assert.match(await reasonOf(changed), /signature of the time stamp does not hold/)
    const longer = await standIn(async (query) => Buffer.concat([await reply(query), Buffer.of(0)]))
    assert.match(await reasonOf(longer), /not a time stamp/)
    const cut = await standIn(async (query) => (await reply(query)).subarray(0, -9))
    assert.match(await reasonOf(cut), /not a time stamp/)
  })
})

describe('something that is no authority', () => {
  test('garbage, a page, nothing, an error, a huge, a slow and no answer fail with a reason of ours', async () => {
    const secret = 'secretsecret'
    const answering = (bytes: Buffer | string) => standIn(() => Promise.resolve(bytes))
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.alloc(300, 0x30),
      `<html>${secret}`,
      Buffer.of(0x30, 0),
    ])
      assert.match(await reasonOf(await answering(bytes)), /not a time stamp/)
    const error = await standIn((_, response) => {
      response.statusCode = 500
      return Promise.resolve(secret)
    })
    assert.equal(await reasonOf(error), 'the authority answered 500')
    assert.match(await reasonOf(await answering(Buffer.alloc(100_000))), /over 65536 bytes/)
    const slow = await standIn((_, response) => {
      response.writeHead(200)
      response.write('x')
      return Promise.resolve(undefined)
    })
    assert.match(await reasonOf(slow), /no answer in 2000 ms/)
    assert.match(await reasonOf('http://127.0.0.1:1/'), /no answer/)
  })
})
