import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { createWitnessAnchor } from '../../ledger/anchor/witness-client.ts'
import { parseCheckpoint } from '../../ledger/note/checkpoint.ts'
import { formatVerifierKey, parseVerifierKey } from '../../ledger/note/key.ts'
import { parseNote } from '../../ledger/note/note.ts'
import { makeSignerKey } from '../../ledger/note/signer-key.ts'
import { headFileName } from '../../ledger/signer/head-file.ts'
import { createHeadKeeper } from '../../ledger/signer/head-keeper.ts'
import { makeTestLog } from '../../ledger/signer/log-in-test.ts'
import { openSigner } from '../../ledger/signer/open-signer.ts'
import { serveSigner } from '../../ledger/signer/signer-server.ts'
import { serveWitness } from '../../ledger/witness/witness-server.ts'
import { createWitness } from '../../ledger/witness/witness.ts'
import { commandLine } from '../run-in-test.ts'

const origin = 'log.test/main'
const log = makeTestLog(origin, { size: 10 })

type Found = { level: string; line: string; fix?: string }
type Blobwatch = Awaited<ReturnType<typeof commandLine>>

async function checksOf(
  blobwatch: Blobwatch,
  env: Record<string, string> = {},
): Promise<Record<string, Found>> {
  const words = ['doctor', '--only', 'ledger', '--json']
  const { json } = await blobwatch(words, { env: { BLOBWATCH_LOG_NAME: origin, ...env } })
  const { checks } = json() as { checks: (Found & { id: string })[] }
  return Object.fromEntries(checks.map((check) => [check.id, check]))
}

const settingsOf = (dataDir: string) => ({ dataDir, signerSocket: undefined, signerKey: undefined })

describe('doctor looks at the signer', () => {
  test('before the first start there is nothing wrong, and nothing is made', async () => {
    const blobwatch = await commandLine()
    const found = await checksOf(blobwatch)
    assert.equal(found['ledger-signer']?.level, 'note')
    assert.equal(found['ledger-signer-files']?.level, 'skip')
    await assert.rejects(readFile(join(blobwatch.dir, 'ledger.key')), { code: 'ENOENT' })
  })

  test('in the service: key id, newest head, damage, another name, files that are open to others', async () => {
    const blobwatch = await commandLine()
    const signer = await openSigner(settingsOf(blobwatch.dir), origin)
    await signer.sign(await log.request(0, 10))
    const found = await checksOf(blobwatch)
    assert.match(found['ledger-signer']?.line ?? '', /log.test\/main\+[0-9a-f]{8}.* of 10 entries/)
    assert.equal(found['ledger-signer-files']?.level, 'ok')
    const other = await checksOf(blobwatch, { BLOBWATCH_LOG_NAME: 'other.test' })
    assert.match(other['ledger-signer']?.line ?? '', /signs for log.test\/main, not for other.test/)
    const heads = join(blobwatch.dir, 'ledger-heads')
    await chmod(heads, 0o755)
    const open = (await checksOf(blobwatch))['ledger-signer-files']
    assert.deepEqual([open?.level, open?.fix], ['FAIL', `chmod go= ${heads}`])
    await writeFile(join(heads, headFileName(origin)), 'damaged')
    const damaged = (await checksOf(blobwatch))['ledger-signer']
    assert.equal(damaged?.level, 'FAIL')
    assert.match(damaged?.line ?? '', /is damaged/)
  })

  test('behind a socket: it answers, or it is away', async () => {
    const blobwatch = await commandLine()
    const dataDir = join(blobwatch.dir, 'signer')
    await mkdir(dataDir)
    const path = join(dataDir, 'sign')
    const env = { BLOBWATCH_LEDGER_SIGNER: path }
    const signer = await openSigner(settingsOf(dataDir), origin)
    const server = await serveSigner({ signer, path })
    assert.equal((await checksOf(blobwatch, env))['ledger-signer']?.level, 'ok')
    await server.close()
    const away = (await checksOf(blobwatch, env))['ledger-signer']
    assert.equal(away?.level, 'FAIL')
    assert.match(away?.line ?? '', /does not answer/)
  })
})

describe('doctor looks at who holds the heads', () => {
  test('witnesses: none, silent, holding a head by the pinned key, away, too few', async () => {
    const blobwatch = await commandLine()
    const signer = await openSigner(settingsOf(blobwatch.dir), origin)
    assert.equal((await checksOf(blobwatch))['ledger-witnesses']?.level, 'note')
    const key = makeSignerKey('witness.test/w1', 'witness', Buffer.alloc(32, 3))
    const away = makeSignerKey('away.test', 'witness', Buffer.alloc(32, 4))
    const signed = await signer.sign(await log.request(0, 10))
    assert.ok(signed.kind === 'signed')
    const logKey = parseVerifierKey(await signer.verifierKey())
    assert.ok(typeof logKey !== 'string')
    const keeper = await createHeadKeeper({ folder: join(blobwatch.dir, 'witness') })
    const witness = createWitness({ key, logs: [logKey], keeper, nowMs: Date.now })
    await using server = await serveWitness({ witness, host: '127.0.0.1', port: 0 })
    const one = `witness one ${formatVerifierKey(key.verifier)} ${server.url}\n`
    const two = `witness two ${formatVerifierKey(away.verifier)} http://127.0.0.1:1\n`
    const check = async (policy: string) =>
      (await checksOf(blobwatch, { BLOBWATCH_LEDGER_POLICY: policy }))['ledger-witnesses']
    assert.match((await check(`${one}quorum one`))?.line ?? '', /no cosignature by the pinned key/)
    const checkpoint = parseCheckpoint(parseNote(signed.note)?.text ?? '')
    assert.ok(checkpoint)
    await createWitnessAnchor({ name: 'one', key: key.verifier, url: server.url }).submit(
      { ...checkpoint, note: signed.note, prove: () => Promise.resolve([]) },
      new AbortController().signal,
    )
    const holding = await check(`${one}quorum one`)
    assert.deepEqual([holding?.level, /one hold heads/.test(holding?.line ?? '')], ['ok', true])
    assert.equal((await check(`${one}${two}group g any one two\nquorum g`))?.level, 'warn')
    const few = await check(`${one}${two}group g all one two\nquorum g`)
    assert.deepEqual([few?.level, /away: two/.test(few?.line ?? '')], ['FAIL', true])
  })

  test('the record’s account and the authority: not set, working, refusing', async () => {
    const blobwatch = await commandLine()
    const none = await checksOf(blobwatch)
    assert.deepEqual(
      [none['ledger-record']?.level, none['ledger-timestamps']?.level],
      ['note', 'skip'],
    )
    const password = 'secret-password'
    const host = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => (body += chunk.toString()))
      request.on('end', () => {
        const isRight = body.includes(password)
        response.statusCode = isRight ? 200 : 401
        response.end(isRight ? '{"did":"did:plc:a","accessJwt":"a","refreshJwt":"b"}' : '{}')
      })
    })
    host.listen(0, '127.0.0.1')
    await once(host, 'listening')
    after(() => host.close())
    const url = `http://127.0.0.1:${(host.address() as AddressInfo).port}`
    const env = (given: string) => ({
      BLOBWATCH_LEDGER_RECORD_PDS_URL: url,
      BLOBWATCH_LEDGER_RECORD_DID: 'ledger.test',
      BLOBWATCH_LEDGER_RECORD_PASSWORD: given,
      BLOBWATCH_LEDGER_TSA_URL: url,
    })
    assert.equal((await checksOf(blobwatch, env(password)))['ledger-record']?.level, 'ok')
    const wrong = await checksOf(blobwatch, env('wrong'))
    assert.equal(wrong['ledger-record']?.level, 'FAIL')
    assert.ok(!JSON.stringify(wrong).includes('wrong"'))
    assert.match(wrong['ledger-timestamps']?.line ?? '', /answered 401/)
  })
})
