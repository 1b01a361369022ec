import assert from 'node:assert/strict'
import { readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { connect } from '../db/client.ts'
import { formatCheckpoint } from '../ledger/note/checkpoint.ts'
import { formatVerifierKey } from '../ledger/note/key.ts'
import { formatNote } from '../ledger/note/note.ts'
import { makeSignerKey } from '../ledger/note/signer-key.ts'
import { openSigner } from '../ledger/signer/open-signer.ts'
import { createCheckpointer } from '../roles/checkpoint.ts'
import { leadLedger } from '../steps/append.ts'
import { newestCheckpoint } from '../steps/checkpoints.ts'
import { silentLog, testDatabase } from '../testing/database.ts'
import { makeTrust } from '../verifier/trust.ts'
import { verifyProofFile } from '../verifier/verify-proof-file.ts'
import { commandLine } from './run-in-test.ts'
import { digestOfText, enter, see, testDataKey } from './seed-in-test.ts'

const database = await testDatabase()
const blobwatch = await commandLine(database)
const env = { BLOBWATCH_DATA_KEY: testDataKey }
const signer = await openSigner(
  { dataDir: blobwatch.dir, signerSocket: undefined, signerKey: undefined },
  'test/ledger',
)
const key = ['--key', await signer.verifierKey('test/ledger')]
const pin = join(blobwatch.dir, 'kept')

async function sign(): Promise<void> {
  const checkpointer = createCheckpointer(await leadLedger(database.app, 'test/ledger'), {
    ...{ db: database.app, signer, anchors: [], policy: undefined, clock: Date.now },
    log: { warn() {}, info() {} },
    onSigned: () => undefined,
  })
  await checkpointer.round(new AbortController().signal)
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}

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

  test('before a checkpoint is signed there is nothing to export or to prove, and both say so', async () => {
    const folder = join(blobwatch.dir, 'none')
    const none = await blobwatch(['ledger', 'export', folder])
    assert.deepEqual([none.code, await exists(folder)], [2, false])
    assert.match(none.err, /no signed checkpoint yet/)
    const early = await blobwatch(['ledger', 'prove', '0'])
    assert.equal(early.code, 2)
    assert.match(early.err, /under no signed checkpoint yet/)
    assert.match((await blobwatch(['ledger', 'prove', '9999'])).err, /there is no entry 9999/)
  })

  test('export writes a copy that verifies from the file alone, and never over another file', async () => {
    await sign()
    await writeFile(pin, (await newestCheckpoint(database.app))?.note ?? '')
    await blobwatch(['bank', 'create', 'ONE_MORE', '--class', 'open', '--mode', 'hold'])
    await enter(database)
    const folder = join(blobwatch.dir, 'copy')
    const { code, out, err } = await blobwatch(['ledger', 'export', folder])
    assert.equal(code, 0, err)
    assert.match(out, /1 entry came after it/)
    assert.match(err, /of \d+ entries/)
    const verified = await blobwatch(['ledger', 'verify', '--file', folder, ...key, '--pin', pin])
    assert.equal(verified.code, 0, verified.out)
    assert.match(verified.out, /^TRUE: \d+ entries of test\/ledger are what was signed/)
    const again = await blobwatch(['ledger', 'export', folder])
    assert.equal(again.code, 2)
    assert.match(again.err, /exists already/)
    const files = await readdir(folder, { recursive: true })
    for (const name of files.filter((one) => /entries.*p.\d+$|jsonl$/.test(one)))
      assert.ok(!(await readFile(join(folder, name), 'utf8')).includes('did:plc:'))
    assert.ok(!files.includes('opened.jsonl'))
  })

  test('what was changed in a copy is exit code 1, what is missing 2, and a foreign key shows nothing', async () => {
    const folder = join(blobwatch.dir, 'copy')
    const files = await readdir(folder, { recursive: true })
    const entries = join(folder, files.find((one) => /^tile.entries.*p.\d+$/.test(one)) ?? '')
    const honest = await readFile(entries)
    await writeFile(entries, honest.with(200, (honest[200] ?? 0) ^ 1))
    const changed = await blobwatch(['ledger', 'verify', '--file', folder, ...key, '--json'])
    assert.equal(changed.code, 1)
    const { findings } = changed.json() as { findings: { where: string }[] }
    assert.match(findings[0]?.where ?? '', /^entry [01]$/)
    await rm(entries)
    const missing = await blobwatch(['ledger', 'verify', '--file', folder, ...key])
    assert.equal(missing.code, 2)
    assert.match(missing.out, /^INCOMPLETE/)
    await writeFile(entries, honest)
    const foreign = makeSignerKey('another/log', 'log', new Uint8Array(32).fill(1))
    const other = ['--key', formatVerifierKey(foreign.verifier)]
    const unsigned = await blobwatch(['ledger', 'verify', '--file', folder, ...other])
    assert.equal(unsigned.code, 2)
    assert.match(unsigned.out, /none of the keys given for test\/ledger signed it/)
    await rm(join(folder, 'bundle.json'))
    const half = await blobwatch(['ledger', 'verify', '--file', folder, ...key])
    assert.equal(half.code, 2)
    assert.match(half.out, /was not written to its end/)
  })

  test('export --reveal opens every value, which only the data key can', async () => {
    const folder = join(blobwatch.dir, 'revealed')
    assert.equal((await blobwatch(['ledger', 'export', folder, '--reveal'])).code, 2)
    const { code, err } = await blobwatch(['ledger', 'export', folder, '--reveal'], { env })
    assert.equal(code, 0, err)
    assert.match(await readFile(join(folder, 'opened.jsonl'), 'utf8'), /did:plc:/)
    const { out } = await blobwatch(['ledger', 'verify', '--file', folder, ...key])
    assert.match(out, /^TRUE/)
    assert.match(out, /[1-9]\d* opened, 0 entries erased by record \(all claimed\)/)
  })

  test('prove writes a proof and its entry, which verify offline and prove nothing else', async () => {
    const file = join(blobwatch.dir, 'one.tlog-proof')
    const { code, err } = await blobwatch(['ledger', 'prove', '1', '--out', file])
    assert.equal(code, 0, err)
    const entry = await readFile(join(blobwatch.dir, 'one.entry'))
    const trust = makeTrust({ keys: key.slice(1) })
    assert.ok(typeof trust !== 'string')
    const proof = await readFile(file)
    const report = verifyProofFile({ proof, entry, trust })
    assert.ok(!('usage' in report))
    assert.deepEqual([report.verdict, report.index, report.findings], ['true', 1, []])
    const changed = verifyProofFile({ proof, entry: entry.with(100, 65), trust })
    assert.ok(!('usage' in changed) && changed.verdict === 'tampered')
    assert.equal((await blobwatch(['ledger', 'prove', '1', '--out', file])).code, 2)
    assert.equal((await blobwatch(['ledger', 'prove', 'x'])).code, 2)
  })

  test('verify of the database compares signed heads and pinned ones', async () => {
    const { code, out } = await blobwatch(['ledger', 'verify', ...key, '--pin', pin], { env })
    assert.equal(code, 0, out)
    assert.match(
      out,
      /1 signed checkpoint compared with their signatures; 1 entry after the newest/,
    )
    const later = makeSignerKey('test/ledger', 'log', new Uint8Array(32).fill(1))
    const text = formatCheckpoint({ origin: 'test/ledger', size: 5000, root: new Uint8Array(32) })
    const kept = join(blobwatch.dir, 'kept-later')
    await writeFile(kept, formatNote({ text, signatures: [later.sign(text, 0)] }))
    const cut = await blobwatch(['ledger', 'verify', '--pin', kept], { env })
    assert.equal(cut.code, 1)
    assert.match(cut.out, /the log had 5000 entries and is shorter now/)
    const head = / head (\d+:[0-9a-f]{64})/.exec(out)?.[1] ?? ''
    assert.equal((await blobwatch(['ledger', 'verify', '--expect', head])).code, 0)
    const wrong = await blobwatch(['ledger', 'verify', '--expect', `2:${'0'.repeat(64)}`])
    assert.equal(wrong.code, 1)
  })

  test('mistakes are exit code 2', async () => {
    assert.equal((await blobwatch(['ledger', 'verify', '--expect', 'x'])).code, 2)
    assert.equal((await blobwatch(['ledger', 'verify', '--file', '/nowhere', ...key])).code, 2)
    assert.match((await blobwatch(['ledger', 'verify', '--file', '/tmp'])).err, /give --key/)
    assert.equal((await blobwatch(['ledger', 'verify', '--file', '/tmp', ...key])).code, 2)
    assert.equal((await blobwatch(['ledger', 'verify', '--key', 'x'])).code, 2)
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
