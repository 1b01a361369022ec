import assert from 'node:assert/strict'
import { mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { generateIdentity, identityToRecipient } from 'age-encryption'
import { createDiskStore } from '../evidence/disk-store.ts'
import { createVault, openEvidence } from '../evidence/vault.ts'
import { alice, bob, cidOfBytes, createWorld, digestOfBytes } from '../testing/world.ts'
import { commandLine } from './run-in-test.ts'
import type { Ran } from './run-in-test.ts'

const dir = await mkdtemp(join(tmpdir(), 'blobwatch-evidence-'))
after(() => rm(dir, { recursive: true, force: true }))
const root = join(dir, 'vault')
const officerKey = await generateIdentity()
const serviceKey = await generateIdentity()
const recipients = [await identityToRecipient(officerKey)]
const serviceRecipient = await identityToRecipient(serviceKey)
const store = createDiskStore({ dir: root })
const world = await createWorld(
  { after: (clean) => after(clean) },
  { vault: createVault({ store, recipients, serviceRecipient }) },
)
const { owner } = world.database
const blobwatch = await commandLine(world.database)
const keyFile = join(dir, 'service.key')
await writeFile(keyFile, serviceKey, { mode: 0o600 })
const serviceEnv = {
  BLOBWATCH_EVIDENCE_RECIPIENTS: recipients.join(),
  BLOBWATCH_EVIDENCE_SERVICE_RECIPIENT: serviceRecipient,
  BLOBWATCH_EVIDENCE_DIR: root,
}
const env = { ...serviceEnv, BLOBWATCH_EVIDENCE_SERVICE_KEY_FILE: keyFile }

await world.bank('BAD', { policy: { preserve: true } })
for (const bytes of ['one', 'two', 'three', 'four']) {
  await world.content('BAD', bytes)
  await world.sight([{ did: bytes === 'two' ? bob : alice, bytes, rkey: bytes }])
}
await world.settle()

type Evidence = { id: number; case_file: number; sealed_object: string; working_object: string }

/** The evidence of a picture by its text. */
async function evidenceOf(bytes: string): Promise<Evidence> {
  const rows = await owner<Evidence[]>`
    select id, case_file, sealed_object, working_object from evidence
    where encode(blob_cid, 'hex') = ${digestOfBytes(bytes)}`
  const [row] = rows
  assert.ok(row)
  return row
}

/** As beside a running service: the ledger moves. */
async function whileTheLedgerMoves(
  words: string[],
  settings: Record<string, string> = env,
): Promise<Ran> {
  const running = blobwatch(words, { env: settings })
  const over = new AbortController()
  void running.finally(() => over.abort())
  while (!over.signal.aborted) {
    await world.sequence()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return running
}

const pathOf = (object: string) => join(root, object.slice(0, 2), `${object}.age`)
const entriesOf = async (type: string) =>
  (await world.ledger()).documents.filter((document) => document.type === type)

describe('evidence', () => {
  test('list and show tell words and clocks, never bytes or names in the store', async () => {
    const { id, case_file, sealed_object } = await evidenceOf('one')
    const listed = await blobwatch(['evidence', 'list', '--json'], { env })
    const { evidence } = listed.json() as { evidence: { id: number; state: string }[] }
    assert.deepEqual(
      evidence.map((row) => row.state),
      ['kept', 'kept', 'kept', 'kept'],
    )
    const ofCase = await blobwatch(['evidence', 'list', '--case', String(case_file)], { env })
    assert.match(ofCase.out, /kept/)
    const page = await blobwatch(['evidence', 'list', '--limit', '1', '--page', '2'], { env })
    assert.match(page.out, /There is more: --page 3/)
    const shown = await blobwatch(['evidence', 'show', String(id)], { env })
    assert.equal(shown.code, 0, shown.err)
    assert.ok(shown.out.includes(cidOfBytes('one')) && shown.out.includes(alice))
    assert.match(shown.out, /media +image/)
    assert.ok(!(shown.out + listed.out).includes(sealed_object))
    assert.equal((await blobwatch(['evidence', 'show', '99'], { env })).code, 2)
  })

  test('open notes who and why, waits for the entry, and writes the original bytes to a new closed file', async () => {
    const { id, case_file } = await evidenceOf('one')
    const out = join(dir, 'opened')
    const words = ['evidence', 'open', String(id), '--reason', 'report 17', '--out', out]
    const ran = await whileTheLedgerMoves(words)
    assert.equal(ran.code, 0, ran.err)
    assert.equal(await readFile(out, 'utf8'), 'one')
    assert.equal((await stat(out)).mode & 0o777, 0o600)
    assert.ok(!ran.out.includes(alice) && !ran.out.includes(cidOfBytes('one')))
    const [entry, ...more] = await entriesOf('evidence.opened')
    assert.equal(more.length, 0)
    const { actor, pub, com } = entry ?? assert.fail('an entry')
    assert.equal(actor['kind'], 'person')
    assert.deepEqual([pub, Object.keys(com)], [{ evidence: id, case: case_file }, ['reason']])

    const again = await blobwatch(words, { env })
    assert.equal(again.code, 2)
    assert.match(again.err, /exists already/)
    assert.equal(
      (await entriesOf('evidence.opened')).length,
      1,
      'nothing was noted for a file that cannot be written',
    )
  })

  test('export writes the sealed copy as it is, which only the officer opens', async () => {
    const { id, sealed_object } = await evidenceOf('two')
    const out = join(dir, 'exported.age')
    const words = ['evidence', 'export', String(id), '--reason', 'court order', '--out', out]
    const ran = await whileTheLedgerMoves(words, serviceEnv)
    assert.equal(ran.code, 0, ran.err)
    const file = await readFile(out)
    assert.deepEqual(file, await readFile(pathOf(sealed_object)))
    const { facts, bytes } = await openEvidence(file, officerKey)
    assert.deepEqual([Buffer.from(bytes).toString(), facts.did], ['two', bob])
    assert.equal((await entriesOf('evidence.exported')).length, 1)
  })

  test('while the ledger does not move nothing is given out', async () => {
    const { id } = await evidenceOf('one')
    for (const verb of ['open', 'export']) {
      const out = join(dir, `never-${verb}`)
      const stop = AbortSignal.timeout(400)
      const words = ['evidence', verb, String(id), '--reason', 'x', '--out', out]
      const ran = await blobwatch(words, { env, stop })
      assert.equal(ran.code, 75, ran.err)
      assert.match(ran.err, /nothing is released/)
      await assert.rejects(stat(out), /ENOENT/)
    }
    await world.sequence()
  })

  test('no reason, no file, a terminal, no key, a wrong key: nothing is noted and nothing written', async () => {
    const before = (await world.ledger()).documents.length
    const { id } = await evidenceOf('one')
    const out = join(dir, 'nothing')
    const other = await generateIdentity()
    const wrong: [string[], Record<string, string>, number][] = [
      [['--out', out], env, 2],
      [['--reason', 'x'], env, 2],
      [['--reason', '  ', '--out', out], env, 2],
      [['--reason', 'x', '--out', '-'], env, 2],
      [['--reason', 'x', '--out', '/dev/stdout'], env, 2],
      [['--reason', 'x', '--out', join(dir, 'no', 'folder')], env, 2],
      [['--reason', 'x', '--out', out], serviceEnv, 2],
      [['--reason', 'x', '--out', out], {}, 2],
    ]
    for (const [words, settings, code] of wrong) {
      const ran = await blobwatch(['evidence', 'open', String(id), ...words], { env: settings })
      assert.equal(ran.code, code, ran.err)
      await assert.rejects(stat(out), /ENOENT/)
    }
    await world.sequence()
    assert.equal((await world.ledger()).documents.length, before)
    const strange = { ...serviceEnv, BLOBWATCH_EVIDENCE_SERVICE_KEY: other }
    const words = ['evidence', 'open', String(id), '--reason', 'x', '--out', out]
    const ran = await whileTheLedgerMoves(words, strange)
    assert.deepEqual([ran.code, ran.err.includes('cannot be decrypted')], [1, true])
    await assert.rejects(stat(out), /ENOENT/)
  })

  test('check finds what is missing, cut short or changed, and says nothing else', async () => {
    assert.equal((await blobwatch(['evidence', 'check'], { env })).code, 0)
    const [three, four] = [await evidenceOf('three'), await evidenceOf('four')]
    const saved = await Promise.all(
      [three.sealed_object, three.working_object, four.sealed_object].map((object) =>
        readFile(pathOf(object)),
      ),
    )
    await rm(pathOf(three.sealed_object))
    await truncate(pathOf(three.working_object), 10)
    const changed = Buffer.from(saved[2] ?? '')
    changed[50] = (changed[50] ?? 0) ^ 1
    await writeFile(pathOf(four.sealed_object), changed)
    const ran = await blobwatch(['evidence', 'check', '--json'], { env })
    assert.equal(ran.code, 1)
    const { checked, faults } = ran.json() as { checked: number; faults: object[] }
    assert.equal(checked, 4)
    assert.deepEqual(faults, [
      { evidence: three.id, copy: 'sealed', fault: 'the copy is not in the store' },
      {
        evidence: three.id,
        copy: 'working',
        fault: 'the copy in the store is not what was put there',
      },
      {
        evidence: four.id,
        copy: 'sealed',
        fault: 'the copy in the store is not what was put there',
      },
    ])
    const out = join(dir, 'changed')
    const words = ['evidence', 'export', String(four.id), '--reason', 'x', '--out', out]
    assert.equal((await blobwatch(words, { env })).code, 1)
    await assert.rejects(stat(out), /ENOENT/)
    for (const [i, object] of [
      three.sealed_object,
      three.working_object,
      four.sealed_object,
    ].entries())
      await writeFile(pathOf(object), saved[i] ?? '')
    assert.equal((await blobwatch(['evidence', 'check'], { env })).code, 0)
  })

  test('destroy asks, another person approves, the files are gone and nothing opens any more', async () => {
    const { id, sealed_object, working_object } = await evidenceOf('three')
    const words = ['evidence', 'destroy', String(id), '--reason', 'asked', '--authority', 'LKA 44']
    const asked = await blobwatch([...words, '--json'], { env })
    const { request } = asked.json() as { request: number }
    assert.match((await blobwatch(['evidence', 'requests'], { env })).out, /tester/)
    const own = await blobwatch(['evidence', 'approve', String(request)], { env })
    assert.equal(own.code, 2)
    assert.match(own.err, /is your own/)
    const other = { ...env, BLOBWATCH_PRINCIPAL: 'trent' }
    const approved = await blobwatch(['evidence', 'approve', String(request)], { env: other })
    assert.equal(approved.code, 0, approved.err)
    for (const object of [sealed_object, working_object])
      await assert.rejects(stat(pathOf(object)), /ENOENT/)
    const shown = await blobwatch(['evidence', 'show', String(id)], { env })
    assert.match(shown.out, /destroyed because +authority/)
    assert.match(shown.out, /approved by trent/)
    for (const verb of ['open', 'export']) {
      const out = join(dir, 'gone')
      const ran = await blobwatch(['evidence', verb, String(id), '--reason', 'x', '--out', out], {
        env,
      })
      assert.deepEqual([ran.code, ran.err], [2, `evidence ${id} is destroyed`])
    }
    await writeFile(pathOf(sealed_object), 'back again')
    const checked = await blobwatch(['evidence', 'check'], { env })
    assert.match(checked.out, /it was destroyed and is there/)
    await rm(pathOf(sealed_object))
  })

  test('keygen makes an identity that age-keygen could have made, and never over another file', async () => {
    const file = join(dir, 'made.key')
    const { code, out } = await blobwatch(['evidence', 'keygen', file])
    assert.equal(code, 0)
    const text = await readFile(file, 'utf8')
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    const [created, pub, identity] = text.split('\n')
    assert.match(created ?? '', /^# created: 20/)
    assert.equal(out, `BLOBWATCH_EVIDENCE_SERVICE_RECIPIENT=${pub?.slice('# public key: '.length)}`)
    assert.equal(await identityToRecipient(identity ?? ''), out.split('=')[1])
    assert.equal((await blobwatch(['evidence', 'keygen', file])).code, 2)
    assert.equal(await readFile(file, 'utf8'), text)
  })

  test('doctor says what is wrong with keys, folder and clocks', async () => {
    const levels = async (settings: Record<string, string>) => {
      const ran = await blobwatch(['doctor', '--only', 'safety', '--json'], { env: settings })
      const { checks } = ran.json() as { checks: { id: string; level: string; line: string }[] }
      return Object.fromEntries(
        checks.filter(({ id }) => id.startsWith('evidence')).map(({ id, level }) => [id, level]),
      )
    }
    const well = { 'evidence-keys': 'ok', 'evidence-store': 'ok', 'evidence-clocks': 'ok' }
    assert.deepEqual(await levels(serviceEnv), well)
    assert.deepEqual(await levels(env), { ...well, 'evidence-keys': 'note' })
    const wrongKey = { ...serviceEnv, BLOBWATCH_EVIDENCE_SERVICE_KEY: await generateIdentity() }
    assert.deepEqual(await levels(wrongKey), { ...well, 'evidence-keys': 'FAIL' })
    assert.equal((await levels({}))['evidence-clocks'], 'warn')
    const s3 = {
      BLOBWATCH_EVIDENCE_RECIPIENTS: recipients.join(),
      BLOBWATCH_EVIDENCE_SERVICE_RECIPIENT: serviceRecipient,
      BLOBWATCH_EVIDENCE_S3_URL: 'http://127.0.0.1:1',
      BLOBWATCH_EVIDENCE_S3_BUCKET: 'bucket',
      BLOBWATCH_EVIDENCE_S3_REGION: 'r',
      BLOBWATCH_EVIDENCE_S3_KEY_ID: 'k',
      BLOBWATCH_EVIDENCE_S3_SECRET: 's',
    }
    assert.equal((await levels(s3))['evidence-store'], 'skip')
    await owner`update evidence set working_until = now() - interval '1 day' where state = 'kept'`
    assert.equal((await levels(serviceEnv))['evidence-clocks'], 'warn')
    await owner`update evidence set working_until = now() + interval '1 day'`
  })

  test('nothing of the vault leaves a plain file behind', async () => {
    const files = await readdir(root, { recursive: true })
    assert.ok(
      files.every((file) => /^[0-9a-f]{2}(\/[0-9a-f]{40}\.age)?$/.test(file)),
      files.join(),
    )
  })
})
