import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { formatVerifierKey, parseVerifierKey } from '../ledger/note/key.ts'
import { checkReceipt, receiptBytesMax } from '../ledger/receipt.ts'
import { openSigner } from '../ledger/signer/open-signer.ts'
import { createCheckpointer } from '../roles/checkpoint.ts'
import { claimAction, finish } from '../steps/act.ts'
import { leadLedger } from '../steps/append.ts'
import { testDatabase } from '../testing/database.ts'
import { commandLine } from './run-in-test.ts'
import { digestOfText, enter, see, testDataKey, testDid } from './seed-in-test.ts'

const database = await testDatabase()
const blobwatch = await commandLine(database)
const env = {
  BLOBWATCH_DATA_KEY: testDataKey,
  BLOBWATCH_APPEAL_CONTACT: 'write to appeals@pds.example',
}
const log = 'test/ledger'

const signer = await openSigner(
  { dataDir: blobwatch.dir, signerSocket: undefined, signerKey: undefined },
  log,
)
const key = parseVerifierKey(await signer.verifierKey(log))
assert.ok(typeof key !== 'string')

async function checkpoint(): Promise<void> {
  const checkpointer = createCheckpointer(await leadLedger(database.app, log), {
    db: database.app,
    signer,
    anchors: [],
    policy: undefined,
    clock: Date.now,
    log: { warn() {}, info() {} },
    onSigned: () => undefined,
  })
  await checkpointer.round(new AbortController().signal)
}

async function act(): Promise<void> {
  for (;;) {
    const claimed = await claimAction(database.app, {
      kinds: ['takedown-blob', 'takedown-record'],
      nowMs: Date.now(),
    })
    if (claimed === undefined) return
    const outcome = { kind: 'done', detail: { ref: claimed.ref } } as const
    await finish(database.app, { claimed, outcome, nowMs: Date.now(), random: 0 })
  }
}

const run = promisify(execFile)
const verifier = fileURLToPath(new URL('../../verifier/verify.mjs', import.meta.url))

describe('ledger receipt', () => {
  test('says what is missing before there is anything to prove', async () => {
    const none = await blobwatch(['ledger', 'receipt', testDid], { env })
    assert.deepEqual([none.code, none.err], [2, `nothing is known about ${testDid}`])
    const noAppeal = await blobwatch(['ledger', 'receipt', testDid])
    assert.match(noAppeal.err, /BLOBWATCH_APPEAL_CONTACT/)
  })

  test('proves offline what was done, by class, without naming the bank', async () => {
    await blobwatch(['bank', 'create', 'SECRET_LIST', '--class', 'restricted', '--mode', 'act'])
    await blobwatch(['bank', 'add', 'SECRET_LIST', '--sha256', digestOfText('one')])
    await see(database, { text: 'one', rkey: '1', mode: 'act' })
    await enter(database)
    const early = await blobwatch(['ledger', 'receipt', testDid], { env })
    assert.match(early.err, /no signed checkpoint yet/)
    await act()
    await enter(database)
    await checkpoint()
    const out = join(blobwatch.dir, 'receipts')
    const { code, json } = await blobwatch(['ledger', 'receipt', testDid, '--out', out, '--json'], {
      env,
    })
    assert.equal(code, 0)
    const { files } = json() as { files: string[] }
    assert.equal(files.length, 2)
    for (const file of files) {
      const text = await readFile(file, 'utf8')
      assert.ok(Buffer.byteLength(text) <= receiptBytesMax)
      assert.ok(!text.includes('SECRET_LIST'))
      assert.match(text, /appeals@pds\.example/)
      const checked = checkReceipt(text, () => [key])
      assert.ok(checked.kind === 'holds', JSON.stringify(checked))
      assert.equal(checked.facts.account, testDid)
      assert.equal(checked.facts.class, 'restricted')
      assert.equal(checked.facts.outcome, 'done')
    }
    const again = await blobwatch(['ledger', 'receipt', testDid, '--out', out], { env })
    assert.match(again.err, /exists already/)
  })

  test('anybody checks it with the verifier of one file and the key of the log', async () => {
    const folder = join(blobwatch.dir, 'receipts')
    const [name] = await readdir(folder)
    const file = join(folder, name ?? '')
    const vkey = formatVerifierKey(key)
    const args = (of: string, more: string[] = []) => [
      verifier,
      'receipt',
      of,
      '--key',
      vkey,
      ...more,
    ]
    const { stdout } = await run(process.execPath, args(file))
    assert.match(stdout, /^TRUE: takedown-(blob|record): done at/)
    assert.ok(stdout.includes(testDid))
    const changed = join(folder, 'changed.json')
    const text = await readFile(file, 'utf8')
    await writeFile(changed, text.replaceAll(testDid, `did:plc:${'c'.repeat(24)}`))
    await assert.rejects(run(process.execPath, args(changed)), { code: 1 })
    await writeFile(changed, text.slice(0, 100))
    await assert.rejects(run(process.execPath, args(changed)), { code: 3 })
    await assert.rejects(run(process.execPath, args(file, ['--pin', file])), { code: 3 })
    const other = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
    const foreign = [verifier, 'receipt', file, '--key', other]
    await assert.rejects(run(process.execPath, foreign), { code: 2 })
    await rm(changed)
  })

  test('what was changed in a receipt is found, and a foreign key proves nothing', async () => {
    const folder = join(blobwatch.dir, 'receipts')
    const [name] = await readdir(folder)
    const text = await readFile(join(folder, name ?? ''), 'utf8')
    const other = parseVerifierKey(
      'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
    )
    assert.ok(typeof other !== 'string')
    assert.equal(checkReceipt(text, () => [other]).kind, 'unsigned')
    const changes: [string, string][] = [
      [testDid, `did:plc:${'c'.repeat(24)}`],
      ['\\"applied\\":true', '\\"applied\\":false'],
      ['\\"outcome\\":\\"done\\"', '\\"outcome\\":\\"none\\"'],
      ['\\"class\\":\\"restricted\\"', '\\"class\\":\\"open\\"'],
    ]
    for (const [from, to] of changes) {
      assert.ok(text.includes(from), from)
      assert.equal(checkReceipt(text.replaceAll(from, to), () => [key]).kind, 'false', from)
    }
    const document = JSON.parse(text) as Record<string, unknown>
    const without = (part: string) => JSON.stringify({ ...document, [part]: undefined })
    for (const part of ['format', 'intent', 'result', 'opened', 'hashes', 'checkpoint'])
      assert.equal(checkReceipt(without(part), () => [key]).kind, 'unreadable', part)
    assert.equal(
      checkReceipt(JSON.stringify({ ...document, opened: {} }), () => [key]).kind,
      'false',
    )
    const swapped = JSON.stringify({
      ...document,
      intent: document['result'],
      result: document['intent'],
    })
    assert.equal(checkReceipt(swapped, () => [key]).kind, 'false')
    const future = checkReceipt(
      JSON.stringify({ ...document, format: 'blobwatch-receipt/9' }),
      () => [key],
    )
    assert.ok(future.kind === 'unreadable')
    assert.match(future.problem, /get a newer one/)
    for (const rubbish of ['', 'null', '[]', '{', text.slice(0, -40)])
      assert.equal(checkReceipt(rubbish, () => [key]).kind, 'unreadable')
  })
})
