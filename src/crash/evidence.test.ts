// The service with a vault is killed between store and settle, between removal and entry, and a reader between note and
// release; and one picture goes through the whole story on a real PDS.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Decrypter, generateIdentity, identityToRecipient } from 'age-encryption'
import { commandLine } from '../commands/run-in-test.ts'
import { blobDigest } from '../domain/cid.ts'
import { createDiskStore } from '../evidence/disk-store.ts'
import { unpackEvidence } from '../evidence/container.ts'
import { sweepEvidence } from '../roles/evidence-clocks.ts'
import { canaryPicture } from '../testing/canary.ts'
import { startCrashWorld } from '../testing/crash-world.ts'

const officerKey = await generateIdentity()
const serviceKey = await generateIdentity()
const scratch = await commandLine()
const dir = join(scratch.dir, 'vault')
const vaultEnv = {
  BLOBWATCH_EVIDENCE_RECIPIENTS: await identityToRecipient(officerKey),
  BLOBWATCH_EVIDENCE_SERVICE_RECIPIENT: await identityToRecipient(serviceKey),
  BLOBWATCH_EVIDENCE_DIR: dir,
}
const world = await startCrashWorld({ env: vaultEnv, policy: { preserve: true } })
after(() => world[Symbol.asyncDispose]())
const { owner } = world.database
const blobwatch = await commandLine(world.database)
const keyFile = join(scratch.dir, 'service.key')
await writeFile(keyFile, `# a key\n${serviceKey}\n`, { mode: 0o600 })
const readerEnv = {
  ...vaultEnv,
  BLOBWATCH_EVIDENCE_SERVICE_KEY_FILE: keyFile,
  BLOBWATCH_DATA_KEY: '7c'.repeat(32),
}
const mainFile = fileURLToPath(new URL('../main.ts', import.meta.url))

async function filesOf(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return found.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name))
}

async function keptFor(cid: string) {
  return owner<
    {
      id: number
      case_file: number
      state: string
      sealed_object: string
      working_object: string
    }[]
  >`
    select id, case_file, state, sealed_object, working_object from evidence
    where blob_cid = decode(${blobDigest(cid) ?? ''}, 'hex')`
}

const sweep = (nowMs: number) =>
  sweepEvidence({
    db: world.database.app,
    store: createDiskStore({ dir }),
    nowMs,
    signal: new AbortController().signal,
    onFailed: (error) => assert.fail(String(error)),
  })

/** Files of ours and tables that hold a piece of it. */
async function whereInPlain(picture: Uint8Array): Promise<string[]> {
  const slice = Buffer.from(picture.subarray(1000, 1032))
  const found: string[] = []
  for (const folder of [world.dir, scratch.dir, blobwatch.dir])
    for (const file of await filesOf(folder))
      if ((await readFile(file)).includes(slice)) found.push(file)
  // Base64 of three positions in a row of bytes; the middle of each is the same wherever the slice begins.
  const texts = [0, 1, 2].map((from) => slice.subarray(from, from + 27).toString('base64'))
  for (const text of [slice.toString('hex'), ...texts]) found.push(...(await tablesWith(text)))
  return found
}

async function tablesWith(text: string): Promise<string[]> {
  const tables = await owner<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = 'blobwatch' and table_type = 'BASE TABLE'`
  const found: string[] = []
  for (const { name } of tables) {
    const [row] =
      await owner`select from ${owner(name)} t where strpos(t::text, ${text}) > 0 limit 1`
    if (row !== undefined) found.push(name)
  }
  return found
}

for (const point of ['evidence:planned', 'evidence:stored', 'settle:before', 'settle:after']) {
  test(`killed at ${point}, every matched picture has one row of evidence, and what nobody counts is swept`, async () => {
    const doomed = world.start(`${point}:1`)
    await world.post(3, 1)
    assert.deepEqual(await doomed.ended(), { code: null, signal: 'SIGKILL' }, doomed.output())
    await world.expireLeases()
    const next = world.start()
    await world.leads(next)
    await world.done(next)
    next.kill('SIGTERM')
    assert.deepEqual(await next.ended(), { code: 0, signal: null }, next.output())
    await world.check()
    const objects: string[] = []
    for (const { cid, verdict } of world.posted) {
      const rows = await keptFor(cid)
      assert.equal(rows.length, verdict === 'matched' ? 1 : 0)
      objects.push(...rows.flatMap((row) => [row.sealed_object, row.working_object]))
    }
    await sweep(Date.now() + 25 * 3600_000)
    const names = (await filesOf(dir)).map((file) => file.slice(-44, -4))
    assert.deepEqual(names.toSorted(), objects.toSorted())
    assert.equal((await blobwatch(['evidence', 'check'], { env: vaultEnv })).code, 0)
  })
}

test('killed between removal and entry, the next sweep says it once', async () => {
  const [one] = world.posted.filter(({ verdict }) => verdict === 'matched')
  const [row] = await keptFor(one?.cid ?? '')
  assert.ok(row)
  await owner`update case_file set state = 'overturned' where id = ${row.case_file}`
  const doomed = world.start('evidence:removed:1')
  assert.deepEqual(await doomed.ended(), { code: null, signal: 'SIGKILL' }, doomed.output())
  assert.equal((await keptFor(one?.cid ?? ''))[0]?.state, 'kept')
  await owner`update evidence set going_at = now() - interval '1 hour' where going is not null`
  const next = world.start()
  await world.leads(next)
  const untilMs = Date.now() + 30_000
  while ((await keptFor(one?.cid ?? ''))[0]?.state !== 'destroyed' && Date.now() < untilMs)
    await new Promise((resolve) => setTimeout(resolve, 50))
  next.kill('SIGTERM')
  await next.ended()
  const { json } = await blobwatch(['ledger', 'log', '--type', 'evidence.destroyed', '--json'], {
    env: readerEnv,
  })
  const told = json() as { entries: { pub: { evidence: number } }[] }
  assert.equal(told.entries.filter(({ pub }) => pub.evidence === row.id).length, 1)
})

test('a reader that is killed between note and release has given out nothing', async () => {
  const [one] = world.posted.filter(({ verdict }) => verdict === 'matched').slice(-1)
  const [row] = await keptFor(one?.cid ?? '')
  const out = join(scratch.dir, 'killed.bin')
  const words = ['evidence', 'open', String(row?.id), '--reason', 'a test', '--out', out]
  const child = spawn(process.execPath, [mainFile, ...words], {
    env: {
      ...blobwatch.env,
      ...readerEnv,
      PATH: process.env['PATH'] ?? '',
      BLOBWATCH_CRASH_POINT: 'note:after',
    },
    stdio: 'ignore',
  })
  assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL'])
  assert.equal((await stat(out)).size, 0)
  const [noted] = await owner`select from ledger_intake where type = 'evidence.opened'`
  assert.ok(noted)
})

test('a picture: matched, kept twice, taken down, opened with a reason, overturned, both copies gone, and never in plain', async () => {
  // As world.post makes its next one.
  const picture = await canaryPicture({ seed: world.posted.length + 1, width: 200, height: 150 })
  const service = world.start()
  await world.leads(service)
  const [{ cid } = { cid: '' }] = await world.post(1, 0)
  await world.done(service)
  await world.check()
  const [row] = await keptFor(cid)
  assert.ok(row)

  const decrypter = new Decrypter()
  decrypter.addIdentity(officerKey)
  const sealed = await readFile(
    join(dir, row.sealed_object.slice(0, 2), `${row.sealed_object}.age`),
  )
  const { facts, bytes } = unpackEvidence(await decrypter.decrypt(sealed))
  assert.deepEqual(Buffer.from(bytes), Buffer.from(picture))
  assert.deepEqual([facts.cid, facts.media, facts.evidence], [cid, 'image', row.id])
  assert.match(facts.handle ?? '', /\.test$/)
  assert.match(facts.record?.served?.json ?? '', /app\.bsky\.feed\.post/)

  const out = join(scratch.dir, 'opened.jpg')
  const words = ['evidence', 'open', String(row.id), '--reason', 'the whole story', '--out', out]
  const opened = await blobwatch(words, { env: readerEnv })
  assert.equal(opened.code, 0, opened.err)
  assert.deepEqual(await readFile(out), Buffer.from(picture))
  assert.equal((await stat(out)).mode & 0o777, 0o600)
  // The look below finds what there is to find.
  assert.deepEqual(await whereInPlain(picture), [out])
  assert.deepEqual(await tablesWith(row.sealed_object), ['evidence'])
  await writeFile(out, '')

  const overturned = await blobwatch(['case', 'overturn', String(row.case_file)], {
    env: readerEnv,
  })
  assert.equal(overturned.code, 0, overturned.err)
  await world.done(service)
  await sweep(Date.now())
  await world.done(service)
  service.kill('SIGTERM')
  await service.ended()
  assert.equal((await keptFor(cid))[0]?.state, 'destroyed')
  const names = (await filesOf(dir)).map((file) => file.slice(-44, -4))
  assert.ok(!names.includes(row.sealed_object) && !names.includes(row.working_object))

  assert.deepEqual(await whereInPlain(picture), [])
  const everything = service.output() + opened.out + opened.err
  for (const telling of [cid, blobDigest(cid) ?? '', 'did:plc'])
    assert.ok(!everything.includes(telling))
})
